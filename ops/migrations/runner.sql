-- name: lock
select pg_advisory_lock(hashtext('oa migrations'))

-- name: unlock
select pg_advisory_unlock(hashtext('oa migrations'))

-- name: create_table
create table if not exists migrations (
  name       text primary key,
  applied_at timestamptz not null default now()
)

-- name: applied
select name from migrations

-- name: set_first_position
select set_config('oa.first_position', $1, true)

-- name: record
insert into migrations (name) values ($1)
