-- What operators decide about parked documents, and what the last audits found.

-- events that a view leaves out, in every version: live, at a retry and in every rebuild (DESIGN §6)
create table skips (
    view       text not null,
    position   bigint not null,
    skipped_by text not null,
    reason     text not null,
    skipped_at timestamptz not null,
    primary key (view, position)
);

-- what the audits of every minute, and those that operators ask for, have found
create table audits (
    one         bool primary key default true check (one),
    position    bigint not null,  -- looked at up to here, without a gap since the first audit
    differences bigint not null,  -- found, and not seen gone by an audit that began as early
    found_after bigint,           -- where the audit that found the first of them began
    first       text[] not null,  -- some of them, in words
    claimed_at  timestamptz not null,
    agreed_at   timestamptz       -- the last audit that found none
);
