-- name: revoked
-- Without a time: there is no such account. Index: users_pkey.
select asked.id, extract(epoch from users.signed_out_at)::float8 as before
from unnest($1::bigint[]) as asked(id) left join users using (id)
where users.id is null or users.signed_out_at is not null
