-- name: add
insert into skips (view, position, skipped_by, reason, skipped_at) values ($1, $2, $3, $4, now())
on conflict do nothing

-- name: positions
-- by primary key
select position from skips where view = $1 and position > $2 and position <= $3

-- name: every_position
-- by primary key
select position from skips where view = $1

-- name: every
select view, position, skipped_by, reason, skipped_at from skips order by view, position
