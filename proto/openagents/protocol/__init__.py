"""The contracts of package openagents.protocol. Made by `python -m schemas.generate`; not to be edited."""
