-- Accounts, tokens, sessions, codes and nonces: plain tables, not events (DESIGN §4). Secrets are kept as hashes only.
create table users (
    id         bigint generated always as identity primary key,
    name       text not null,
    email      text not null unique check (email = lower(email)),
    handle     text not null unique check (length(handle) <= 64),
    avatar     text not null default '',
    created_at timestamptz not null,
    updated_at timestamptz not null
);

create table personal_tokens (
    id           bigint generated always as identity primary key,
    user_id      bigint not null references users on delete cascade,
    name         text not null,
    secret_hash  bytea not null unique,
    abilities    text[] not null,
    last_used_at timestamptz,
    expires_at   timestamptz,
    created_at   timestamptz not null
);
create index personal_tokens_of_user on personal_tokens (user_id, id desc);

create table sessions (
    id_hash      bytea primary key,
    user_id      bigint references users on delete cascade,
    last_seen_at timestamptz not null
);
create index sessions_of_user on sessions (user_id);
create index sessions_idle on sessions (last_seen_at);

-- one pending sign-in an address: the newest code wins (edge §2.1)
create table sign_in_codes (
    email        text primary key,
    session_hash bytea not null,
    code_hash    bytea not null,
    tries        int not null default 0,
    expires_at   timestamptz not null
);
create index sign_in_codes_of_session on sign_in_codes (session_hash);
create index sign_in_codes_expiry on sign_in_codes (expires_at);

-- nonces of request tokens, remembered until the token's `exp` in unix seconds (runtime §2.2, DEC-4)
create table request_nonces (
    nonce_hash bytea primary key,
    expires_at bigint not null
);
create index request_nonces_expiry on request_nonces (expires_at);

-- mail of the local profile
create table dev_mailbox (
    id        bigint generated always as identity primary key,
    recipient text not null,
    subject   text not null,
    text      text not null,
    code      text,
    at        timestamptz not null
);
create index dev_mailbox_of_recipient on dev_mailbox (lower(recipient), id desc);
