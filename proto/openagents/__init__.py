"""The contracts of package openagents. Made by `python -m schemas.generate`; not to be edited."""
