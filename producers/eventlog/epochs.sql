-- name: install
-- What Postgres this is: a restored dump has another system, a restored base backup and a promoted standby another
-- timeline.
create or replace function log_server() returns text language sql as $$
    select (select system_identifier from pg_control_system()) || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8)
$$;
update log_head set server = log_server() where server is null;

-- name: check_server
update log_head set suspended = $1 where suspended is null and server <> log_server()

-- name: suspension
select suspended from log_head

-- name: suspend
update log_head set suspended = $1 where suspended is null

-- name: epochs
select epoch, kept_through, began_after from epochs order by epoch

-- name: lock
select position from log_head for update

-- name: begin
with begun as (
    insert into epochs (epoch, kept_through, began_after, began_at)
    select epoch + 1, position, $1, $2 from log_head returning epoch, began_after
)
update log_head set epoch = begun.epoch, position = begun.began_after, server = log_server() from begun
returning begun.epoch

-- name: resume
update log_head set suspended = null

-- name: begin_journals
with moved as (
    insert into journal_epochs (epoch, topic, kept_through, began_after)
    select log_head.epoch, topic, watermark, watermark + $1 from log_head, journal_heads returning topic, began_after
)
update journal_heads h set watermark = moved.began_after from moved where moved.topic = h.topic

-- name: put_back
-- an event as it was published, at the position it had
insert into events (position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at)
select * from unnest($1::bigint[], $2::text[], $3::text[], $4::bigint[], $5::text[], $6::int[], $7::text[], $8::json[],
                     $9::bytea[], $10::json[], $11::timestamptz[])

-- name: put_back_streams
insert into streams (stream, kind, owner, seq, state, state_version, wake_at, updated_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::json[], $6::int[], $7::timestamptz[],
                     $8::timestamptz[])
on conflict (stream) do update set
    seq = excluded.seq, state = excluded.state, state_version = excluded.state_version, wake_at = excluded.wake_at,
    updated_at = excluded.updated_at

-- name: put_back_head
update log_head set position = $1 where position = $2

-- name: streams
select stream, seq, state, state_version, owner from streams where stream = any($1::text[])
