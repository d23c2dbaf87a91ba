-- name: schema
create table facts (
    name text primary key,
    value text not null
) without rowid;

create table outbox (
    n integer primary key autoincrement, -- never reused, so neither is an event id
    event_type text not null,
    size_bytes integer not null,
    payload blob not null
);

create table marks (
    message_id text primary key,
    seq integer not null,
    state text not null,
    mark blob not null
) without rowid;

create index marks_in_order on marks (seq);

-- name: fact
select value from facts where name = ?;

-- name: set_fact
insert into facts (name, value) values (?, ?) on conflict (name) do update set value = excluded.value;

-- name: drop_fact
delete from facts where name = ?;

-- name: put_event
insert into outbox (event_type, size_bytes, payload) values (?, ?, ?);

-- name: rewrite_event
-- Something small in its place; it counts as large as before until it is delivered.
update outbox set event_type = ?, payload = ? where n = ?;

-- name: first_sizes
select n, size_bytes from outbox order by n limit ?;

-- name: events_through
select n, event_type, size_bytes, payload from outbox where n <= ? order by n;

-- name: delivered_through
delete from outbox where n <= ?;

-- name: waiting
select count(*), coalesce(sum(size_bytes), 0) from outbox;

-- name: mark
select mark from marks where message_id = ?;

-- name: set_mark
insert into marks (message_id, seq, state, mark) values (?, ?, ?, ?)
on conflict (message_id) do update set state = excluded.state, mark = excluded.mark;

-- name: drop_mark
delete from marks where message_id = ?;

-- name: open_marks
select mark from marks where state in ('claimed', 'starting', 'started') order by seq; -- marks_in_order

-- name: forget_marks
-- Ended ones beyond the newest; what is forgotten here, the claims on the edge still know.
delete from marks where state = 'ended' and seq <= (select seq from marks order by seq desc limit 1 offset ?);

-- name: drop_marks
delete from marks;
