"""`secrets.env`: what the local stack makes up once and keeps, `NAME=value` a line, for its owner's eyes only."""

import os
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

FILE_NAME: Final = "secrets.env"


def _key() -> str:
    return secrets.token_urlsafe(32)


MADE_ONCE: Final[Mapping[str, Callable[[], str]]] = {
    "OA_SYNC_TOKEN_SIGNING_KEY": _key,
    "OA_KHALA_TOKEN_SIGNING_KEY": _key,
    "OA_RUNTIME_SIGNING_KEY": _key,
    "OA_LOCAL_SIGN_IN_KEY": _key,
    "OA_ANSWER_LINK_KEY": _key,
    "OA_VAPID_PRIVATE_KEY": _key,
}


def read(folder: Path) -> dict[str, str]:
    """The file's values; none when there is no file."""
    path = folder / FILE_NAME
    if not path.exists():
        return {}
    lines = (line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    named = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in named}


def ensure(folder: Path, addresses: Mapping[str, str]) -> dict[str, str]:
    """The file's values, with what was missing made up, and with `addresses` as they are today."""
    kept = read(folder)
    made = {name: make() for name, make in MADE_ONCE.items() if not kept.get(name)}
    values = {**kept, **made, **addresses}
    if values != kept:
        _write(folder, values)
    return values


def _write(folder: Path, values: Mapping[str, str]) -> None:
    fresh = folder / f"{FILE_NAME}.new"
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    fresh.rename(folder / FILE_NAME)
