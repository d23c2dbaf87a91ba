-- name: due
-- streams_due; nothing is due while the log is suspended (ADR 11)
select stream, kind, owner, wake_at from streams
 where wake_at <= $1 and (wake_at, stream) > (coalesce($2::timestamptz, '-infinity'), $3)
   and not exists (select from log_head where suspended is not null)
 order by wake_at, stream limit $4

-- name: settle
-- primary key; of a stream that its own state calls undue
update streams set wake_at = $3 where stream = $1 and seq = $2 and wake_at is distinct from $3
