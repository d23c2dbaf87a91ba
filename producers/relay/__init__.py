"""The relay: feeds Kafka from the log, each partition in ascending position, by one fenced leader (DESIGN §4, §5)."""
