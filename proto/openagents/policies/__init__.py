"""The contracts of package openagents.policies. Made by `python -m schemas.generate`; not to be edited."""
