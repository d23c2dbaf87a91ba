-- name: open_of
-- streams_of_owner
select stream from streams
 where kind = 'notification' and owner = $1 and starts_with(stream, $2) and state ->> 'is_open' = 'true'

-- name: open_before
-- streams_of_owner; of each, which are few, its last event by unique (stream, seq)
select stream from streams
 where kind = 'notification' and owner = $1 and starts_with(stream, $2) and state ->> 'is_open' = 'true'
   and (select position from events e where e.stream = streams.stream order by e.seq desc limit 1) < $3

-- name: worth_a_look
-- streams_of_owner by its kinds; workers that were busy when they fell silent or that are called lost
select owner, stream from streams
 where kind = 'worker' and state ->> 'status' = 'running' and (state -> 'daemon' ->> 'seen_at')::timestamptz < $1
   and (state -> 'daemon' -> 'busy' is not null or state -> 'open_requests' is not null
        or state -> 'expiring' is not null or state -> 'approvals' is not null)
union
select owner, replace(stream, 'notification/' || owner || '/worker/', 'worker/' || owner || '/') from streams
 where kind = 'notification' and state ->> 'cause' = 'worker_lost' and state ->> 'is_open' = 'true'
