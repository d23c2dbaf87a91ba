"""A service that runs and spends on a person's behalf, while the person looks on in the console."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from oa_client.client import Client
from oa_client.connection import Places
from oa_client.runs import Run
from oa_client.signed import Signed

from tests.browser.people import Person
from tests.local_stack import Operator


@asynccontextmanager
async def service_of(stack: Operator, person: Person) -> AsyncIterator[Client]:
    """With the local stack's signing key."""
    url = f"http://127.0.0.1:{stack.port}"
    secret = Places(stack.data / "secrets.env", stack.data / "none").secret_of(url)
    assert secret is not None
    async with Client(url, person.token, signed=Signed(secret, int(person.user_id))) as client:
        yield client


async def asks(run: Run, operation: str, tool_call_id: str, authorization_id: str, **fields: Any) -> None:
    """A spend request as agents send it: a frame, which the run's log answers."""
    request = {"operation": operation, "tool_call_id": tool_call_id, "authorization_id": authorization_id}
    await run.frame("spend_request", request | fields)
