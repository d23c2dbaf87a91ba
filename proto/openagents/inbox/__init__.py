"""The contracts of package openagents.inbox. Made by `python -m schemas.generate`; not to be edited."""
