-- name: add
insert into sessions (id_hash, user_id, last_seen_at) values ($1, $2, $3)

-- name: find
-- Index: sessions_pkey, users_pkey.
select s.last_seen_at, u.*
from sessions s left join users u on u.id = s.user_id
where s.id_hash = $1 and s.last_seen_at > $2

-- name: touch
-- Index: sessions_pkey.
update sessions set last_seen_at = $2 where id_hash = $1 and last_seen_at < $2

-- name: remove
-- Index: sessions_pkey.
delete from sessions where id_hash = $1

-- name: remove_all
-- Index: sessions_of_user, users_pkey.
with noted as (update users set signed_out_at = $2 where id = $1)
delete from sessions where user_id = $1 returning 1

-- name: sweep
-- Index: sessions_idle.
delete from sessions where last_seen_at <= $1
