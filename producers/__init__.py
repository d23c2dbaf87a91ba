"""Write side: pure deciders a noun, the event log they commit to, and the relay that publishes it."""
