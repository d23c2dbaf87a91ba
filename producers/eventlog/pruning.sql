-- name: blank
-- unique (stream, seq); the digest stays
update events set payload = '{}', headers = '{}' where stream = $1 and seq = any($2::bigint[])
