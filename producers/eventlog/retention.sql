-- name: forget_commands
-- commands_age
delete from commands where ctid = any(array(
    select ctid from commands where recorded_at < $1 and scope like 'event:%' limit $2))
