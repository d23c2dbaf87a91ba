"""What asyncpg raises when a connection to Postgres is gone, whatever the server itself reports beside it."""

from typing import Final

import asyncpg

LOST_CONNECTION: Final = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""InternalClientError: a query that comes between the server's last words and the end of the connection."""
