-- How far each partition has been fed (DESIGN §4): everything of the partition up to `position` is on Kafka, and its
-- last record then was `last_position` (0: none). A partition that ends below that has lost records: not believed.
create table relay_progress (
    topic         text not null,
    partition     int not null,
    position      bigint not null,
    last_position bigint not null,
    epoch         int not null,
    primary key (topic, partition)
) with (fillfactor = 50);
