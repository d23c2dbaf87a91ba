"""What a browser asks for beside the pages: how to install the console as an app, and an icon for what names none."""

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from edge.console.assets import FOR_NOW, Assets
from edge.requests import endpoints, service
from edge.responses import Json

_ICONS: Final = (
    ("icon-192.png", "192x192", "any"),
    ("icon-512.png", "512x512", "any"),
    ("icon-maskable.png", "512x512", "maskable"),
)


class Manifest(Json):
    media_type = "application/manifest+json"


async def manifest(request: Request) -> Response:
    return Manifest(_manifest(service(request, Assets)), headers={"cache-control": FOR_NOW})


def _manifest(assets: Assets) -> dict[str, Any]:
    return {
        "id": "/",
        "name": "OpenAgents console",
        "short_name": "OpenAgents",
        "description": "See and steer every agent.",
        "start_url": "/",
        "scope": "/",
        "display": "standalone",
        "background_color": "#0d0e10",
        "theme_color": "#0d0e10",
        "icons": [
            {"src": assets.address(name), "sizes": size, "type": "image/png", "purpose": purpose}
            for name, size, purpose in _ICONS
        ],
    }


async def icon(request: Request) -> Response:
    return service(request, Assets).answer(request, "icon-180.png", FOR_NOW)


routes = [endpoints("/manifest.webmanifest", GET=manifest), endpoints("/favicon.ico", GET=icon)]
