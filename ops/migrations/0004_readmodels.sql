-- What readers and the engine keep beside the views (DESIGN §7). The journal is state: it is never rebuilt.

-- how many rows a document topic has had; its row lock makes watermarks dense and puts them in commit order
create table journal_heads (
    topic     text primary key,
    watermark bigint not null
) with (fillfactor = 10);
insert into journal_heads (topic, watermark)
select topic, coalesce(nullif(current_setting('oa.first_position', true), ''), '1')::bigint - 1
from unnest(array['runtime.run_summaries', 'runtime.codex_worker_summaries', 'runtime.notifications']) topic;

create table journal (
    topic        text not null,
    watermark    bigint not null,
    doc_key      text not null,
    doc_version  bigint not null,
    payload      json,
    payload_hash bytea not null,
    owner        text not null,
    position     bigint not null,
    inserted_at  timestamptz not null,
    primary key (topic, watermark)
);
-- what a sync socket replays: one owner's rows of a topic, in order; the horizon is found in the index alone
create index journal_of_owner on journal (topic, owner, watermark) include (inserted_at);

-- up to which position a view has applied each partition of its topic
create table checkpoints (
    view       text not null,
    version    int not null,
    generation int not null,
    partition  int not null,
    position   bigint not null,
    epoch      int not null,
    primary key (view, version, generation, partition)
) with (fillfactor = 50);

-- documents that an event could not be applied to; the view leaves them as they were before that position
create table quarantine (
    view      text not null,
    version   int not null,
    owner     text not null,
    doc_key   text not null,
    position  bigint not null,
    error     text not null,
    marked_at timestamptz not null,
    primary key (view, version, owner, doc_key)
);
