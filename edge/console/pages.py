"""The pages: each is a line here, a template, and an entry module and a style sheet of the same name, if it needs them.

A page that is new needs a line in tests/routes.py as well.
"""

from typing import Final

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from edge.auth.admins import Admins
from edge.console.gate import local_path, login_address, session_user
from edge.console.rendering import Console, Page
from edge.errors import Denied
from edge.requests import Endpoint, endpoints, service

PAGES: Final = (
    Page("/", "workers", "Workers", icon="workers"),
    Page("/workers/{name}", "worker", "Worker", within="/"),
    Page("/runs", "runs", "Runs", icon="runs"),
    Page("/runs/{name}", "run", "Run", within="/runs"),
    Page("/budgets", "budgets", "Budgets", icon="budgets"),
    Page("/budgets/{name}", "budget", "Budget", within="/budgets"),
    Page("/notifications", "notifications", "Notifications", icon="bell"),
    Page("/tokens", "personal_tokens", "Tokens", icon="key"),
    Page("/system", "system", "System", icon="system", for_admins=True),
)
"""Those for users, in the order of the navigation."""

LOGIN: Final = Page("/login", "login", "Sign in")


def _shown(page: Page) -> Endpoint:
    async def show(request: Request) -> Response:
        user = await session_user(request)
        if user is None:
            return RedirectResponse(login_address(request), 302)
        if page.for_admins and user not in service(request, Admins):
            raise Denied("Forbidden")
        return service(request, Console).render(request, page, user)

    return show


async def login(request: Request) -> Response:
    """Whoever is signed in goes on to where they wanted to."""
    then = local_path(request.query_params.get("then"))
    if await session_user(request):
        return RedirectResponse(then, 302)
    return service(request, Console).render(request, LOGIN, None, then=then)


routes: list[Route] = [
    *(endpoints(page.path, GET=_shown(page)) for page in PAGES),
    endpoints(LOGIN.path, GET=login),
]
