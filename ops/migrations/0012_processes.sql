-- What operators see of the processes, and decide about reactions that cannot be done.

-- every process of ours says a few times a minute that it runs, and whether it gets on
create table processes (
    id            text primary key,  -- no other process has it, nor had it before
    kind          text not null,
    host          text not null,
    pid           int not null,
    ready         bool not null,
    state         text not null,
    lag_positions bigint not null,
    lag_seconds   double precision not null,
    started_at    timestamptz not null,
    seen_at       timestamptz not null
) with (fillfactor = 50);

-- whose events a consumer reacts to, so that its lag can be told without it
alter table reactions add column topic text;

-- when an operator asked for another attempt, and when the last one began
alter table parked_reactions add column asked_at timestamptz, add column tried_at timestamptz;
