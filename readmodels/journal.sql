-- name: install
-- The head's row lock is held until commit: watermarks are dense and in commit order.
create or replace function journal_append(
    of_topic text, owners text[], doc_keys text[], doc_versions bigint[], positions bigint[], payloads text[]
) returns void
language plpgsql
as $$
declare
    before bigint;
begin
    if cardinality(owners) = 0 then
        return;
    end if;
    update journal_heads set watermark = watermark + cardinality(owners) where topic = of_topic
        returning watermark - cardinality(owners) into strict before;
    insert into journal (topic, watermark, doc_key, doc_version, payload, payload_hash, owner, position, inserted_at)
    select of_topic, before + row.nth, row.doc_key, row.doc_version, row.payload::json,
        sha256(convert_to(row.payload, 'UTF8')), row.owner, row.position, clock_timestamp()
    from unnest(owners, doc_keys, doc_versions, positions, payloads)
        with ordinality row (owner, doc_key, doc_version, position, payload, nth);
    perform pg_notify('oa_journal', of_topic);
end $$;

-- name: append
select journal_append($1, $2, $3, $4, $5, $6)

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

-- name: read_around
-- by journal_of_owner, newest first and then on from there; the head is of the same snapshot
select head.watermark as head, before.start, j.*
from journal_heads head
cross join lateral (
    select case when count(*) < $4 then 0 else min(watermark) - 1 end as start
    from (
        select watermark from journal where topic = $1 and owner = $2 and watermark <= $3
        order by watermark desc limit $4
    ) newest
) before
left join lateral (
    select * from journal
    where topic = $1 and owner = $2 and watermark > before.start
    order by watermark limit 2 * $4
) j on true
where head.topic = $1
order by j.watermark

-- name: read_all
-- by primary key
select * from journal where topic = $1 and watermark > $2 order by watermark limit $3

-- name: read_on
-- by primary key, topic after topic
select j.* from unnest($1::text[], $2::bigint[]) cursor (topic, after)
cross join lateral (
    select * from journal where topic = cursor.topic and watermark > cursor.after order by watermark limit $3
) j
order by j.topic, j.watermark

-- name: head
select watermark from journal_heads where topic = $1

-- name: histories
select topic, epoch, kept_through, began_after from journal_epochs order by topic, epoch

-- name: watermarks
-- a row a topic
select topic, watermark from journal_heads

-- name: floor
-- by journal_of_owner alone, newest first
select watermark from journal where topic = $1 and owner = $2 and inserted_at < $3 order by watermark desc limit 1
