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
create or replace view notifications as
select owner, doc_key, document, doc_version, projected_at from <schema>.documents

-- name: open
-- the view's primary key by its owner; newest first
select document from notifications where owner = $1 and document ->> 'status' = 'open'
 order by document ->> 'raised_at' desc limit $2
