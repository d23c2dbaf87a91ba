-- name: totals
-- log_head, the catalogue, both ends of the primary key
select h.epoch, h.position as head, h.suspended, first.position as first_position, first.recorded_at as first_at,
    last.recorded_at as last_at, greatest(c.reltuples, 0)::bigint as estimated_events,
    pg_relation_size('events') + pg_relation_size(c.reltoastrelid) as table_bytes,
    pg_indexes_size('events') as index_bytes
from log_head h
join pg_class c on c.oid = 'events'::regclass
left join lateral (select position, recorded_at from events order by position limit 1) first on true
left join lateral (select recorded_at from events order by position desc limit 1) last on true

-- name: by_kind
-- reads a sample of the table's pages
select kind as name, count(*) as events, sum(octet_length(payload::text))::bigint as payload_bytes
from events tablesample system ($1) group by 1 order by 2 desc, 1 limit $2

-- name: by_type
select type as name, count(*) as events, sum(octet_length(payload::text))::bigint as payload_bytes
from events tablesample system ($1) group by 1 order by 2 desc, 1 limit $2

-- name: by_owner
select owner as name, count(*) as events, sum(octet_length(payload::text))::bigint as payload_bytes
from events tablesample system ($1) group by 1 order by 2 desc, 1 limit $2
