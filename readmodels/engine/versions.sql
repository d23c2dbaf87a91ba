-- name: one_at_a_time
select pg_advisory_xact_lock(hashtext('oa views'))

-- name: live
-- the schema behind the stable view is what readers see; by the indexes of the catalogue
select substring(n.nspname from '_v(\d+)$')::int
from pg_rewrite r
join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
join pg_class c on c.oid = d.refobjid and c.relkind = 'r'
join pg_namespace n on n.oid = c.relnamespace
where r.ev_class = to_regclass($1)

-- name: existing
select substring(nspname from '_v(\d+)$')::int as version from pg_namespace
where nspname ~ ('^rm_' || $1 || '_v\d+$') order by version

-- name: begin
-- a version that is being rebuilt is silent
insert into checkpoints (view, version, generation, partition, position, epoch, journals)
select $1, $2, $3, partition, 0, 0, false from unnest($4::int[]) partition
on conflict do nothing

-- name: complete
-- partitions that the live version has seen nothing of need a row that can be locked
insert into checkpoints (view, version, generation, partition, position, epoch)
select view, $2, generation, partition, 0, 0 from checkpoints where view = $1 and version = $3 and generation = $4
on conflict do nothing

-- name: hold
-- every batch of the version waits from here on
select partition, position from checkpoints where view = $1 and version = $2 and generation = $3
order by partition for update

-- name: hand_over
-- also what `write` reads from the rows it locks: the version that was live is silent from here on
update checkpoints set journals = (version = $2) where view = $1

-- name: journal_differences
-- documents that say something else in the new version: readers of the journal need them
with differing as (
    select n.owner, n.doc_key, n.doc_version, n.last_position, n.document::text as payload
    from <new> n left join <old> o using (owner, doc_key)
    where o.document is null or o.document::text <> n.document::text
), counted as (
    select count(*) as number,
        coalesce(array_agg(owner order by last_position), '{}') as owners,
        coalesce(array_agg(doc_key order by last_position), '{}') as doc_keys,
        coalesce(array_agg(doc_version order by last_position), '{}') as doc_versions,
        coalesce(array_agg(last_position order by last_position), '{}') as positions,
        coalesce(array_agg(payload order by last_position), '{}') as payloads
    from differing
)
select number, journal_append($1, owners, doc_keys, doc_versions, positions, payloads) from counted

-- name: drop
drop schema if exists <schema> cascade

-- name: forget_checkpoints
delete from checkpoints where view = $1 and version = $2

-- name: forget_quarantine
delete from quarantine where view = $1 and version = $2

-- name: forget_digest
delete from view_digests where view = $1 and version = $2

-- name: note_digest
insert into view_digests (view, version, digest, position, verified_at) values ($1, $2, $3, $4, now())
on conflict (view, version) do update set
    digest = excluded.digest, position = excluded.position, verified_at = excluded.verified_at

-- name: noted_digest
select digest, position, verified_at from view_digests where view = $1 and version = $2

-- name: row_count
select count(*) from <documents>

-- name: broken
-- by primary key
select owner, doc_key from quarantine where view = $1 and version = $2
