"""The public HTTP API (edge contract)."""
