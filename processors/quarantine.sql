-- name: events
-- by primary key, then unique (stream, seq)
select position, stream, seq, type, version, digest, recorded_at,
    (select max(seq) from events later where later.stream = event.stream) - seq as waiting
from events event where position = any($1::bigint[])
