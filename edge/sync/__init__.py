"""The live socket `sync:v1` (sync contract)."""
