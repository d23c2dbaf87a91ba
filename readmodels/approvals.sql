-- name: told
-- by events_stream_seq_key, the stream's newest; of those the few that are about approvals are looked into
select type, payload, recorded_at from events
 where stream = $1 and seq > (select seq from streams where stream = $1) - $2::bigint
   and type = any($3::text[]) and version > 0 and payload ->> 'approval_id' = $4
 order by seq
