"""The contracts of package openagents.lightning. Made by `python -m schemas.generate`; not to be edited."""
