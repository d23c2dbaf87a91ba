"""The Starlette app that clients speak to."""
