"""Another registry, Confluent's or one that speaks like it: what it has, and how our schemas are copied there."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote

import httpx

from ops.errors import OperatorError
from schemas.registry import COMPATIBILITY, Registered, meaning

_MEDIA_TYPE: Final = "application/vnd.schemaregistry.v1+json"
_TIMEOUT_S: Final = 10.0


class RegistryError(OperatorError):
    """The registry cannot be reached, refuses, or has something else under our names or ids."""


class Registry:
    """`url` is what its clients get, with user and password in it when it wants them."""

    def __init__(self, url: str) -> None:
        headers = {"content-type": _MEDIA_TYPE, "accept": f"{_MEDIA_TYPE}, application/json"}
        self._http = httpx.Client(base_url=f"{url.rstrip('/')}/", headers=headers, timeout=_TIMEOUT_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._http.close()

    def push(self, entries: Iterable[Registered]) -> Iterator[tuple[Registered, bool]]:
        """Each entry, and whether it was not there yet. Raises RegistryError at the first that cannot have its id."""
        for entry in sorted(entries, key=lambda entry: entry.id):
            missing = not self._has(entry)
            if missing:
                self._copy(entry)
            yield entry, missing

    def _has(self, entry: Registered) -> bool:
        found = self._call("GET", f"{_path(entry)}/{entry.version}", absent_is_none=True)
        if found is None:
            return False
        if found["id"] != entry.id or meaning(found["schema"]) != meaning(entry.text()):
            raise RegistryError(f"{_named(entry)} is another schema there, with the id {found['id']}")
        return True

    def _copy(self, entry: Registered) -> None:
        with self._importing(entry.subject) as keeps_ids:
            body = {"schema": entry.text()} | ({"id": entry.id, "version": entry.version} if keeps_ids else {})
            given = self._call("POST", _path(entry), body)["id"]
        if given != entry.id:
            raise RegistryError(
                f"{_named(entry)} got the id {given}, but its values carry {entry.id}:"
                " this registry cannot import and is not empty, so use an empty one, or one that knows modes"
            )
        self._call("PUT", f"config/{quote(entry.subject, safe='')}", {"compatibility": COMPATIBILITY})

    @contextmanager
    def _importing(self, subject: str) -> Iterator[bool]:
        """While ids can be given; False for a registry that knows no modes and counts ids for itself."""
        path = f"mode/{quote(subject, safe='')}"
        if self._call("PUT", f"{path}?force=true", {"mode": "IMPORT"}, absent_is_none=True) is None:
            yield False
            return
        try:
            yield True
        finally:
            self._call("DELETE", path)

    def _call(self, method: str, path: str, body: Any = None, *, absent_is_none: bool = False) -> Any:
        try:
            answer = self._http.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise RegistryError(f"{self._http.base_url} does not answer: {error}") from error
        if absent_is_none and answer.status_code in (404, 405):
            return None
        if answer.is_error:
            raise RegistryError(f"{method} {answer.url.path} is answered {answer.status_code}: {answer.text[:300]}")
        return answer.json()


def _named(entry: Registered) -> str:
    return f"{entry.subject} version {entry.version}"


def _path(entry: Registered) -> str:
    return f"subjects/{quote(entry.subject, safe='')}/versions"
