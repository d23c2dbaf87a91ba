-- name: marks
select view, version, owner, doc_key, position, error, marked_at from quarantine order by view, version, position

-- name: count
-- by primary key
select count(*) from quarantine where view = $1 and version = $2

-- name: checkpoint
-- by primary key
select position from checkpoints where view = $1 and version = $2 and generation = $3 and partition = $4

-- name: lock
-- by primary key
select position, journals from checkpoints
where view = $1 and version = $2 and generation = $3 and partition = $4 for update

-- name: row
-- by the primary keys; nothing when the mark has moved or is gone
select d.document, d.doc_version, d.last_position
from quarantine q left join <documents> d using (owner, doc_key)
where q.view = $1 and q.version = $2 and q.owner = $3 and q.doc_key = $4 and q.position = $5

-- name: put
insert into <documents> (owner, doc_key, document, doc_version, last_position, projected_at)
values ($1, $2, $3::text::json, $4, $5, $6)
on conflict (owner, doc_key) do update set
    document = excluded.document, doc_version = excluded.doc_version,
    last_position = excluded.last_position, projected_at = excluded.projected_at

-- name: release
delete from quarantine where view = $1 and version = $2 and owner = $3 and doc_key = $4

-- name: mark_again
update quarantine set position = $5, error = $6 where view = $1 and version = $2 and owner = $3 and doc_key = $4
