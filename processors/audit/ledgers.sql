-- name: touched
-- primary key of events, then of streams
select s.stream, s.seq from streams s
 where s.stream in (select stream from events where position > $1 and kind in ('budget', 'hold'))

-- name: events
-- unique (stream, seq)
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where stream = any($1::text[]) order by position
