-- name: tell
-- primary key
insert into processes (id, kind, host, pid, ready, lag_positions, lag_seconds, state, started_at, seen_at)
values ($1, $2, $3, $4, $5, $6, $7, $8, now(), now())
on conflict (id) do update set
    ready = excluded.ready, lag_positions = excluded.lag_positions, lag_seconds = excluded.lag_seconds,
    state = excluded.state, seen_at = excluded.seen_at

-- name: forget
-- a handful of rows
delete from processes where seen_at < now() - $1::interval

-- name: everybody
-- a handful of rows
select kind, host, pid, ready, state, lag_positions, lag_seconds,
    extract(epoch from seen_at - started_at)::float8 as age_s, extract(epoch from now() - seen_at)::float8 as silent_s
from processes order by kind, started_at, id
