"""Two people who signed in to the session's stack as a phone does."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.e2e.device import SignedIn
from tests.e2e.phone import Phone, sign_in
from tests.e2e.worker_desk import Desk, at_a_desk
from tests.local_stack import Operator
from tests.services import run

ADA = "you@example.test"
"""Owns the stack's local worker (OA_LOCAL_EMAIL)."""


@pytest.fixture(scope="session")
def ada(url: str) -> SignedIn:
    return run(sign_in(url, ADA))


@pytest.fixture(scope="session")
def bob(url: str) -> SignedIn:
    return run(sign_in(url, "bob@lane.test"))


@pytest.fixture(scope="session")
def owner(url: str) -> SignedIn:
    """Of the workers of `desk`."""
    return run(sign_in(url, "owner@lane.test"))


@pytest.fixture
async def unregistered(stack: Operator, owner: SignedIn, tmp_path: Path) -> AsyncIterator[Desk]:
    async with at_a_desk(stack, owner.token, tmp_path) as desk:
        yield desk


@pytest.fixture
async def desk(unregistered: Desk) -> AsyncIterator[Desk]:
    """One with a worker, whose log is followed."""
    await unregistered.client.create_worker(unregistered.worker_id, adapter="desktop_bridge")
    async with unregistered.followed():
        yield unregistered


@pytest.fixture
async def http(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        yield client


@pytest.fixture
def phone(http: httpx.AsyncClient, ada: SignedIn) -> Phone:
    return Phone(http, ada.token)
