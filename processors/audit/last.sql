-- name: claim
-- one process a period audits; the first audit of all begins at recent positions
insert into audits (position, differences, first, claimed_at)
select greatest(position - $2, 0), 0, '{}', now() from log_head
on conflict (one) do update set claimed_at = now() where audits.claimed_at < now() - $1::interval
returning position

-- name: record
-- one that begins where the known differences begin, or below, knows better than those before; another adds to them
insert into audits (position, differences, found_after, first, claimed_at, agreed_at)
values ($2, $3, case when $3::bigint > 0 then $1::bigint end, $4, now(), case when $3 = 0 then now() end)
on conflict (one) do update set
    position = case when $1 <= audits.position then greatest(audits.position, $2) else audits.position end,
    differences = case when $1 <= audits.found_after then $3 else audits.differences + $3 end,
    found_after = case when $1 <= audits.found_after or audits.found_after is null then excluded.found_after
        else audits.found_after end,
    first = case when $1 <= audits.found_after then $4 else (audits.first || $4)[:20] end,
    agreed_at = coalesce(excluded.agreed_at, audits.agreed_at)

-- name: last
select position, differences, first, agreed_at, found_after, claimed_at from audits
