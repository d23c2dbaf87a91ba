"""Typed async client of the edge: sign in, follow workers, steer them."""

from oa_client.client import Client
from oa_client.errors import OaError
from oa_client.remote import RemoteWorker
from oa_client.sync import follow
from oa_client.workers import NewEvent, Worker, WorkerEvent

__all__ = ["Client", "NewEvent", "OaError", "RemoteWorker", "Worker", "WorkerEvent", "follow"]
