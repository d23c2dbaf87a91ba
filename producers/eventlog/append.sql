-- name: install
-- One batch of decided commands, one transaction. A column of the batch is one text, its values joined by 0x1F, because
-- asyncpg checks every array element (STACK §10); columns of numbers and times are written '{1,2,3}'. The order streams, commands,
-- log_head, checks, events is what keeps two batches from deadlocking and makes plain comparisons safe: whoever holds
-- log_head is the only writer, so a version read after it cannot change any more. OA001: a version did not match; OA002:
-- the log is suspended (ADR 11).
create or replace function log_append(
    at timestamptz,
    w_stream text, w_expected text, w_seq text, w_kind text, w_owner text, w_state text, w_state_version text,
    w_wake_at text,
    r_stream text, r_seq text,
    c_scope text, c_key text, c_fingerprint text, c_answer text,
    e_count int, e_kind text, e_stream text, e_seq text, e_type text, e_version text, e_owner text,
    e_payload text, e_digest text, e_headers text
) returns bigint
language plpgsql
set enable_hashjoin = off set enable_mergejoin = off set enable_seqscan = off set jit = off
set plan_cache_mode = force_generic_plan
as $$
declare
    d constant text := E'\x1f';
    names text[] := string_to_array(w_stream, d);
    expected bigint[] := w_expected::bigint[];
    states text[] := string_to_array(w_state, d);
    wakes timestamptz[] := w_wake_at::timestamptz[];
    matched int;
    fresh int;
    base bigint;
begin
    -- a wake_at that stays what it was leaves the update heap-only
    update streams s set seq = t.seq, state = t.state::json, state_version = t.state_version, wake_at = t.wake_at,
           updated_at = at
      from unnest(names, expected, w_seq::bigint[], states, w_state_version::int[], wakes)
           as t(stream, expected, seq, state, state_version, wake_at)
     where s.stream = t.stream and s.seq = t.expected;
    get diagnostics matched = row_count;
    if matched < cardinality(names) then
        select count(*) into fresh from unnest(expected) x where x = 0;
        if matched + fresh < cardinality(names) then
            raise exception 'a stream moved on' using errcode = 'OA001';
        end if;
        insert into streams (stream, kind, owner, seq, state, state_version, wake_at, updated_at)
        select t.stream, t.kind, t.owner, t.seq, t.state::json, t.state_version, t.wake_at, at
          from unnest(names, string_to_array(w_kind, d), string_to_array(w_owner, d), expected, w_seq::bigint[], states,
                      w_state_version::int[], wakes)
               as t(stream, kind, owner, expected, seq, state, state_version, wake_at)
         where t.expected = 0
            on conflict do nothing;
        get diagnostics matched = row_count;
        if matched < fresh then
            raise exception 'a stream was made meanwhile' using errcode = 'OA001';
        end if;
    end if;

    if c_scope <> '' then
        insert into commands (scope, key, fingerprint, answer, recorded_at)
        select t.scope, t.key, decode(t.fingerprint, 'hex'), t.answer::json, at
          from unnest(string_to_array(c_scope, d), string_to_array(c_key, d), string_to_array(c_fingerprint, d),
                      string_to_array(c_answer, d)) as t(scope, key, fingerprint, answer);
    end if;

    update log_head set position = position + e_count where suspended is null returning position - e_count into base;
    if base is null then
        raise exception 'the log is suspended: %', (select suspended from log_head) using errcode = 'OA002';
    end if;

    if r_stream <> '' then
        perform 1
           from unnest(string_to_array(r_stream, d), r_seq::bigint[]) as t(stream, seq)
           left join streams s on s.stream = t.stream
          where coalesce(s.seq, 0) <> t.seq;
        if found then
            raise exception 'a stream that was read moved on' using errcode = 'OA001';
        end if;
    end if;

    insert into events (position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at)
    select base + t.n, t.kind, t.stream, t.seq, t.type, t.version, t.owner, t.payload::json,
           decode(t.digest, 'hex'), t.headers::json, at
      from unnest(string_to_array(e_kind, d), string_to_array(e_stream, d), e_seq::bigint[], string_to_array(e_type, d),
                  e_version::int[], string_to_array(e_owner, d), string_to_array(e_payload, d),
                  string_to_array(e_digest, d), string_to_array(e_headers, d))
           with ordinality as t(kind, stream, seq, type, version, owner, payload, digest, headers, n);
    perform pg_notify('oa_log', (base + e_count)::text);
    return base;
end $$;

-- name: append
select log_append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22,
                  $23, $24, $25)

-- name: load
-- primary key, one by one: a plan that was made when the table was small would read all of it for ever
select s.stream, s.seq, s.state, s.state_version, s.owner
  from unnest($1::text[]) as t(name),
       lateral (select stream, seq, state, state_version, owner from streams where stream = t.name offset 0) s

-- name: lock
-- primary key; in key order, so that two batches that lock first never wait for each other in a circle
select stream, seq, state, state_version, owner from streams where stream = any($1::text[]) order by stream for update

-- name: versions
-- primary key
select stream, seq from streams where stream = any($1::text[])

-- name: commands
-- primary key
select c.scope, c.key, c.fingerprint, c.answer
  from unnest($1::text[], $2::text[]) as t(scope, key)
  join commands c using (scope, key)

-- name: refold
-- unique (stream, seq)
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where stream = $1 order by seq
