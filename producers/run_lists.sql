-- name: runs
-- streams_of_owner, then the primary key once a run; a run without events is created (ADR 14)
select o.stream, o.state as ownership, r.state as run
  from streams o
  left join streams r on r.stream = 'run/' || split_part(o.stream, '/', 2)
 where o.kind = 'ownership' and o.owner = $1 and ($2::text is null or coalesce(r.state ->> 'status', 'created') = $2)
   and ($3::text is null or o.state ->> 'thread_id' = $3) and ($4::text is null or o.stream = 'ownership/' || $4)
 order by o.updated_at desc, o.stream desc limit $5

-- name: last_events
-- unique (stream, seq), backwards, a short stretch of each run
select e.position, e.kind, e.stream, e.seq, e.type, e.version, e.owner, e.payload, e.digest, e.headers, e.recorded_at
  from unnest($1::text[]) as runs(stream)
 cross join lateral (select * from events where events.stream = runs.stream order by seq desc limit $2) e
 order by e.stream, e.seq

-- name: costs
-- streams_of_owner
select state ->> 'run_id' as run_id, sum(coalesce((state ->> 'spent_msats')::bigint, 0))::bigint as spent_msats,
       sum(case when state ->> 'status' in ('reserved', 'reconcile_required') then (state ->> 'amount_msats')::bigint
                else 0 end)::bigint as held_msats
  from streams where kind = 'hold' and owner = $1 and state ->> 'run_id' = any($2::text[]) group by 1
