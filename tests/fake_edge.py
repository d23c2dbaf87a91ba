"""A small edge in memory: sign-in, workers, streams and the socket, for tests of the client and the daemon.

It keeps its own log of worker events and follows the contract's rules on order, cursors, ids and claims
(docs/adr/0013), so that the same client tests can run against the real edge. `serving` puts it on a real port and can
be left and entered again.
"""

import asyncio
import json
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

TOKEN = "7|fake-edge-token"
CODE = "804213"
OCCURRED_AT = "2026-02-25T06:13:20.000000Z"
TOPIC = "runtime.codex_worker_events"
_FIRST_POSITION = 1000

_CLAIMS = {"worker.message.claimed": "message_id", "worker.request.claimed": "request_id"}

Json = dict[str, Any]


class FakeEdge:
    """`events[i]` has seq i + 1 and position 1000 + i; there is one worker."""

    def __init__(self) -> None:
        self.worker_id: str | None = None
        self.status = "none"
        self.metadata: Json = {}
        self.events: list[Json] = []
        self.event_ids: dict[str, tuple[int, str]] = {}
        self.batch_sizes: list[int] = []
        self.failures: list[Response] = []
        self.refusals: dict[str, Response] = {}
        self.token = TOKEN
        self.refused_calls = 0
        self.floor = 0
        self.claims: dict[tuple[str, str], str] = {}
        self.open_requests: dict[str, datetime] = {}
        self.expired: set[str] = set()
        self.daemon: Json = {}
        self.limits: Json = {"turn_tokens": None, "day_tokens": None}
        self.usage: Json | None = None
        self.open_approvals: list[str] = []
        self.grown = asyncio.Condition()
        self.streaming = asyncio.Event()
        self.sync_tokens = 0
        self.sockets: list[WebSocket] = []
        self.socket_frames: list[list[Any]] = []

    async def append(self, event_type: str, payload: Json) -> Json:
        seq = len(self.events) + 1
        event = {
            "workerId": self.worker_id,
            "seq": seq,
            "eventType": event_type,
            "payload": payload,
            "occurredAt": OCCURRED_AT,
        }
        if event_type == "worker.stopped":
            self.status = "stopped"
        async with self.grown:
            self.events.append(event)
            self.grown.notify_all()
        return event

    async def ask(self, method: str, params: Any = None, *, within_s: float = 15.0) -> str:
        """A request that somebody sends, as the log has it; its answer is a `worker.response` or `worker.error`."""
        request_id = f"req_{uuid.uuid4().hex}"
        deadline = datetime.now(UTC) + timedelta(seconds=within_s)
        self.open_requests[request_id] = deadline
        asked = {"request_id": request_id, "method": method, "params": params, "deadline": deadline.isoformat()}
        await self.append("worker.request.received", asked | {"requested_by": {"owner": "user:41"}})
        return request_id

    async def answered(self, request_id: str) -> Json:
        """Waits for what is answered to a request: its `result` or its `error`."""
        answers: list[Json] = []

        def arrived() -> bool:
            answers[:] = [event["payload"]["response"] for event in self.events if _answers(event, request_id)]
            return bool(answers)

        async with asyncio.timeout(30), self.grown:
            await self.grown.wait_for(arrived)
        return answers[0]

    async def recorded(self, method: str, count: int = 1) -> list[Json]:
        """Waits until that many events with this method (or type) are recorded."""

        def matching() -> list[Json]:
            return [event for event in self.events if method in (event["payload"].get("method"), event["eventType"])]

        async with asyncio.timeout(30), self.grown:
            await self.grown.wait_for(lambda: len(matching()) >= count)
        return matching()

    async def sent_by_client(self, event: str, count: int) -> None:
        """Waits until that many frames of this kind came in over sockets."""
        async with asyncio.timeout(30), self.grown:
            await self.grown.wait_for(lambda: [frame[3] for frame in self.socket_frames].count(event) >= count)

    def app(self) -> Starlette:
        worker = "/api/runtime/codex/workers/{worker_id}"
        return Starlette(
            routes=[
                Route("/api/auth/email", self._request_code, methods=["POST"]),
                Route("/api/auth/verify", self._verify, methods=["POST"]),
                Route("/api/sync/token", self._mint, methods=["POST"]),
                Route("/api/runtime/codex/workers", self._list, methods=["GET"]),
                Route("/api/runtime/codex/workers", self._create, methods=["POST"]),
                Route(worker, self._snapshot, methods=["GET"]),
                Route(worker + "/events", self._post_event, methods=["POST"]),
                Route(worker + "/events/batch", self._post_batch, methods=["POST"]),
                Route(worker + "/stop", self._stop, methods=["POST"]),
                Route(worker + "/stream", self._stream, methods=["GET"]),
                WebSocketRoute("/sync/socket/websocket", self._socket),
            ]
        )

    async def _request_code(self, request: Request) -> Response:
        response = JSONResponse({"ok": True, "status": "code-sent", "email": (await request.json())["email"]})
        response.set_cookie("session", "pending")
        return response

    async def _verify(self, request: Request) -> Response:
        code = (await request.json())["code"]
        if request.cookies.get("session") != "pending" or code != CODE:
            return JSONResponse({"message": "Wrong code.", "errors": {"code": ["Wrong code."]}}, 422)
        named = request.headers["x-client"] == "autopilot-desktop"
        return JSONResponse(
            {"ok": True, "userId": "41", "status": "authenticated"} | ({"token": TOKEN} if named else {})
        )

    async def _mint(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        self.sync_tokens += 1
        scopes = (await request.json())["scopes"]
        return _ok({"token": f"sync-{self.sync_tokens}", "scopes": scopes, "expires_in": 300})

    async def _list(self, request: Request) -> Response:
        return self._refused(request) or _ok([self._document()] if self.worker_id else [])

    async def _create(self, request: Request) -> Response:
        if refused := self._refused(request):
            return refused
        body = await request.json()
        replay = self.status == "running"
        self.worker_id, self.metadata, self.status = body["worker_id"], body["metadata"], "running"
        if not replay:
            await self.append("worker.started", {"status": "running", "adapter": body["adapter"]})
        created = {"workerId": self.worker_id, "status": "running", "latestSeq": len(self.events)}
        return _ok(created | {"idempotentReplay": replay}, 200 if replay else 202)

    async def _snapshot(self, request: Request) -> Response:
        return self._refused(request, worker=True) or _ok(self._document())

    async def _post_event(self, request: Request) -> Response:
        if refused := self._refused(request, worker=True, running=True):
            return refused
        event = (await request.json())["event"]
        recorded = await self.append(event["event_type"], event["payload"])
        answer = {"worker_id": self.worker_id, "seq": recorded["seq"], "occurred_at": OCCURRED_AT}
        return _ok(answer | {"event_type": event["event_type"], "payload": event["payload"]}, 202)

    async def _post_batch(self, request: Request) -> Response:
        if refused := self._refused(request, worker=True, running=True):
            return refused
        items = (await request.json())["events"]
        if refused := next((refused for item in items if (refused := self._refused_event(item))), None):
            return refused
        self.batch_sizes.append(len(items))
        accepted = [await self._accept(item) for item in items]
        answer = _ok({"worker_id": self.worker_id, "events": accepted}, 202)
        return self.failures.pop(0) if self.failures else answer

    async def _accept(self, item: Json) -> Json:
        replay = item["event_id"] in self.event_ids
        if not replay:
            event = await self.append(item["event_type"], item["payload"])
            self.event_ids[item["event_id"]] = (event["seq"], _content(item))
            self._evolve(item)
        seq, _ = self.event_ids[item["event_id"]]
        return {"event_id": item["event_id"], "seq": seq, "idempotent_replay": replay}

    def _refused_event(self, item: Json) -> Response | None:
        if item["payload"].get("method") in self.refusals:
            return self.refusals[item["payload"]["method"]]
        if item["event_id"] in self.event_ids:
            is_same = self.event_ids[item["event_id"]][1] == _content(item)
            return None if is_same else _coded("conflict", "a known event id with other content", 409)
        reason_code = self._refused_claim(item["event_type"], item["payload"])
        return _coded("conflict", "not to be claimed", 409, [{"reason_code": reason_code}]) if reason_code else None

    def _refused_claim(self, event_type: str, payload: Json) -> str | None:
        if event_type not in _CLAIMS:
            return None
        what = _CLAIMS[event_type], payload[_CLAIMS[event_type]]
        if self.claims.get(what, payload["claim_id"]) != payload["claim_id"]:
            return "already_claimed"
        if event_type == "worker.message.claimed":
            return "too_late" if payload["message_id"] in self.expired else None
        deadline = self.open_requests.get(payload["request_id"])
        return "not_open" if deadline is None else "too_late" if deadline < datetime.now(UTC) else None

    def _evolve(self, item: Json) -> None:
        event_type, payload = item["event_type"], item["payload"]
        if event_type in _CLAIMS:
            self.claims[_CLAIMS[event_type], payload[_CLAIMS[event_type]]] = payload["claim_id"]
        if event_type == "worker.heartbeat":
            consumed = max(self.daemon.get("consumed_seq") or 0, payload.get("consumed_seq") or 0)
            self.daemon = payload | {"consumed_seq": consumed}
        match event_type:
            case "worker.response" | "worker.error":
                self.open_requests.pop(payload.get("request_id"), None)
            case "worker.limits.set":
                self.limits = {cap: payload.get(cap) for cap in ("turn_tokens", "day_tokens")}
            case "worker.approval.requested":
                self.open_approvals.append(payload["approval_id"])
            case "worker.approval.answered" if payload["approval_id"] in self.open_approvals:
                self.open_approvals.remove(payload["approval_id"])

    async def _stop(self, request: Request) -> Response:
        if refused := self._refused(request, worker=True):
            return refused
        replay = self.status == "stopped"
        if not replay:
            await self.append("worker.stopped", {"reason": (await request.json())["reason"]})
        answer = {"worker_id": self.worker_id, "status": "stopped", "idempotent_replay": replay}
        return _ok(answer, 200 if replay else 202)

    async def _stream(self, request: Request) -> Response:
        if refused := self._refused(request, worker=True):
            return refused
        cursor = int(request.query_params["cursor"])
        if cursor < self.floor:
            return _coded("stale_cursor", "the cursor is below the floor", 410)
        tail_s = int(request.query_params["tail_ms"]) / 1000
        self.streaming.set()
        return StreamingResponse(self._window(cursor, tail_s), media_type="text/event-stream")

    async def _window(self, cursor: int, tail_s: float) -> AsyncIterator[str]:
        try:
            async with asyncio.timeout(tail_s):
                while True:
                    for event in self.events[cursor:]:
                        cursor = event["seq"]
                        line = json.dumps(event, ensure_ascii=False)
                        yield f"id: {cursor}\nevent: codex.worker.event\ndata: {line}\n\n"
                    await self._beyond(cursor)
        except TimeoutError:
            return

    async def _beyond(self, count: int) -> None:
        async with self.grown:
            await self.grown.wait_for(lambda: len(self.events) > count)

    async def _socket(self, websocket: WebSocket) -> None:
        if websocket.query_params.get("token") != f"sync-{self.sync_tokens}":
            await websocket.close()
            return
        await websocket.accept()
        self.sockets.append(websocket)
        try:
            await self._channel(websocket)
        except WebSocketDisconnect:
            return
        finally:
            self.sockets.remove(websocket)

    async def _channel(self, websocket: WebSocket) -> None:
        live: asyncio.Task[None] | None = None
        try:
            while True:
                frame = json.loads(await websocket.receive_text())
                async with self.grown:
                    self.socket_frames.append(frame)
                    self.grown.notify_all()
                join_ref, ref, topic, event, payload = frame
                if event == "sync:subscribe":
                    after = payload["resume_after"].get(TOPIC, 0)
                    seq = max(0, after - _FIRST_POSITION + 1)
                    seq = await self._push(websocket, seq)
                    live = asyncio.create_task(self._push_live(websocket, seq))
                reply = {"status": "ok", "response": {}}
                await websocket.send_json([join_ref, ref, topic, "phx_reply", reply])
        finally:
            if live:
                live.cancel()

    async def _push(self, websocket: WebSocket, seq: int) -> int:
        if rows := self.events[seq:]:
            await websocket.send_json(
                ["1", None, "sync:v1", "sync:update_batch", {"updates": [_update(row) for row in rows]}]
            )
        return seq + len(rows)

    async def _push_live(self, websocket: WebSocket, seq: int) -> None:
        while True:
            await self._beyond(seq)
            seq = await self._push(websocket, seq)

    def _document(self) -> Json:
        return {
            "worker_id": self.worker_id,
            "status": self.status,
            "latest_seq": len(self.events),
            "adapter": "desktop_bridge",
            "metadata": self.metadata,
            "heartbeat_state": "fresh",
            "consumed_seq": self.daemon.get("consumed_seq"),
            "busy": self.daemon.get("busy"),
            "limits": self.limits,
            "usage": self.usage,
            "open_approvals": self.open_approvals,
        }

    def _refused(self, request: Request, *, worker: bool = False, running: bool = False) -> Response | None:
        if request.headers.get("authorization") != f"Bearer {self.token}":
            self.refused_calls += 1
            return JSONResponse({"message": "Unauthenticated."}, 401)
        if worker and request.path_params["worker_id"] != self.worker_id:
            return _coded("not_found", "no such worker", 404)
        if running and self.status != "running":
            return _coded("conflict", "worker is not running", 409)
        return None


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.up.set()


@asynccontextmanager
async def serving_app(app: Starlette, port: int) -> AsyncIterator[str]:
    """The application's address while it is up; leaving cuts every connection, as a killed process would."""
    config = uvicorn.Config(
        app, host="127.0.0.1", port=port, log_level="critical", ws="websockets-sansio", timeout_graceful_shutdown=0
    )
    server = _Server(config)
    task = asyncio.create_task(server._serve())
    await server.up.wait()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


@asynccontextmanager
async def serving(edge: FakeEdge, port: int) -> AsyncIterator[str]:
    async with serving_app(edge.app(), port) as url:
        yield url


def _update(event: Json) -> Json:
    payload = event | {"worker_id": event["workerId"], "event_type": event["eventType"], "occurred_at": OCCURRED_AT}
    return {
        "topic": TOPIC,
        "doc_key": f"runtime/codex_worker_event:{event['workerId']}:{event['seq']}",
        "doc_version": event["seq"],
        "payload": payload,
        "payload_hash": None,
        "watermark": _FIRST_POSITION + event["seq"] - 1,
        "hydration_required": False,
    }


def _ok(value: Any, status: int = 200) -> Response:
    return JSONResponse({"data": value}, status)


def _coded(code: str, message: str, status: int, details: list[Json] | None = None) -> Response:
    return JSONResponse({"error": {"code": code, "message": message, "details": details or []}}, status)


def _answers(event: Json, request_id: str) -> bool:
    is_answer = event["eventType"] in ("worker.response", "worker.error")
    return is_answer and event["payload"].get("request_id") == request_id


def _content(item: Json) -> str:
    return json.dumps([item["event_type"], item["payload"]], sort_keys=True)
