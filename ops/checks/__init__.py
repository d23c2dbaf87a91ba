"""Checks of the house itself, run by `make test`."""
