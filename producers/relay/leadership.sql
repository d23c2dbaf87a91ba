-- name: try_lead
select pg_try_advisory_lock(hashtextextended($1, 0))

-- name: beat
select 1
