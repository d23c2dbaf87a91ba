"""Sign-in by e-mail code and sign-out (edge §2.1)."""

from functools import wraps
from typing import Annotated

from email_validator import EmailNotValidError, validate_email
from pydantic import AfterValidator, Field
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.auth.mail import MailFailed
from edge.auth.rate_limits import limited
from edge.auth.sessions import COOKIE, Sessions
from edge.auth.sign_in import TOKEN_NAMES, SignedIn, SignIn
from edge.errors import Invalid, Issue
from edge.requests import Endpoint, Fields, Line, body_of, endpoints, service
from edge.responses import Json

HOME = "/"


def _address(text: str) -> str:
    """The address as it was typed: only its syntax is judged."""
    try:
        validate_email(text, check_deliverability=False, globally_deliverable=False, test_environment=True)
    except EmailNotValidError as error:
        raise ValueError("must be a valid e-mail address") from error
    return text


class EmailBody(Fields):
    email: Annotated[Line, Field(max_length=255), AfterValidator(_address)]


class CodeBody(Fields):
    code: Annotated[Line, Field(min_length=6, max_length=128)]


def for_guests(endpoint: Endpoint) -> Endpoint:
    """A session that is signed in goes home instead; the CSRF token is not asked for here (edge §1.6)."""

    @wraps(endpoint)
    async def guarded(request: Request) -> Response:
        request.state.session = await service(request, Sessions).find(request.cookies.get(COOKIE))
        if request.state.session is not None and request.state.session.user is not None:
            return RedirectResponse(HOME, 302)
        return await endpoint(request)

    return guarded


@limited(6)
@for_guests
async def send_code(request: Request) -> Response:
    body = await body_of(request, EmailBody)
    sessions = service(request, Sessions)
    session_id = request.state.session.id if request.state.session else await sessions.open_guest()
    try:
        await service(request, SignIn).send_code(session_id, body.email)
    except MailFailed:
        raise Invalid([Issue("email", "The code could not be sent to this address; try again.")]) from None
    response = Json({"ok": True, "status": "code-sent", "email": body.email})
    sessions.set_cookies(request, response, session_id)
    return response


@limited(10)
@for_guests
async def verify(request: Request) -> Response:
    body = await body_of(request, CodeBody)
    session = request.state.session
    token_name = TOKEN_NAMES.get(request.headers.get("x-client", "").strip().lower())
    signed_in = session and await service(request, SignIn).verify(session.id, body.code, token_name)
    if signed_in is None:
        raise Invalid([Issue("code", "The code is wrong or has expired; ask for a new one.")])
    response = Json(_authenticated(signed_in, token_name))
    service(request, Sessions).set_cookies(request, response, signed_in.session_id)
    return response


def _authenticated(signed_in: SignedIn, token_name: str | None) -> dict[str, object]:
    user = signed_in.user
    answer: dict[str, object] = {
        "ok": True,
        "userId": str(user.id),
        "status": "authenticated",
        "user": {"id": user.id, "name": user.name, "email": user.email},
        "redirect": HOME,
    }
    if signed_in.token is not None:
        answer |= {"tokenType": "Bearer", "token": signed_in.token, "tokenName": token_name}
    return answer


async def sign_out(request: Request) -> Response:
    sessions = service(request, Sessions)
    if session_id := request.cookies.get(COOKIE):
        await sessions.close(session_id)
    response = RedirectResponse(HOME, 302)
    sessions.clear_cookies(response)
    return response


routes = [
    endpoints("/api/auth/email", POST=send_code),
    endpoints("/api/auth/verify", POST=verify),
    endpoints("/logout", POST=sign_out),
]
