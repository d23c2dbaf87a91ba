-- name: events_of_kind
-- primary key of events
select position, stream, recorded_at from events where position > $1 and kind = $2 order by position limit $3

-- name: published
-- by primary key
select partition, position from relay_progress where topic = $1
