"""The audit: log, topics, read models and journal say the same, proved range by range while everything runs."""
