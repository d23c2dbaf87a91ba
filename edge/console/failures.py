"""What somebody sees who opens a page that cannot be shown; programs go on getting JSON (edge §1.1)."""

from collections.abc import Awaitable
from typing import Final, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ExceptionHandler

from edge.console.rendering import Console, Page
from edge.requests import service

FAILURE: Final = Page("", "failure", "Not shown")
_TOLD: Final = {
    403: ("This is not for you", "Only operators of this installation, or whoever has the right link, may open it."),
    404: ("There is no such page", "It may have been there once, or its address may be misspelt."),
}
_LATER: Final = ("This cannot be shown now", "Something that the console needs does not answer. Try again in a moment.")
_FOR_PROGRAMS: Final = ("/api/", "/internal/", "/registry", "/static/", "/sync/", "/socket/")


def with_pages(handler: ExceptionHandler) -> ExceptionHandler:
    """Like `handler`, but a browser that goes somewhere is shown a page."""

    async def handled(request: Request, error: Exception) -> Response:
        answer = await cast(Awaitable[Response], handler(request, error))  # type: ignore[arg-type]
        if not _is_navigation(request):
            return answer
        heading, text = _TOLD.get(answer.status_code, _LATER)
        told = {"heading": heading, "text": text, "again": answer.status_code not in _TOLD}
        return service(request, Console).render(request, FAILURE, None, answer.status_code, **told)

    return cast(ExceptionHandler, handled)


def _is_navigation(request: Request) -> bool:
    """A script that asks for something does not ask for HTML first."""
    is_for_people = not request.url.path.startswith(_FOR_PROGRAMS)
    return request.method == "GET" and is_for_people and request.headers.get("accept", "").startswith("text/html")
