-- name: create
create schema if not exists <schema>;
create table if not exists <schema>.documents (
    owner         text not null,
    doc_key       text not null,
    document      json not null,
    doc_version   bigint not null,
    last_position bigint not null,
    projected_at  timestamptz not null,
    primary key (owner, doc_key)
) with (fillfactor = 70)

-- name: cut_over
create or replace view worker_summaries as
select owner, doc_key, document, doc_version, projected_at from <schema>.documents

-- name: projections
-- by primary key
select doc_key, doc_version, projected_at, document ->> 'projection_version' as projection_version,
    document -> 'last_words' as last_words
from worker_summaries where owner = $1 and doc_key = any($2::text[])
