-- name: chosen
-- streams_of_owner has the kind first; the oldest first, and how many there are without the limit
select count(*) over () as total, o.owner, substr(o.stream, length('ownership/') + 1) as run_id
from streams o left join streams r on r.stream = 'run/' || substr(o.stream, length('ownership/') + 1)
where o.kind = 'ownership'
    and ($1::text is null or o.stream = 'ownership/' || $1)
    and ($2::text is null or o.state ->> 'thread_id' = $2)
    and ($3::timestamptz is null or coalesce(r.updated_at, o.updated_at) >= $3)
    and ($4::timestamptz is null or coalesce(r.updated_at, o.updated_at) < $4)
order by o.updated_at, o.stream
limit $5

-- name: counted
-- documents_of_run of each table; the row by its primary key
select (select count(*) from run_event_rows where owner = $1 and run_id = $2) as events,
    (select count(*) from run_messages where owner = $1 and run_id = $2) as messages,
    coalesce((select watermark from run_rows where owner = $1 and run_id = $2), 0) as watermark

-- name: last_position
-- unique (stream, seq), backwards
select position from events where stream = $1 order by seq desc limit 1

-- name: workers
-- streams_of_owner has the kind first
select stream from streams where kind = 'worker' and stream = 'worker/' || owner || '/' || $1 order by stream

-- name: owner
-- by primary key
select owner from streams where stream = $1
