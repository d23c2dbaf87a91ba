-- name: missing
-- Index: users_pkey.
select t.id from unnest($1::bigint[]) as t(id) where not exists (select from users where users.id = t.id)
