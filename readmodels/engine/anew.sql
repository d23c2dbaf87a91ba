-- name: lock
-- by primary key; touched, so that a batch that has read documents under it looks again
update checkpoints set position = position
where view = $1 and version = $2 and generation = $3 and partition = $4
returning position, journals

-- name: remove
-- by primary key
delete from <documents> where owner = $1 and doc_key = $2
