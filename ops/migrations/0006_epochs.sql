-- Which history of the log this is (DESIGN I2, ADR 11). `server` names the Postgres that wrote last; while `suspended`
-- says why, nobody appends, publishes, projects or answers.
alter table log_head add column server text, add column suspended text;

-- Positions of an epoch are above `began_after`; of the history before it, what is above `kept_through` was lost.
create table epochs (
    epoch        int primary key,
    kept_through bigint not null,
    began_after  bigint not null,
    began_at     timestamptz not null
);
insert into epochs (epoch, kept_through, began_after, began_at)
select epoch, first.position - 1, first.position - 1, now()
  from log_head, (select coalesce(nullif(current_setting('oa.first_position', true), ''), '1')::bigint) first (position);

-- the same for the watermarks of document topics, which are not positions
create table journal_epochs (
    epoch        int not null references epochs,
    topic        text not null references journal_heads,
    kept_through bigint not null,
    began_after  bigint not null,
    primary key (epoch, topic)
);
