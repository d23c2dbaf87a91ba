-- name: list
-- outlets_of_user
select id, name, address, created_at, cursor, failures, last_error, last_delivered_at, paused_at, next_attempt_at,
    (select watermark from journal_heads where topic = $3) as head
  from outlets where user_id = $1 and kind = $2 order by id

-- name: add
-- outlets_of_user; outlets_of_browser. A browser that is allowed again keeps what it waits for, unless it is somebody else's now
insert into outlets (user_id, kind, name, address, keys, created_at, next_attempt_at, cursor)
select $1, $2, $3, $4, $5, $6, $6, watermark from journal_heads
 where topic = $7 and (select count(*) from outlets where user_id = $1 and kind = $2 and address <> $4) < $8
    on conflict (address) where kind = 'push' do update
   set name = excluded.name, keys = excluded.keys, user_id = excluded.user_id, next_attempt_at = excluded.next_attempt_at,
       cursor = case when outlets.user_id = excluded.user_id then outlets.cursor else excluded.cursor end
returning id

-- name: remove
-- primary key
delete from outlets where user_id = $1 and kind = $2 and id = $3 returning id

-- name: remove_all
-- outlets_of_user
delete from outlets where user_id = $1 and kind = $2 returning id

-- name: test
-- primary key
update outlets set test_id = $3 where user_id = $1 and id = $2 and kind = 'webhook' returning id

-- name: replay
-- primary key; nothing changes for a watermark that was never given
with asked as (
    select o.id, coalesce($3::bigint, o.cursor) as cursor, h.watermark as head
      from outlets o, journal_heads h
     where o.user_id = $1 and o.id = $2 and o.kind = 'webhook' and h.topic = $4
), moved as (
    update outlets o set cursor = asked.cursor, paused_at = null, failures = 0, failing_since = null, next_attempt_at = $5
      from asked where o.id = asked.id and asked.cursor <= asked.head
)
select cursor, cursor <= head as is_there from asked

-- name: attempts
-- outlets primary key, outlet_attempts_of_outlet; one row of nulls when nothing was tried
select a.message_id, a.watermark, a.attempt, a.attempted_at, a.duration_ms, a.status, a.error
  from outlets o left join outlet_attempts a on a.outlet_id = o.id
 where o.user_id = $1 and o.id = $2 and o.kind = 'webhook'
 order by a.id desc
