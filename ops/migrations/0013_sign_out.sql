-- when a user signed out everywhere: sockets whose token was minted before it have to go
alter table users add column signed_out_at timestamptz;
