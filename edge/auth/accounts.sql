-- name: find_user
-- Index: users_email_key.
select * from users where email = $1

-- name: touch_user
update users set updated_at = $2 where email = $1 returning *

-- name: add_user
-- The first free of `ada`, `ada-1`, `ada-2` …; nothing when a concurrent one took it or the address.
-- Index: users_handle_key, once a candidate.
insert into users (name, email, handle, created_at, updated_at)
select $1, $2, free.handle, $4, $4
from (
    select left($3, 64 - length(suffix)) || suffix as handle
    from (select case n when 0 then '' else '-' || n end as suffix
          from (select generate_series(0, 1000000) as n) as numbers) as suffixes
) as free
where not exists (select from users as taken where taken.handle = free.handle)
limit 1
on conflict do nothing
returning *
