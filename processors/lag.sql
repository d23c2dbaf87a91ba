-- name: published
-- by primary key
select partition, position from relay_progress where topic = $1
