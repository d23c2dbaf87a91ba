-- Why an owner was refused money, newest first; a partial index costs other events nothing
create index events_denials on events (owner, position) where type = 'policy.decision';
