-- name: broken
-- by primary key
select owner, doc_key from quarantine where view = $1 and version = $2
