-- Outlets: webhooks and push subscriptions, each a follower of its owner's notifications (ADR 15). State of accounts, not
-- events. What signs and encrypts has to be used, so it is kept as it is, not as a hash.
create table outlets (
    id                bigint generated always as identity primary key,
    user_id           bigint not null references users on delete cascade,
    kind              text not null check (kind in ('webhook', 'push')),
    name              text not null,
    address           text not null,
    -- of a webhook {secret}, of a push subscription {p256dh, auth}
    keys              json not null,
    created_at        timestamptz not null,
    -- everything up to this watermark of runtime.notifications is dealt with
    cursor            bigint not null,
    -- of a message that its owner asked for, to see what happens
    test_id           text,
    next_attempt_at   timestamptz not null,
    failures          int not null default 0,
    failing_since     timestamptz,
    last_error        text,
    last_delivered_at timestamptz,
    paused_at         timestamptz,
    -- who delivers to it now, and until when nobody else does
    lease             text,
    leased_until      timestamptz
) with (fillfactor = 70);
create index outlets_of_user on outlets (user_id, kind, id);
-- a browser belongs to whoever allowed it last
create unique index outlets_of_browser on outlets (address) where kind = 'push';

-- what was tried lately, for the owner's eyes
create table outlet_attempts (
    id           bigint generated always as identity primary key,
    outlet_id    bigint not null references outlets on delete cascade,
    message_id   text not null,
    watermark    bigint,
    attempt      int not null,
    attempted_at timestamptz not null,
    duration_ms  int not null,
    status       int,
    error        text
);
create index outlet_attempts_of_outlet on outlet_attempts (outlet_id, id desc);
