-- name: try_lead
select pg_try_advisory_lock(hashtextextended($1, 0))

-- name: end_leader
-- an advisory lock's key of 64 bits is told in two halves
select pg_terminate_backend(pid) from pg_locks
 where locktype = 'advisory' and granted and objsubid = 1
   and database = (select oid from pg_database where datname = current_database())
   and (classid::bigint << 32 | objid::bigint) = hashtextextended($1, 0)

-- name: has_candidates
select exists (
    select from pg_stat_activity where datname = current_database() and application_name = $1 and pid <> pg_backend_pid())

-- name: beat
select 1
