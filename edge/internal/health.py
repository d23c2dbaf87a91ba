"""Health of the runtime as other services ask for it (runtime §2.5, DEC-3)."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.auth.signed_requests import signed
from edge.requests import endpoints, service
from edge.responses import Json


@dataclass(frozen=True)
class Release:
    version: str


async def health(request: Request) -> Response:
    await signed(request)
    version = service(request, Release).version
    return Json({"status": "ok", "service": "openagents-runtime", "version": version})


routes: list[Route] = [endpoints("/internal/v1/health", GET=health)]
