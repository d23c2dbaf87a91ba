-- name: append
-- the head's row lock is held until commit: watermarks are dense and in commit order
with head as (
    update journal_heads set watermark = watermark + cardinality($2::text[]) where topic = $1
    returning watermark - cardinality($2::text[]) as before
), appended as (
    insert into journal (topic, watermark, doc_key, doc_version, payload, payload_hash, owner, position, inserted_at)
    select $1, head.before + row.nth, row.doc_key, row.doc_version, row.payload::json, sha256(convert_to(row.payload, 'UTF8')), row.owner,
        row.position, clock_timestamp()
    from head, unnest($2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
        with ordinality row (owner, doc_key, doc_version, position, payload, nth)
)
select pg_notify('oa_journal', $1) from head

-- name: read_owner
-- by journal_of_owner; the head is of the same snapshot
select head.watermark as head, j.*
from journal_heads head
left join lateral (
    select * from journal
    where topic = $1 and owner = $2 and watermark > $3
    order by watermark limit $4
) j on true
where head.topic = $1
order by j.watermark

-- name: read_all
-- by primary key
select * from journal where topic = $1 and watermark > $2 order by watermark limit $3

-- name: head
select watermark from journal_heads where topic = $1

-- name: floor
-- by journal_of_owner alone, newest first
select watermark from journal where topic = $1 and owner = $2 and inserted_at < $3 order by watermark desc limit 1
