-- Several versions of a view beside each other (DESIGN §7): only the live one, which readers see, writes the journal.
alter table checkpoints add column journals boolean not null default true;

-- what `oa projections verify` found last: the digest that the live version, rebuilt from the log and from Kafka, had
create table view_digests (
    view        text not null,
    version     int not null,
    digest      bytea not null,
    position    bigint not null,
    verified_at timestamptz not null,
    primary key (view, version)
);
