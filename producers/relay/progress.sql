-- name: load
-- primary key
select topic, partition, position, last_position, epoch from relay_progress where topic = any($1::text[])

-- name: partitions
-- by primary key
select count(*) from relay_progress where topic = $1

-- name: forget
delete from relay_progress where topic = any($1::text[])

-- name: save
insert into relay_progress (topic, partition, position, last_position, epoch)
select t.topic, t.partition, t.position, t.last_position, $5
  from unnest($1::text[], $2::int[], $3::bigint[], $4::bigint[]) t(topic, partition, position, last_position)
    on conflict (topic, partition) do update
   set position = excluded.position, last_position = excluded.last_position, epoch = excluded.epoch
