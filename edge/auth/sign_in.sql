-- name: forget_others
-- A session has one pending sign-in. Index: sign_in_codes_of_session.
delete from sign_in_codes where session_hash = $1 and email <> $2

-- name: put_code
-- Index: sign_in_codes_pkey.
insert into sign_in_codes (email, session_hash, code_hash, expires_at) values ($1, $2, $3, $4)
on conflict (email) do update
set session_hash = excluded.session_hash, code_hash = excluded.code_hash, expires_at = excluded.expires_at, tries = 0

-- name: try_code
-- Counts the try before it is judged, so that parallel guesses count too. Index: sign_in_codes_of_session.
update sign_in_codes set tries = tries + 1
where session_hash = $1 and tries < $2 and expires_at > $3
returning email, code_hash

-- name: spend_code
-- Index: sign_in_codes_pkey.
delete from sign_in_codes where email = $1 and session_hash = $2 and code_hash = $3 returning email

-- name: sweep
-- Index: sign_in_codes_expiry.
delete from sign_in_codes where expires_at <= $1
