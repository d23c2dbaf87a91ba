-- name: events
-- by primary key, then unique (stream, seq)
select position, owner, stream, seq, type, version, digest, recorded_at,
    (select max(seq) from events later where later.stream = event.stream) - seq as waiting
from events event where position = any($1::bigint[])

-- name: stuck
select consumer, key, position, error, parked_at, tried_at from parked_reactions order by consumer, position

-- name: partitions
-- by primary key
select count(*) from relay_progress where topic = $1

-- name: ask
-- by primary key; the processors look once a second
update parked_reactions set asked_at = clock_timestamp() where consumer = $1 and key = $2 and position = $3
returning asked_at

-- name: answer
-- by primary key
select position, error, tried_at from parked_reactions where consumer = $1 and key = $2
