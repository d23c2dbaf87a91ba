"""Apache Kafka as a child process: its locked jars, and one KRaft broker (STACK §3)."""
