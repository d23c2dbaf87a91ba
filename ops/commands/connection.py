"""How a command reaches Postgres: a pool of its own, and errors that an operator can see to told as such."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from aiokafka.errors import KafkaError

from ops import logs
from ops.database import open_pool
from ops.settings import Settings
from ops.stack.processes import StackError
from processors.sources import TopicMissing
from readmodels.engine import LogBehind
from readmodels.engine.rebuild import RebuildRefused


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator["asyncpg.Pool[Any]"]:
    """Raises StackError for whatever the services say no to."""
    logs.configure(settings.log)
    try:
        async with open_pool(settings.database.url) as pool:
            yield pool
    except (LogBehind, RebuildRefused, TopicMissing) as error:
        raise StackError(str(error)) from error
    except KafkaError as error:
        raise StackError(f"Kafka: {error!r}") from error
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise StackError(
            f"Postgres: {error or type(error).__name__}; is it running, and is `oa migrate` done?"
        ) from error
