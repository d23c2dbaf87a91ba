-- name: head
-- one row; the newest event by primary key
select epoch, position, suspended, (select recorded_at from events order by position desc limit 1), now() from log_head

-- name: epochs
select epoch, kept_through, began_after, began_at from epochs order by epoch

-- name: timers_overdue
-- by streams_due; timers are looked at every two seconds
select count(*) from streams where wake_at < now() - interval '1 minute'

-- name: progress
-- a row a partition, by primary key
select topic, partition, position, last_position, epoch from relay_progress
where starts_with(topic, $1) order by topic, partition

-- name: recorded_after
-- by primary key
select recorded_at from events where position > $1 order by position limit 1

-- name: checkpoints
-- a row a view and partition
select view as name, version, partition, position from checkpoints where generation = $1

-- name: reactions
-- a row a consumer and partition; without a topic: no process that knows it has run yet
select consumer as name, null::int as version, topic, partition, position from reactions where generation = $1 and topic is not null
order by consumer, partition

-- name: journal_heads
select topic, watermark from journal_heads order by topic

-- name: journalled_after
-- by primary key
select inserted_at from journal where topic = $1 and watermark > $2 order by watermark limit 1
