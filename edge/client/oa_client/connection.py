"""Which edge to speak to and as whom: options, the local stack's secrets, the last login."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from oa_client.errors import NotSignedIn

_DEFAULT_URL = "http://127.0.0.1:8750"


class Connection(msgspec.Struct, frozen=True):
    url: str
    token: str


@dataclass(frozen=True)
class Places:
    """Files that may know an address and a token."""

    stack_secrets: Path
    login: Path

    @property
    def stub_url(self) -> str | None:
        """The stub model that a local stack runs beside its worker."""
        return _assignments(self.stack_secrets).get("OA_STUB_URL") or None

    def secret_of(self, url: str) -> str | None:
        """What services of the local stack share; for its own address only."""
        values = _assignments(self.stack_secrets)
        is_its_own = values.get("OA_URL", "").rstrip("/") == url
        return values.get("OA_RUNTIME_SIGNING_KEY") or None if is_its_own else None

    def last_login(self) -> Connection | None:
        return _from_login(self.login)

    def known(self) -> list[Connection]:
        return [found for found in (_from_secrets(self.stack_secrets), self.last_login()) if found]


def resolve(url: str | None, token: str | None, places: Places) -> Connection:
    """What is given wins; a token from a file is only sent to the address that it was made for."""
    chosen = address(url, places)
    if token:
        return Connection(chosen, token)
    for connection in places.known():
        if connection.url == chosen:
            return connection
    raise NotSignedIn(f"no token for {chosen}: run `oa login --url {chosen}`, or start a local stack with `oa up`")


def address(url: str | None, places: Places) -> str:
    """The given address, else the first known one, else that of a local stack."""
    known = places.known()
    return (url or (known[0].url if known else _DEFAULT_URL)).rstrip("/")


def save_login(path: Path, connection: Connection) -> None:
    """Readable by the user alone from its first byte on."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with os.fdopen(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode(connection))
    aside.replace(path)


def _from_secrets(path: Path) -> Connection | None:
    values = _assignments(path)
    if "OA_URL" not in values or "OA_LOCAL_TOKEN" not in values:
        return None
    return Connection(values["OA_URL"].rstrip("/"), values["OA_LOCAL_TOKEN"])


def _assignments(path: Path) -> Mapping[str, str]:
    if not path.is_file():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def _from_login(path: Path) -> Connection | None:
    return msgspec.json.decode(path.read_bytes(), type=Connection) if path.is_file() else None
