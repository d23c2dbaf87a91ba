-- name: rewritten
-- what may hold an owner's words, table by table; the views' own tables are added
select format('%I.%I', schemaname, tablename) from pg_tables
 where (schemaname = current_schema() and tablename in ('events', 'streams', 'journal', 'quarantine')) or schemaname like 'rm\_%'

-- name: stop_recycling
alter system set wal_recycle = off

-- name: recycle
alter system reset wal_recycle

-- name: reload
select pg_reload_conf()

-- name: switch
select pg_switch_wal()
