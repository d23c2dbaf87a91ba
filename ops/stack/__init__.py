"""The local stack: Postgres, Kafka, Redis and our processes as supervised children."""
