"""The Postgres log: the one authority, and the outbox the relay reads."""
