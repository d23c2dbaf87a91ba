"""The contracts of package openagents.runs. Made by `python -m schemas.generate`; not to be edited."""
