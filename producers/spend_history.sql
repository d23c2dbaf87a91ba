-- name: open_holds
-- streams_of_owner
select state from streams
 where kind = 'hold' and owner = $1 and state ->> 'status' in ('reserved', 'reconcile_required')
   and exists (select 1 from json_array_elements_text(state -> 'path') as path(name) where path.name = $2)
 order by updated_at desc limit $3

-- name: settled_holds
-- unique (stream, seq), backwards, then the primary key once a hold
select holds.state
  from (select seq, payload ->> 'hold_id' as hold_id from events
         where stream = $1 and type in ('budget.spent', 'budget.freed') order by seq desc limit $2) settled
  join streams holds on holds.stream = 'hold/' || settled.hold_id
 order by settled.seq desc

-- name: children
-- streams_of_owner
select state from streams
 where kind = 'budget' and owner = $1 and state -> 'terms' ->> 'parent_authorization_id' = $2
 order by updated_at desc limit $3

-- name: denials
-- events_denials, backwards
select position, kind, stream, seq, type, version, owner, payload, digest, headers, recorded_at
  from events where owner = $1 and type = 'policy.decision' and position < $2 order by position desc limit $3
