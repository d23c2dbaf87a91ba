-- name: one
-- primary key
select stream, seq, state from streams where stream = $1

-- name: some
-- primary key
select stream, seq, state from streams where stream = any($1::text[])

-- name: newest
-- streams_of_owner; ->> and not jsonb, which refuses some of the strings that json keeps
select stream, seq, state from streams
 where kind = $1 and owner = $2 and not exists (
    select 1 from unnest($3::text[], $4::text[]) as w(field, value) where state ->> w.field is distinct from w.value)
   and ($6::text is null or (updated_at, stream) < (select updated_at, stream from streams where stream = $6))
 order by updated_at desc, stream desc limit $5

-- name: worker_elsewhere
-- streams_worker_id
select exists (
    select 1 from streams where kind = 'worker' and split_part(stream, '/', -1) = $1 and owner <> $2
)

-- name: oldest_seq
-- unique (stream, seq)
select coalesce(min(seq), 0) from events where stream = $1
