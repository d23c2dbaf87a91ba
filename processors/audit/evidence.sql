-- name: bounds
select head.position as head, (select min(position) from events) as oldest from log_head head

-- name: epochs
select epoch, kept_through, began_after from epochs order by epoch

-- name: journal_epochs
-- by primary key
select epoch, kept_through, began_after from journal_epochs where topic = $1 order by epoch

-- name: published
-- by primary key
select partition, position from relay_progress where topic = $1

-- name: checkpoints
-- by primary key
select partition, position from checkpoints where view = $1 and version = $2 and generation = $3

-- name: events
-- by primary key
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
from events where position > $1 and position <= $2 order by position limit $3

-- name: streams
-- by the primary key of streams and unique (stream, seq)
select touched.stream, s.kind, s.owner, s.seq, s.state::text, s.state_version, s.wake_at,
    (select max(seq) from events e where e.stream = touched.stream and e.seq < touched.first_seq) as before_seq,
    (select max(seq) from events e where e.stream = touched.stream) as last_seq,
    (select position from events e where e.stream = touched.stream and e.seq = touched.last_seq + 1) as next_position
from unnest($1::text[], $2::bigint[], $3::bigint[]) touched (stream, first_seq, last_seq)
left join streams s on s.stream = touched.stream

-- name: histories
-- unique (stream, seq), once a stream
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
from unnest($1::text[], $2::text[]) wanted (its_stream, name)
join events on stream = its_stream
order by name, position

-- name: lengths
-- by primary key
select stream, seq from streams where stream = any($1::text[])

-- name: documents
-- by the primary keys; the newest row by journal_of_owner, backwards
select wanted.owner, wanted.doc_key, d.document::text, d.doc_version, d.last_position, q.position as broken_from,
    j.watermark, j.payload::text as told, j.doc_version as told_version
from unnest($1::text[], $2::text[]) wanted (owner, doc_key)
left join <documents> d on d.owner = wanted.owner and d.doc_key = wanted.doc_key
left join quarantine q
    on q.view = $3 and q.version = $4 and q.owner = wanted.owner and q.doc_key = wanted.doc_key
left join lateral (
    select watermark, payload, doc_version from journal
    where topic = $5 and owner = wanted.owner and doc_key = wanted.doc_key
    order by watermark desc limit 1
) j on true

-- name: journal
-- by the primary keys. An event has at most one row, so the rows of the events above $2 are among as many last ones;
-- judged are they alone, and what is missing before them
with head as (
    select watermark from journal_heads where topic = $1
), looked_at as (
    select journal.watermark, journal.position, owner, doc_version, payload, payload_hash,
        coalesce(lead(journal.watermark) over (order by journal.watermark), head.watermark + 1) as next,
        coalesce(lead(journal.position) over (order by journal.watermark), $2 + 1) as next_position
    from journal, head
    where topic = $1 and journal.watermark >= coalesce(
        (select max(j.watermark) from journal j, log_head l
         where j.topic = $1 and j.watermark <= head.watermark - (l.position - $2::bigint)), 0)
), judged as (
    select l.watermark, l.next, l.owner, l.doc_version, e.owner as event_owner,
        case when e.kind = $3 or e.position is null then e.seq else l.doc_version end as event_seq,
        l.position > $2 as is_new,
        l.next_position > $2 and l.next <> l.watermark + 1 as before_hole,
        l.payload is not null and sha256(convert_to(l.payload::text, 'UTF8')) <> l.payload_hash as altered
    from looked_at l left join events e on e.position = l.position
)
select watermark, case when before_hole then next else watermark + 1 end as next, owner, doc_version, event_owner,
    event_seq, is_new, altered
from judged
where before_hole
    or is_new and (altered or event_owner is distinct from owner or event_seq is distinct from doc_version)
order by watermark limit 100
