"""The signed API for other services (runtime contract §2)."""
