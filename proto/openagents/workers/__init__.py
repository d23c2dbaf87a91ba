"""The contracts of package openagents.workers. Made by `python -m schemas.generate`; not to be edited."""
