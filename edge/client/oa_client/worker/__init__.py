"""The worker daemon: mirrors a local Codex to the edge and turns what is sent to its worker into turns."""
