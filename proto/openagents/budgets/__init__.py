"""The contracts of package openagents.budgets. Made by `python -m schemas.generate`; not to be edited."""
