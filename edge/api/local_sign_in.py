"""`/dev/sign-in`: the link that `oa up` prints, which signs in to the local account; mounted in that profile only."""

import hmac

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from edge.auth.sessions import COOKIE, Sessions
from edge.auth.sign_in import LocalSignIn, SignIn
from edge.errors import Denied
from edge.requests import Fields, Line, endpoints, query_of, service

HOME = "/"


class LinkQuery(Fields):
    key: Line


async def sign_in(request: Request) -> Response:
    local, asked = service(request, LocalSignIn), query_of(request, LinkQuery)
    if not hmac.compare_digest(asked.key.encode(), local.key.encode()):
        raise Denied("This link is of another stack; `oa up` prints the one of this.")
    session_id = await service(request, SignIn).enter(local.email, request.cookies.get(COOKIE))
    response = RedirectResponse(HOME, 302, {"cache-control": "no-store", "referrer-policy": "no-referrer"})
    service(request, Sessions).set_cookies(request, response, session_id)
    return response


routes = [endpoints("/dev/sign-in", GET=sign_in)]
