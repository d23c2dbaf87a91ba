"""The console: pages for people, over the same public API and socket as every other client (docs/adr/0015)."""
