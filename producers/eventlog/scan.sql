-- name: scan
-- primary key of events, a bounded stretch of it; a filter that is null lets everything through. `bytes` counts the
-- payloads so far: the page ends with the event that makes it full.
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at, bytes from (
    select *, sum(size) over (order by position rows unbounded preceding) as bytes from (
        select *, octet_length(payload::text) as size
          from events
         where position > $1 and position <= $2
           and ($3::text[] is null or kind = any($3))
           and ($4::text is null or stream = $4)
           and ($5::text is null or owner = $5)
           and ($6::text is null or type = $6)
           and ($7::timestamptz is null or recorded_at >= $7)
           and ($8::timestamptz is null or recorded_at < $8)
         order by position limit $9
    ) found
) counted
where bytes - size < $10

-- name: newest
-- unique (stream, seq) for a stream; else the primary key, backwards
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events
 where ($1::text[] is null or kind = any($1))
   and ($2::text is null or stream = $2)
   and ($3::text is null or owner = $3)
   and ($4::text is null or type = $4)
   and ($5::timestamptz is null or recorded_at >= $5)
   and ($6::timestamptz is null or recorded_at < $6)
 order by position desc limit $7
