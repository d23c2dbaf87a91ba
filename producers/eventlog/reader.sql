-- name: read_all
-- primary key
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where position > $1 order by position limit $2

-- name: read_these
-- primary key
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where position = any($1::bigint[]) order by position

-- name: read_stream
-- unique (stream, seq)
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where stream = $1 and seq > $2 order by seq limit $3

-- name: read_stream_before
-- unique (stream, seq), backwards
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where stream = $1 and seq < coalesce($2, 9223372036854775807) order by seq desc limit $3

-- name: read_streams
-- unique (stream, seq), once a stream
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from unnest($1::text[], $2::bigint[]) wanted (its_stream, after)
 cross join lateral (select * from events where stream = its_stream and seq > after order by seq limit $3) found
 order by position limit $3

-- name: read_owner
-- events_of_owner_<kind>; the head comes from the same snapshot, so an incomplete page is complete up to it
select h.position as head, e.*
  from log_head h
  left join lateral (
      select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
        from events where owner = $1 and kind = '{kind}' and position > $2 order by position limit $3
  ) e on true

-- name: read_around
-- events_of_owner_<kind>, newest first and then on from there, in one snapshot with the head
select h.position as head, s.start, e.*
  from log_head h
 cross join lateral (
      select case when count(*) < $3 then 0 else min(position) - 1 end as start
        from (select position from events where owner = $1 and kind = '{kind}' and position <= $2
               order by position desc limit $3) before
  ) s
  left join lateral (
      select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
        from events where owner = $1 and kind = '{kind}' and position > s.start order by position limit 2 * $3
  ) e on true

-- name: head
select epoch, position, suspended from log_head

-- name: recorded_at
-- primary key
select recorded_at from events where position = $1

-- name: oldest_position
-- primary key
select min(position) from events

-- name: owner_floor
-- events_of_owner_<kind>
select max(position) from events where owner = $1 and kind = '{kind}' and position <= $2
