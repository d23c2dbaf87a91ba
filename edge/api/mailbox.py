"""`/dev/mailbox`: the local profile's mail as a page, and as JSON for programs; mounted with that profile only."""

from pathlib import Path
from typing import Annotated

from jinja2 import Environment, FileSystemLoader
from pydantic import Field
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from edge.auth.mail.mailbox import Mailbox, Received
from edge.requests import Fields, Line, Nullable, endpoints, query_of, service
from edge.responses import data
from schemas.times import iso6

_PAGE = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True).get_template("mailbox.html")


class MailboxQuery(Fields):
    to: Nullable[Annotated[Line, Field(max_length=255)]] = None


async def show(request: Request) -> Response:
    """Newest first."""
    mails = await service(request, Mailbox).newest(query_of(request, MailboxQuery).to)
    if "application/json" in request.headers.get("accept", ""):
        return data([_described(received) for received in mails])
    return HTMLResponse(_PAGE.render(mails=mails))


def _described(received: Received) -> dict[str, object]:
    mail = received.mail
    return {"to": mail.to, "subject": mail.subject, "text": mail.text, "code": mail.code, "at": iso6(received.at)}


routes = [endpoints("/dev/mailbox", GET=show)]
