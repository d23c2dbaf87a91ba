-- name: checkpoints
-- primary key
select partition, position from reactions where consumer = $1 and generation = $2

-- name: save
-- primary key; whoever else follows the topic may be further
insert into reactions (consumer, topic, generation, partition, position)
select $1, $2, $3, partition, position from unnest($4::int[], $5::bigint[]) moved (partition, position)
on conflict (consumer, generation, partition) do update set position = excluded.position, topic = excluded.topic
    where reactions.position < excluded.position or reactions.topic is null

-- name: park
-- primary key; the first event of a key that could not be handled stays the first
insert into parked_reactions (consumer, key, position, error, parked_at) values ($1, $2, $3, $4, $5)
on conflict (consumer, key) do update
    set position = least(parked_reactions.position, excluded.position), error = excluded.error,
        tried_at = case when excluded.position >= parked_reactions.position then parked_reactions.tried_at end

-- name: parked
-- primary key
select key, position, asked_at from parked_reactions where consumer = $1

-- name: attempt
-- by primary key; nothing that an operator drops from now on counts
select now() as begun_at, array(select position from skips where view = $1) as dropped

-- name: stays_parked
-- primary key; the first event of a key that cannot be handled is the one that failed last
update parked_reactions set position = $3, error = $4, tried_at = $5 where consumer = $1 and key = $2

-- name: release
-- primary key
delete from parked_reactions where consumer = $1 and key = $2

-- name: waiting
-- unique (stream, seq)
select position from events
 where stream = any($1::text[]) and position > $2 and type = any($3::text[]) order by position limit $4

-- name: published
-- by primary key
select partition, position from relay_progress where topic = $1
