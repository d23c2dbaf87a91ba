-- name: calls
-- primary key, a bounded stretch of it
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where position > $1 and position <= $2 and owner = $3 and type = any($4::text[]) order by position

-- name: decision
-- primary key, backwards: an operator asks, and mostly about the newest
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where type = 'policy.decision' and version > 0 and payload ->> 'policy_decision_id' = $1
 order by position desc limit 1

-- name: proposal
-- unique (stream, seq)
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where stream = $1 and type = 'policy.proposed' and (payload ->> 'policy_version')::bigint = $2

-- name: versions_of_owner
-- streams_of_owner
select stream, seq from streams where kind = 'policy' and owner = $1 order by stream

-- name: sets_of_owner
-- streams_of_owner
select stream, seq, state from streams where kind = 'policy' and owner = $1 order by stream

-- name: every_set
-- streams_of_owner, all of its kind
select state from streams where kind = 'policy' order by owner, stream
