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
) with (fillfactor = 90);
create index if not exists documents_of_run on <schema>.documents ((document ->> 'run_id'), doc_version)

-- name: cut_over_run_rows
create or replace view run_rows as
select owner, document ->> 'run_id' as run_id, document ->> 'thread_id' as thread_id, document ->> 'status' as status,
    (document ->> 'started_at')::timestamptz as started_at, (document ->> 'completed_at')::timestamptz as completed_at,
    document ->> 'terminal_reason_class' as terminal_reason_class, document ->> 'terminal_reason' as terminal_reason,
    document ->> 'error_text' as error_text, (document ->> 'watermark')::bigint as watermark
from <schema>.documents

-- name: cut_over_run_event_rows
create or replace view run_event_rows as
select owner, document ->> 'run_id' as run_id, doc_version as seq, document ->> 'event_type' as event_type,
    (document ->> 'version')::int as version, document -> 'payload' as payload, last_position as position,
    projected_at as occurred_at
from <schema>.documents

-- name: cut_over_run_messages
create or replace view run_messages as
select owner, document ->> 'message_id' as message_id, document ->> 'run_id' as run_id, doc_version as seq,
    document ->> 'role' as role, document ->> 'text' as text, document ->> 'frame_id' as frame_id,
    projected_at as created_at
from <schema>.documents
