"""What the contracts mean in Python and on Kafka: event structs, canonical JSON, hashes, names."""
