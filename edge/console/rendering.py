"""Pages as HTML: templates, what each of them is told, and the headers they are served with (ADR 15)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse

from edge.auth.accounts import User
from edge.auth.admins import Admins
from edge.console.assets import Assets

THEME_COOKIE: Final = "oa_theme"
THEMES: Final = ("light", "dark")
_HOST: Final = re.compile(r"[A-Za-z0-9.:\[\]-]+")
_POLICY: Final = (
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "worker-src 'self'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
)
_HEADERS: Final = {
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
"""`same-origin`: what a page asks the API for is recognised by its `Referer` (edge §1.6)."""


@dataclass(frozen=True)
class Page:
    """`name` is the template's and the entry module's; with an `icon` it stands in the navigation, else `within` one
    that does."""

    path: str
    name: str
    title: str
    icon: str = ""
    within: str = ""
    for_admins: bool = False


class Console:
    """Renders for one edge; `dev_pages` is true in the local profile only."""

    def __init__(self, assets: Assets, admins: Admins, pages: Sequence[Page], *, dev_pages: bool) -> None:
        self._assets = assets
        self._admins = admins
        self._pages = pages
        self._templates = Environment(
            loader=FileSystemLoader(Path(__file__).parent / "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {"asset": assets.address, "assets": assets, "dev_pages": dev_pages}

    def render(self, request: Request, page: Page, user: User | None, status: int = 200, **told: Any) -> HTMLResponse:
        """`told` is for the page's own template."""
        theme = request.cookies.get(THEME_COOKIE)
        html = self._templates.get_template(f"{page.name}.html").render(
            page=page, user=user, nav=self._nav(user), theme=theme if theme in THEMES else None, **told
        )
        return HTMLResponse(html, status, headers=_HEADERS | {"content-security-policy": _policy(request)})

    def _nav(self, user: User | None) -> list[Page]:
        """What this user may go to."""
        is_admin = user is not None and user in self._admins
        return [page for page in self._pages if page.icon and (is_admin or not page.for_admins)]


def _policy(request: Request) -> str:
    """Not every browser takes 'self' to mean the socket as well."""
    host, scheme = request.url.netloc, "wss" if request.url.scheme == "https" else "ws"
    socket = f" {scheme}://{host}" if _HOST.fullmatch(host) else ""
    return "; ".join((*_POLICY, f"connect-src 'self'{socket}"))
