-- name: published
-- by primary key
select partition, position, last_position from relay_progress where topic = $1

-- name: recorded_at
-- primary key of events
select position, recorded_at from events where position = any($1::bigint[])
