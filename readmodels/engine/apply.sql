-- name: add_checkpoints
insert into checkpoints (view, version, generation, partition, position, epoch)
select $1, $2, $3, partition, 0, 0 from unnest($4::int[]) partition
on conflict do nothing

-- name: advance
-- up only
insert into checkpoints (view, version, generation, partition, position, epoch)
select $1, $2, $3, partition, $5, 0 from unnest($4::int[]) partition
on conflict (view, version, generation, partition) do update set
    position = greatest(checkpoints.position, excluded.position)

-- name: checkpoints
select partition, position from checkpoints where view = $1 and version = $2 and generation = $3

-- name: look
-- by the primary keys of documents, quarantine, checkpoints and skips; all of one snapshot
select wanted.owner, wanted.doc_key, wanted.partition, c.position as checkpoint, c.xmin::text as stamp,
    d.document, d.doc_version, d.last_position, q.position as broken_from,
    (select position from log_head) as head,
    (select array_agg(position) from skips where view = $1 and position between $7 and $8) as skipped
from unnest($4::text[], $5::text[], $6::int[]) wanted (owner, doc_key, partition)
left join checkpoints c
    on c.view = $1 and c.version = $2 and c.generation = $3 and c.partition = wanted.partition
left join <documents> d on d.owner = wanted.owner and d.doc_key = wanted.doc_key
left join quarantine q
    on q.view = $1 and q.version = $2 and q.owner = wanted.owner and q.doc_key = wanted.doc_key

-- name: write
-- everything or, when a checkpoint is not what was seen, nothing. What follows depends on `agreed`, so the checkpoints
-- are locked first, in partition order; the journal's head, which all partitions share, comes last. Whether the version
-- feeds the journal is read from the locked rows too: a cut-over may have come in between. A retry, which moves no
-- checkpoint, shows in the mark that is gone: it is looked for once the checkpoints are locked, and a locking read sees
-- what was committed while this statement waited. Whoever makes documents anew touches the checkpoint's row: its stamp
-- is another then.
with locked as materialized (
    select partition, position, journals, xmin::text as stamp from checkpoints
    where view = $1 and version = $2 and generation = $3 and partition = any($4::int[])
    order by partition for update
), parked as materialized (
    select 1 from quarantine q
    join unnest($24::text[], $25::text[]) left_alone (owner, doc_key) using (owner, doc_key)
    where q.view = $1 and q.version = $2 and (select count(*) from locked) >= 0
    for key share of q
), agreed as materialized (
    select count(*) = cardinality($4::int[]) and (select count(*) from parked) = cardinality($24::text[]) as ok, bool_and(locked.journals) as journals
    from locked join unnest($4::int[], $5::bigint[], $26::text[]) seen (partition, position, stamp)
        using (partition, position)
    where seen.stamp is null or seen.stamp = locked.stamp
), moved as (
    update checkpoints c set position = reached.position, epoch = greatest(c.epoch, reached.epoch)
    from agreed, unnest($4::int[], $6::bigint[], $7::int[]) reached (partition, position, epoch)
    where agreed.ok and c.view = $1 and c.version = $2 and c.generation = $3 and c.partition = reached.partition
), changed as (
    insert into <documents> as d (owner, doc_key, document, doc_version, last_position, projected_at)
    select document.owner, document.doc_key, document.text::json, document.version, document.position, document.at
    from agreed, unnest($8::text[], $9::text[], $10::text[], $11::bigint[], $12::bigint[], $13::timestamptz[])
        document (owner, doc_key, text, version, position, at)
    where agreed.ok
    on conflict (owner, doc_key) do update set
        document = excluded.document, doc_version = excluded.doc_version,
        last_position = excluded.last_position, projected_at = excluded.projected_at
    where d.last_position < excluded.last_position
    returning 1
), quarantined as (
    insert into quarantine (view, version, owner, doc_key, position, error, marked_at)
    select $1, $2, failed.*, now()
    from agreed, unnest($14::text[], $15::text[], $16::bigint[], $17::text[]) failed (owner, doc_key, position, error)
    where agreed.ok
    on conflict do nothing
)
select agreed.ok, agreed.journals, case when agreed.ok and agreed.journals and documents.count >= 0
    then journal_append($18, $19::text[], $20::text[], $21::bigint[], $22::bigint[], $23::text[]) end
from agreed, (select count(*) from changed) documents

-- name: in_order
select owner, doc_key, document, doc_version, last_position from <documents> order by owner, doc_key
