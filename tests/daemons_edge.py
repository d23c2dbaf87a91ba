"""The edge in memory with a worker that has a daemon: it tells what that does, and requests are answered."""

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.fake_edge import FakeEdge


class DaemonsEdge(FakeEdge):
    """Snapshots tell `told` too; every request gets `answer`, after `failures`; `asked` keeps them."""

    def __init__(self, **told: Any) -> None:
        super().__init__()
        self.told = told
        self.answer: dict[str, Any] = {"result": {}}
        self.asked: list[dict[str, Any]] = []

    def app(self) -> Starlette:
        app = super().app()
        app.routes.insert(0, Route("/api/runtime/codex/workers/{worker_id}/requests", self._ask, methods=["POST"]))
        return app

    async def _ask(self, request: Request) -> Response:
        asked = (await request.json())["request"]
        self.asked.append(asked)
        if self.failures:
            return self.failures.pop(0)
        response = {"jsonrpc": "2.0", "id": asked["request_id"], **self.answer}
        answered = {"worker_id": self.worker_id, "request_id": asked["request_id"], "ok": "result" in response}
        return JSONResponse({"data": {**answered, "response": response}})

    def _document(self) -> dict[str, Any]:
        return super()._document() | self.told
