"""The edge's HTTP API, one method a call; errors are those of `oa_client.errors`."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from functools import partial
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from oa_client.backoff import Pauses, delays_s
from oa_client.budgets import Budgets
from oa_client.errors import BadAnswer, NotSignedIn, Unreachable, refusal
from oa_client.following import endless
from oa_client.remote import RemoteWorker
from oa_client.runs import Runs
from oa_client.signed import Signed
from oa_client.sse import Frame, Parser
from oa_client.workers import (
    AcceptedBatch,
    CreatedWorker,
    NewEvent,
    Payload,
    PostedEvent,
    StoppedWorker,
    Worker,
    WorkerAnswer,
    WorkerEvent,
)

T = TypeVar("T")

X_CLIENT = "autopilot-desktop"
_WORKERS = "/api/runtime/codex/workers"
_AT_ONCE_MS = 1
_TIMEOUT = httpx.Timeout(65, connect=5)
_WINDOW_SLACK_S = 10
"""A stream sends nothing while it waits, so silence is a fault only after its window (runtime §2.17)."""


class SignedIn(msgspec.Struct, frozen=True, rename="camel"):
    user_id: str
    token: str


class Account(msgspec.Struct, frozen=True):
    id: int
    email: str


class _Me(msgspec.Struct, frozen=True):
    user: Account


class SyncToken(msgspec.Struct, frozen=True):
    token: str
    scopes: list[str]
    expires_in: int


class Workers:
    """`client.workers[worker_id]` is that worker to steer and follow; nothing is asked yet whether it exists."""

    def __init__(self, client: "Client") -> None:
        self._client = client

    def __getitem__(self, worker_id: str) -> RemoteWorker:
        return RemoteWorker(self._client, worker_id)


class Client:
    """One signed-in (or signing-in) caller; use it as an async context manager.

    `signed` is what a service holds: it asks for runs and budgets. `pauses` says how long to wait before a lost
    connection is opened again; `transport` replaces the network in tests. Cookies are kept, because the two sign-in
    calls need the same jar.
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        signed: Signed | None = None,
        x_client: str = X_CLIENT,
        pauses: Pauses = delays_s,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self.url = url.rstrip("/")
        self.pauses = pauses
        self.workers = Workers(self)
        self.runs = Runs(self)
        self.budgets = Budgets(self)
        self._signed = signed
        headers = {"Accept": "application/json", "X-Client": x_client}
        self._http = httpx.AsyncClient(base_url=self.url, headers=headers, timeout=_TIMEOUT, transport=transport)
        if token:
            self._sign(token)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    def _sign(self, token: str) -> None:
        self._http.headers["Authorization"] = f"Bearer {token}"

    async def request_code(self, email: str) -> None:
        """Sends a sign-in code to the address (edge §2.1)."""
        await self._call("POST", "/api/auth/email", {"email": email})

    async def verify(self, code: str) -> SignedIn:
        """Ends the sign-in that `request_code` began; later calls of this client carry the token."""
        signed_in = _shaped(await self._call("POST", "/api/auth/verify", {"code": code}), SignedIn)
        self._sign(signed_in.token)
        return signed_in

    async def revoke(self) -> None:
        """Ends the token of this client, for every use of it (edge §2.2)."""
        await self._call("DELETE", "/api/tokens/current")

    async def account(self) -> Account:
        """Whose token this client carries (edge §2.3)."""
        return (await self._data("GET", "/api/me", _Me)).user

    async def mint_sync_token(self, scopes: Sequence[str]) -> SyncToken:
        """A token for one socket connection (edge §2.4)."""
        return await self._data("POST", "/api/sync/token", SyncToken, {"scopes": list(scopes)})

    async def list_workers(self, *, limit: int = 100) -> list[Worker]:
        return await self._data("GET", f"{_WORKERS}?limit={limit}", list[Worker])

    async def create_worker(
        self, worker_id: str, *, adapter: str, workspace_ref: str | None = None, metadata: Payload | None = None
    ) -> CreatedWorker:
        body = {"worker_id": worker_id, "adapter": adapter, "metadata": metadata or {}}
        if workspace_ref is not None:
            body["workspace_ref"] = workspace_ref
        return await self._data("POST", _WORKERS, CreatedWorker, body)

    async def worker(self, worker_id: str) -> Worker:
        """The worker's snapshot."""
        return await self._data("GET", _path(worker_id), Worker)

    async def post_event(self, worker_id: str, event_type: str, payload: Payload) -> PostedEvent:
        body = {"event": {"event_type": event_type, "payload": payload}}
        return await self._data("POST", _path(worker_id, "events"), PostedEvent, body)

    async def post_events(self, worker_id: str, events: Sequence[NewEvent]) -> AcceptedBatch:
        """1–500 events, all or none, in order; safe to repeat with the same ids (runtime DEC-47)."""
        return await self._data("POST", _path(worker_id, "events/batch"), AcceptedBatch, {"events": list(events)})

    async def send_request(self, worker_id: str, request: Payload) -> WorkerAnswer:
        return await self._data("POST", _path(worker_id, "requests"), WorkerAnswer, {"request": request})

    async def stop_worker(self, worker_id: str, reason: str) -> StoppedWorker:
        return await self._data("POST", _path(worker_id, "stop"), StoppedWorker, {"reason": reason})

    async def stream(
        self, worker_id: str, cursor: int | None = None, *, tail_ms: int = 30_000
    ) -> AsyncGenerator[WorkerEvent]:
        """Every event with `seq > cursor` (None: from now on), endlessly, in order, each once.

        Windows are re-opened with the cursor, also after the server was away; a refusal (401, 403, 404, 410) ends it.
        """
        position = (await self.worker(worker_id)).latest_seq if cursor is None else cursor
        window = partial(self._window, worker_id, tail_ms)
        async with aclosing(endless(window, position, tail_ms, self.pauses)) as events:
            async for event in events:
                yield event

    async def recorded(self, worker_id: str, after: int, through: int) -> AsyncGenerator[WorkerEvent]:
        """The events with `after < seq <= through`, which must be there already."""
        if after >= through:
            return
        async with aclosing(self.stream(worker_id, after, tail_ms=_AT_ONCE_MS)) as events:
            async for event in events:
                yield event
                if event.seq >= through:
                    return

    async def signed_call(
        self,
        method: str,
        path: str,
        shape: type[T],
        body: Payload | None = None,
        *,
        query: Payload | None = None,
        run_id: str | None = None,
    ) -> T:
        """One call of the signed API, with a token of its own; `run_id` is that of the path."""
        headers = self._signature({**(body or {}), **(query or {})}, run_id)
        return _shaped(await self._call(method, path, body, query=query, headers=headers), shape)

    async def signed_data(
        self, method: str, path: str, shape: type[T], body: Payload | None = None, *, query: Payload | None = None
    ) -> T:
        """The same where the answer is in an envelope."""
        headers = self._signature({**(body or {}), **(query or {})}, None)
        return _enveloped(await self._call(method, path, body, query=query, headers=headers), shape, f"{method} {path}")

    async def signed_window(self, path: str, query: Payload, tail_ms: int, *, run_id: str) -> AsyncGenerator[Frame]:
        async with aclosing(self._frames(path, query, tail_ms, self._signature(query, run_id))) as frames:
            async for frame in frames:
                yield frame

    def _signature(self, request: Payload, run_id: str | None) -> dict[str, str]:
        if self._signed is None:
            raise NotSignedIn("runs and budgets take the shared secret: Client(url, signed=Signed(secret, user_id=…))")
        return self._signed.headers(request if run_id is None else {**request, "run_id": run_id})

    async def _window(self, worker_id: str, tail_ms: int, cursor: int) -> AsyncGenerator[WorkerEvent]:
        query = {"cursor": cursor, "tail_ms": tail_ms}
        async with aclosing(self._frames(_path(worker_id, "stream"), query, tail_ms, {})) as frames:
            async for frame in frames:
                yield _event(frame)

    async def _frames(
        self, path: str, query: Payload, tail_ms: int, headers: Mapping[str, str]
    ) -> AsyncGenerator[Frame]:
        request = self._http.build_request(
            "GET",
            path,
            params=query,
            headers={"Accept": "text/event-stream", **headers},
            timeout=httpx.Timeout(5, read=tail_ms / 1000 + _WINDOW_SLACK_S),
        )
        parser = Parser()
        try:
            response = await self._http.send(request, stream=True)
            async with aclosing(response):
                if response.status_code != 200:
                    raise refusal(response.status_code, await response.aread())
                async for chunk in response.aiter_bytes():
                    for frame in parser.feed(chunk):
                        yield frame
        except httpx.TransportError as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error

    async def _data(self, method: str, path: str, shape: type[T], body: Any = None) -> T:
        return _enveloped(await self._call(method, path, body), shape, f"{method} {path}")

    async def _call(
        self, method: str, path: str, body: Any = None, *, query: Any = None, headers: Mapping[str, str] | None = None
    ) -> Any:
        content = None if body is None else msgspec.json.encode(body)
        sent = {**(headers or {}), **({} if body is None else {"Content-Type": "application/json"})}
        try:
            response = await self._http.request(method, path, content=content, params=query, headers=sent)
        except httpx.TransportError as error:
            raise Unreachable(f"{self.url}: {error or type(error).__name__}") from error
        if not response.is_success:
            raise refusal(response.status_code, response.content)
        try:
            return msgspec.json.decode(response.content)
        except msgspec.DecodeError as error:
            raise BadAnswer(f"{method} {path}: the answer is not JSON") from error


def _path(worker_id: str, suffix: str = "") -> str:
    return f"{_WORKERS}/{quote(worker_id, safe=':')}" + (f"/{suffix}" if suffix else "")


def _enveloped(answer: Any, shape: type[T], call: str) -> T:
    if not isinstance(answer, dict) or "data" not in answer:
        raise BadAnswer(f"{call}: no `data` in the answer")
    return _shaped(answer["data"], shape)


def _event(frame: Frame) -> WorkerEvent:
    try:
        value = msgspec.json.decode(frame.data)
    except msgspec.DecodeError as error:
        raise BadAnswer("a frame of the stream is not JSON") from error
    if frame.event == "error":
        raise refusal(502, frame.data.encode())
    return _shaped(value, WorkerEvent)


def _shaped(value: Any, shape: type[T]) -> T:
    try:
        return msgspec.convert(value, shape)
    except msgspec.ValidationError as error:
        raise BadAnswer(f"an answer in an unexpected shape: {error}") from error
