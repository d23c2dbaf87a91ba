"""`/sw.js`: what shows notifications while no page is open; at the root, so that all pages are its own."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from edge.console.assets import FOR_NOW, Assets
from edge.requests import endpoints, service

_POLICY: Final = "default-src 'none'; connect-src 'self'"


async def service_worker(request: Request) -> Response:
    answer = service(request, Assets).answer(request, "sw.js", FOR_NOW)
    answer.headers["content-security-policy"] = _POLICY
    return answer


routes = [endpoints("/sw.js", GET=service_worker)]
