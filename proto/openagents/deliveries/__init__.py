"""The contracts of package openagents.deliveries. Made by `python -m schemas.generate`; not to be edited."""
