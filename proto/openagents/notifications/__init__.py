"""The contracts of package openagents.notifications. Made by `python -m schemas.generate`; not to be edited."""
