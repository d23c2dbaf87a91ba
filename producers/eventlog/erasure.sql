-- name: streams_of_owner
-- streams_of_owner
select stream from streams where kind = $1 and owner = $2 order by stream

-- name: blank
-- unique (stream, seq); the digest stays
update events set payload = '{}', headers = '{}' where stream = $1 and seq < $2 and payload::text <> '{}'
