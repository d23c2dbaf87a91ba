-- name: find
-- Index: personal_tokens_secret_hash_key, users_pkey.
select t.id as token_id, t.last_used_at, t.expires_at, u.*
from personal_tokens t join users u on u.id = t.user_id
where t.secret_hash = $1

-- name: stamp
-- Index: personal_tokens_pkey.
update personal_tokens set last_used_at = $2 where id = any($1::bigint[]) and (last_used_at is null or last_used_at < $2)

-- name: add
insert into personal_tokens (user_id, name, secret_hash, abilities, expires_at, created_at)
values ($1, $2, $3, $4, $5, $6)
returning id

-- name: remove_named
-- Index: personal_tokens_of_user.
delete from personal_tokens where user_id = $1 and name = $2

-- name: list
-- Index: personal_tokens_of_user.
select id, name, abilities, last_used_at, expires_at, created_at from personal_tokens where user_id = $1 order by id desc

-- name: remove
-- Index: personal_tokens_pkey.
delete from personal_tokens where user_id = $1 and id = $2 returning id

-- name: remove_all
-- Index: personal_tokens_of_user.
delete from personal_tokens where user_id = $1 returning id
