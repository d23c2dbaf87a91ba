-- name: consume
-- Unused ones are returned; one whose time has passed counts as unused. Index: request_nonces_pkey.
insert into request_nonces as known (nonce_hash, expires_at)
select * from unnest($1::bytea[], $2::bigint[])
on conflict (nonce_hash) do update set expires_at = excluded.expires_at where known.expires_at <= $3
returning nonce_hash

-- name: sweep
-- Index: request_nonces_expiry.
delete from request_nonces where expires_at <= $1
