-- name: claim
-- the whole table, which is small; for each outlet one probe of journal_of_owner
update outlets set lease = $2, leased_until = $3
 where id in (
    select id from outlets o
     where kind = any($4::text[]) and (leased_until is null or leased_until <= $1)
       and (test_id is not null
            or (paused_at is null and next_attempt_at <= $1
                and exists (select from journal where topic = $5 and owner = 'user:' || o.user_id and watermark > o.cursor)))
     order by next_attempt_at limit $6
       for update skip locked)
returning id, user_id, kind, address, keys, cursor, test_id, failures, failing_since, lease,
          paused_at is null and next_attempt_at <= $1 as is_due

-- name: attempted
-- by primary key of outlets, which may be gone meanwhile
insert into outlet_attempts (outlet_id, message_id, watermark, attempt, attempted_at, duration_ms, status, error)
select id, $2, $3, $4, $5, $6, $7, $8 from outlets where id = $1

-- name: forget
-- outlet_attempts_of_outlet
delete from outlet_attempts where outlet_id = $1 and id <= (
    select id from outlet_attempts where outlet_id = $1 order by id desc offset $2 limit 1)

-- name: move
-- primary key; not when somebody else took over, or its owner set the cursor
update outlets set cursor = $4, failures = 0, failing_since = null, last_error = null, leased_until = $5,
    last_delivered_at = coalesce($6, last_delivered_at)
 where id = $1 and lease = $2 and cursor = $3
returning true

-- name: fail
-- primary key
update outlets set failures = failures + 1, failing_since = coalesce(failing_since, $4), last_error = $5,
    next_attempt_at = $6, paused_at = $7
 where id = $1 and lease = $2 and cursor = $3

-- name: tested
-- primary key
update outlets set test_id = null, leased_until = $4 where id = $1 and lease = $2 and test_id = $3

-- name: release
-- primary key
update outlets set lease = null, leased_until = null where id = $1 and lease = $2

-- name: remove
-- primary key
delete from outlets where id = $1 and lease = $2
