"""Typed async client of the edge: sign in, follow workers, steer them; for services also runs and budgets."""

from oa_client.budgets import Authorization, Budget, Held, Reservation
from oa_client.client import Client
from oa_client.errors import OaError
from oa_client.remote import RemoteWorker
from oa_client.runs import Run, RunEvent, RunSnapshot
from oa_client.signed import Signed
from oa_client.sync import follow
from oa_client.workers import NewEvent, Worker, WorkerEvent

__all__ = [
    "Authorization",
    "Budget",
    "Client",
    "Held",
    "NewEvent",
    "OaError",
    "RemoteWorker",
    "Reservation",
    "Run",
    "RunEvent",
    "RunSnapshot",
    "Signed",
    "Worker",
    "WorkerEvent",
    "follow",
]
