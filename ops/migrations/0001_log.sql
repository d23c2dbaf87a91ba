-- The log: the authority and the outbox (DESIGN §4). Payloads are byte-faithful, so `json`, not `jsonb`.
create table events (
    position    bigint primary key,
    kind        text not null,
    stream      text not null,
    seq         bigint not null,
    type        text not null,
    version     int not null,
    owner       text not null,
    payload     json not null,
    digest      bytea not null,
    headers     json not null,
    recorded_at timestamptz not null,
    unique (stream, seq)
);
-- what a sync socket replays: one owner's events of a log topic, in order
create index events_of_owner_worker on events (owner, position) where kind = 'worker';

create table streams (
    stream        text primary key,
    kind          text not null,
    owner         text not null,
    seq           bigint not null,
    state         json not null,
    state_version int not null,
    wake_at       timestamptz,
    updated_at    timestamptz not null
) with (fillfactor = 60);
create index streams_of_owner on streams (kind, owner);
create index streams_due on streams (wake_at) where wake_at is not null;
-- does somebody else have this worker id (DEC-44)
create index streams_worker_id on streams (split_part(stream, '/', -1)) where kind = 'worker';

-- accepted commands with a client-made identity (DESIGN I6)
create table commands (
    scope       text not null,
    key         text not null,
    fingerprint bytea not null,
    answer      json not null,
    recorded_at timestamptz not null,
    primary key (scope, key)
);
create index commands_age on commands using brin (recorded_at);

create table log_head (
    one      bool primary key default true check (one),
    epoch    int not null,
    position bigint not null
) with (fillfactor = 10);
insert into log_head (epoch, position) values (1, coalesce(nullif(current_setting('oa.first_position', true), ''), '1')::bigint - 1);
