-- name: budgets
-- streams_of_owner
select state from streams where kind = 'budget' and owner = $1

-- name: existing
-- primary key
select stream from streams where stream = any($1::text[])
