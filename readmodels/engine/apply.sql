-- name: lock_checkpoints
-- by primary key; rows in partition order, so that two batches never wait for each other
select partition, position from checkpoints
where view = $1 and version = $2 and generation = $3 and partition = any($4::int[])
order by partition for update

-- name: add_checkpoints
insert into checkpoints (view, version, generation, partition, position, epoch)
select $1, $2, $3, partition, 0, 0 from unnest($4::int[]) partition
on conflict do nothing

-- name: move_checkpoints
-- up only; an epoch that is older than the known one says nothing
insert into checkpoints (view, version, generation, partition, position, epoch)
select $1, $2, $3, moved.* from unnest($4::int[], $5::bigint[], $6::int[]) moved (partition, position, epoch)
on conflict (view, version, generation, partition) do update set
    position = greatest(checkpoints.position, excluded.position),
    epoch = greatest(checkpoints.epoch, excluded.epoch)

-- name: checkpoints
select partition, position from checkpoints where view = $1 and version = $2 and generation = $3

-- name: load
-- by the primary keys of documents and quarantine
select wanted.owner, wanted.doc_key, d.document, d.doc_version, d.last_position, q.position as broken_from
from unnest($3::text[], $4::text[]) wanted (owner, doc_key)
left join <documents> d on d.owner = wanted.owner and d.doc_key = wanted.doc_key
left join quarantine q
    on q.view = $1 and q.version = $2 and q.owner = wanted.owner and q.doc_key = wanted.doc_key

-- name: upsert
insert into <documents> as d (owner, doc_key, document, doc_version, last_position, projected_at)
select changed.owner, changed.doc_key, changed.document::json, changed.doc_version, changed.last_position,
    changed.projected_at
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[])
    changed (owner, doc_key, document, doc_version, last_position, projected_at)
on conflict (owner, doc_key) do update set
    document = excluded.document, doc_version = excluded.doc_version,
    last_position = excluded.last_position, projected_at = excluded.projected_at
where d.last_position < excluded.last_position

-- name: quarantine
insert into quarantine (view, version, owner, doc_key, position, error, marked_at)
select $1, $2, failed.*, now() from unnest($3::text[], $4::text[], $5::bigint[], $6::text[])
    failed (owner, doc_key, position, error)
on conflict do nothing

-- name: in_order
select owner, doc_key, document, doc_version, last_position from <documents> order by owner, doc_key

-- name: is_readable
select to_regclass($1) is not null

-- name: one_at_a_time
select pg_advisory_xact_lock(hashtext('oa views'))
