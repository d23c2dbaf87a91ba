-- name: scan
-- primary key of events, a bounded stretch of it; a filter that is null lets everything through
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events
 where position > $1 and position <= $2
   and ($3::text is null or kind = $3)
   and ($4::text is null or stream = $4)
   and ($5::text is null or owner = $5)
   and ($6::text is null or type = $6)
   and ($7::timestamptz is null or recorded_at >= $7)
   and ($8::timestamptz is null or recorded_at < $8)
 order by position limit $9
