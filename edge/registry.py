"""The read part of Confluent's Schema Registry API over what was released (docs/data-engineers.md).

Without a token: the schemas are public contracts, and what is served is what this release of the edge carries.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import Field
from starlette.requests import Request
from starlette.responses import Response

from edge.errors import NotInRegistry
from edge.requests import Fields, body_of, endpoints, service
from edge.responses import REGISTRY_PREFIX, RegistryJson
from schemas.registry import COMPATIBILITY, Registered, meaning
from schemas.registry import versions as versions_of

MODE: Final = "READONLY"
_MAX_BODY_BYTES: Final = 1024 * 1024
_NEWEST: Final = ("latest", "-1")
_VERSION: Final = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True)
class PublishedSchemas:
    """Every released schema, and what the registry API finds among them."""

    entries: Sequence[Registered]

    def with_id(self, schema_id: str) -> Registered:
        for entry in self.entries:
            if str(entry.id) == schema_id:
                return entry
        raise NotInRegistry(40403, f"Schema {schema_id} not found")

    def versions(self, subject: str) -> list[Registered]:
        """Oldest first."""
        if found := versions_of(subject, self.entries):
            return found
        raise NotInRegistry(40401, f"Subject '{subject}' not found.")

    def version(self, subject: str, version: str) -> Registered:
        if version in _NEWEST:
            return self.versions(subject)[-1]
        if not _VERSION.fullmatch(version):
            raise NotInRegistry(42202, f"The specified version '{version[:20]}' is not a valid version id.")
        for entry in self.versions(subject):
            if str(entry.version) == version:
                return entry
        raise NotInRegistry(40402, f"Version {version} not found.")

    def same_as(self, subject: str, schema: str) -> Registered:
        """The newest version that says the same."""
        versions, wanted = self.versions(subject), _meaning(schema)
        for entry in reversed(versions):
            if meaning(entry.text()) == wanted:
                return entry
        raise NotInRegistry(40403, "Schema not found")


class SchemaBody(Fields):
    text: str = Field(validation_alias="schema")


async def root(_: Request) -> Response:
    return RegistryJson({})


async def types(_: Request) -> Response:
    return RegistryJson(["AVRO"])


async def schema_with_id(request: Request) -> Response:
    return RegistryJson({"schema": _with_id(request).text()})


async def text_with_id(request: Request) -> Response:
    return _text(_with_id(request))


async def subjects_with_id(request: Request) -> Response:
    return RegistryJson([_with_id(request).subject])


async def versions_with_id(request: Request) -> Response:
    entry = _with_id(request)
    return RegistryJson([{"subject": entry.subject, "version": entry.version}])


async def subjects(request: Request) -> Response:
    return RegistryJson(sorted({entry.subject for entry in _schemas(request).entries}))


async def versions(request: Request) -> Response:
    return RegistryJson([entry.version for entry in _schemas(request).versions(request.path_params["subject"])])


async def version(request: Request) -> Response:
    return RegistryJson(_described(_version(request)))


async def text_of_version(request: Request) -> Response:
    return _text(_version(request))


async def look_up(request: Request) -> Response:
    body = await body_of(request, SchemaBody, _MAX_BODY_BYTES)
    return RegistryJson(_described(_schemas(request).same_as(request.path_params["subject"], body.text)))


async def register(_: Request) -> Response:
    """What a registry in this mode says: ids are given in the repository, never by whoever writes first."""
    raise NotInRegistry(42205, "Subject is in read-only mode")


async def config(_: Request) -> Response:
    return RegistryJson({"compatibilityLevel": COMPATIBILITY})


async def config_of_subject(request: Request) -> Response:
    subject = request.path_params["subject"]
    if request.query_params.get("defaultToGlobal") != "true":
        raise NotInRegistry(40408, f"Subject '{subject}' does not have subject-level compatibility configured")
    return await config(request)


async def mode(_: Request) -> Response:
    return RegistryJson({"mode": MODE})


def _schemas(request: Request) -> PublishedSchemas:
    return service(request, PublishedSchemas)


def _with_id(request: Request) -> Registered:
    return _schemas(request).with_id(request.path_params["id"])


def _version(request: Request) -> Registered:
    return _schemas(request).version(request.path_params["subject"], request.path_params["version"])


def _text(entry: Registered) -> Response:
    return Response(entry.text(), media_type=RegistryJson.media_type)


def _described(entry: Registered) -> dict[str, Any]:
    return {"subject": entry.subject, "version": entry.version, "id": entry.id, "schema": entry.text()}


def _meaning(schema: str) -> Any:
    try:
        return meaning(schema)
    except (ValueError, RecursionError):
        raise NotInRegistry(42201, "Invalid schema: it is not JSON") from None


routes = [
    endpoints(f"{REGISTRY_PREFIX}", GET=root),
    endpoints(f"{REGISTRY_PREFIX}/", GET=root),
    endpoints(f"{REGISTRY_PREFIX}/schemas/types", GET=types),
    endpoints(f"{REGISTRY_PREFIX}/schemas/ids/{{id}}", GET=schema_with_id),
    endpoints(f"{REGISTRY_PREFIX}/schemas/ids/{{id}}/schema", GET=text_with_id),
    endpoints(f"{REGISTRY_PREFIX}/schemas/ids/{{id}}/subjects", GET=subjects_with_id),
    endpoints(f"{REGISTRY_PREFIX}/schemas/ids/{{id}}/versions", GET=versions_with_id),
    endpoints(f"{REGISTRY_PREFIX}/subjects", GET=subjects),
    endpoints(f"{REGISTRY_PREFIX}/subjects/{{subject}}", POST=look_up),
    endpoints(f"{REGISTRY_PREFIX}/subjects/{{subject}}/versions", GET=versions, POST=register),
    endpoints(f"{REGISTRY_PREFIX}/subjects/{{subject}}/versions/{{version}}", GET=version),
    endpoints(f"{REGISTRY_PREFIX}/subjects/{{subject}}/versions/{{version}}/schema", GET=text_of_version),
    endpoints(f"{REGISTRY_PREFIX}/config", GET=config),
    endpoints(f"{REGISTRY_PREFIX}/config/{{subject}}", GET=config_of_subject),
    endpoints(f"{REGISTRY_PREFIX}/mode", GET=mode),
]
