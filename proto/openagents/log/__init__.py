"""The contracts of package openagents.log. Made by `python -m schemas.generate`; not to be edited."""
