"""Figures of DESIGN §10, both sides from one run."""
