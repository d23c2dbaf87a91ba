-- name: events_of_kinds
-- primary key of events
select position, stream, recorded_at from events where position > $1 and kind = any($2::text[]) order by position limit $3
