"""`/answer/{token}`: one approval and one button; whoever has the link needs no account (ADR 15)."""

import random
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.answers import AnswerLinks, State
from edge.console.rendering import Console, Page
from edge.requests import Fields, Line, body_of, endpoints, service
from edge.responses import Json
from schemas import compact
from schemas.answer_links import InvalidLink
from schemas.times import iso6

PAGE: Final = Page("/answer/{token}", "answer", "Answer")
_HEADERS: Final = {"referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
"""The address is the credential: nobody else is to hear of it."""
_STATUS: Final = {"open": 200, "done": 200, "answered": 200, "withdrawn": 410, "expired": 410, "undelivered": 503}


@dataclass(frozen=True)
class Attempts:
    """A page that is opened again may try again; one that is sent twice counts once."""

    entropy: random.Random

    def new(self) -> str:
        return compact.encode(self.entropy.randbytes(9))


class AnswerBody(Fields):
    attempt: Annotated[Line, Field(max_length=40)] = ""


async def show(request: Request) -> Response:
    """Changes nothing: mail and chat programs open links by themselves."""
    try:
        return _told(request, await service(request, AnswerLinks).state(request.path_params["token"]))
    except InvalidLink:
        return _told(request, None)


async def answer(request: Request) -> Response:
    body = await body_of(request, AnswerBody)
    try:
        return _told(request, await service(request, AnswerLinks).answer(request.path_params["token"], body.attempt))
    except InvalidLink:
        return _told(request, None)


def _told(request: Request, state: State | None) -> Response:
    status = _STATUS[state.standing] if state else 404
    if "application/json" in request.headers.get("accept", ""):
        answer: Response = Json({"data": _described(state)}, status, {"cache-control": "no-store"})
    else:
        attempt = service(request, Attempts).new()
        answer = service(request, Console).render(request, PAGE, None, state=state, attempt=attempt)
        answer.status_code = status
    answer.headers.update(_HEADERS)
    return answer


def _described(state: State | None) -> dict[str, Any]:
    if state is None:
        return {"standing": "invalid"}
    return {
        "standing": state.standing,
        "decision": state.decision,
        "client": state.client,
        "at": iso6(state.at) if state.at else None,
        "reason": state.reason,
    }


routes: list[Route] = [endpoints(PAGE.path, GET=show, POST=answer)]
