"""Who is calling: sign-in, tokens, sessions, request signatures, limits."""
