"""What pages load: every file of `static`, under an address that names the content of the whole folder (ADR 15)."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from edge.requests import endpoints, service

FOLDER: Final = Path(__file__).parent / "static"
FOR_EVER: Final = "public, max-age=31536000, immutable"
FOR_NOW: Final = "no-cache"
"""What an address of another release is answered with: while releases change, a page may come from the other one."""
_TYPES: Final = {
    ".js": "text/javascript",
    ".mjs": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".toml": "text/plain",
}
_MIN_GZIP_BYTES: Final = 500


class Asset(NamedTuple):
    """`gzipped` is None when it would save little."""

    content: bytes
    gzipped: bytes | None
    media_type: str

    @classmethod
    def of(cls, name: str, content: bytes) -> "Asset":
        media_type = _TYPES.get(Path(name).suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
        compressible = len(content) >= _MIN_GZIP_BYTES and not media_type.startswith("image/png")
        return cls(content, gzip.compress(content, mtime=0) if compressible else None, media_type)


class Assets:
    """Held in memory: they are few and small, and never change while a process lives."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._assets = {name: Asset.of(name, content) for name, content in files.items()}
        self.digest = _digest(files)

    @classmethod
    def read(cls, folder: Path = FOLDER) -> "Assets":
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        return cls({path.relative_to(folder).as_posix(): path.read_bytes() for path in paths})

    def __contains__(self, name: str) -> bool:
        return name in self._assets

    def address(self, name: str) -> str:
        """Raises KeyError when there is no such file."""
        if name not in self:
            raise KeyError(name)
        return f"/static/{self.digest}/{name}"

    def answer(self, request: Request, name: str, caching: str) -> Response:
        """Raises HTTPException 404."""
        asset = self._assets.get(name)
        if asset is None:
            raise HTTPException(404)
        headers = {"cache-control": caching, "vary": "accept-encoding", "x-content-type-options": "nosniff"}
        if asset.gzipped is None or "gzip" not in request.headers.get("accept-encoding", ""):
            return Response(asset.content, headers=headers, media_type=asset.media_type)
        return Response(asset.gzipped, headers=headers | {"content-encoding": "gzip"}, media_type=asset.media_type)


def _digest(files: Mapping[str, bytes]) -> str:
    whole = hashlib.sha256()
    for name in sorted(files):
        whole.update(f"{name}\0{len(files[name])}\0".encode() + files[name])
    return whole.hexdigest()[:16]


async def static(request: Request) -> Response:
    assets, asked = service(request, Assets), request.path_params
    return assets.answer(request, asked["name"], FOR_EVER if asked["digest"] == assets.digest else FOR_NOW)


routes = [endpoints("/static/{digest}/{name:path}", GET=static)]
