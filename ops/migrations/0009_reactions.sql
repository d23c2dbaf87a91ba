-- What consumers that react to a topic keep beside their effects, which are the log's (ADR 14).

-- up to which position of a partition everything was handled; what is above may have been as well
create table reactions (
    consumer   text not null,
    generation int not null,
    partition  int not null,
    position   bigint not null,
    primary key (consumer, generation, partition)
) with (fillfactor = 50);

-- keys with an event that could not be handled; from that position on they wait, and are tried again
create table parked_reactions (
    consumer  text not null,
    key       text not null,
    position  bigint not null,
    error     text not null,
    parked_at timestamptz not null,
    primary key (consumer, key)
);
