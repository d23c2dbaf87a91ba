"""A registry that schemas can be copied to: what Confluent's does in memory, as far as `oa schemas push` needs it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ops.stack import ports
from tests.fake_edge import serving_app

MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


class Answer(JSONResponse):
    media_type = MEDIA_TYPE


class Refusal(Exception):
    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FakeRegistry:
    """`modes` and `levels` by subject; with `may_import` off it knows no modes, as some registries do."""

    may_import: bool = True
    schemas: dict[int, str] = field(default_factory=dict)
    subjects: dict[str, dict[int, int]] = field(default_factory=dict)
    modes: dict[str, str] = field(default_factory=dict)
    levels: dict[str, str] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        routes = [
            Route("/", self.root),
            Route("/schemas/types", self.types),
            Route("/schemas/ids/{id}", self.by_id),
            Route("/schemas/ids/{id}/schema", self.text_by_id),
            Route("/schemas/ids/{id}/versions", self.places_of),
            Route("/subjects", self.all_subjects),
            Route("/subjects/{subject}", self.look_up, methods=["POST"]),
            Route("/subjects/{subject}/versions", self.versions),
            Route("/subjects/{subject}/versions", self.register, methods=["POST"]),
            Route("/subjects/{subject}/versions/{version}", self.one),
            Route("/subjects/{subject}/versions/{version}/schema", self.text_of_one),
            Route("/config", self.level),
            Route("/config/{subject}", self.set_level, methods=["PUT"]),
            Route("/mode/{subject}", self.change_mode, methods=["PUT", "DELETE"]),
        ]
        return Starlette(routes=routes, exception_handlers={Refusal: self.refuse})  # type: ignore[dict-item]

    async def refuse(self, _: Request, refusal: Refusal) -> Response:
        return Answer({"error_code": refusal.code, "message": str(refusal)}, refusal.code // 100)

    async def root(self, _: Request) -> Response:
        return Answer({})

    async def types(self, _: Request) -> Response:
        return Answer(["JSON", "PROTOBUF", "AVRO"])

    async def by_id(self, request: Request) -> Response:
        return Answer({"schema": self._schema(request)})

    async def text_by_id(self, request: Request) -> Response:
        return PlainTextResponse(self._schema(request), media_type=MEDIA_TYPE)

    async def places_of(self, request: Request) -> Response:
        self._schema(request)
        wanted = int(request.path_params["id"])
        return Answer(
            [
                {"subject": subject, "version": version}
                for subject, versions in self.subjects.items()
                for version, schema_id in versions.items()
                if schema_id == wanted
            ]
        )

    async def all_subjects(self, _: Request) -> Response:
        return Answer(sorted(self.subjects))

    async def versions(self, request: Request) -> Response:
        return Answer(sorted(self._versions(request)))

    async def one(self, request: Request) -> Response:
        return Answer(self._described(request, self._version(request)))

    async def text_of_one(self, request: Request) -> Response:
        schema_id = self._versions(request)[self._version(request)]
        return PlainTextResponse(self.schemas[schema_id], media_type=MEDIA_TYPE)

    async def look_up(self, request: Request) -> Response:
        versions, body = self._versions(request), await request.json()
        for version, schema_id in versions.items():
            if self.schemas[schema_id] == _normal(body["schema"]):
                return Answer(self._described(request, version))
        raise Refusal(40403, "Schema not found")

    async def register(self, request: Request) -> Response:
        subject, body = request.path_params["subject"], await request.json()
        importing = self.modes.get(subject) == "IMPORT"
        if ("id" in body) != importing:
            raise Refusal(42205, f"Subject {subject} is {'' if importing else 'not '}in import mode")
        schema, versions = _normal(body["schema"]), self.subjects.setdefault(subject, {})
        schema_id = body.get("id") or self._id_of(schema)
        if self.schemas.get(schema_id, schema) != schema:
            raise Refusal(42205, f"Overwrite new schema with id {schema_id} is not permitted.")
        self.schemas[schema_id] = schema
        versions[body.get("version") or len(versions) + 1] = schema_id
        return Answer({"id": schema_id})

    async def change_mode(self, request: Request) -> Response:
        subject = request.path_params["subject"]
        if not self.may_import:
            raise Refusal(40400, "HTTP 404 Not Found")
        self.requests.append(f"{request.method} /mode/{subject}")
        if request.method == "DELETE":
            return Answer({"mode": self.modes.pop(subject)})
        self.modes[subject] = (await request.json())["mode"]
        return Answer({"mode": self.modes[subject]})

    async def level(self, _: Request) -> Response:
        return Answer({"compatibilityLevel": "BACKWARD"})

    async def set_level(self, request: Request) -> Response:
        self.levels[request.path_params["subject"]] = (await request.json())["compatibility"]
        return Answer({"compatibility": self.levels[request.path_params["subject"]]})

    def _schema(self, request: Request) -> str:
        wanted = request.path_params["id"]
        if not wanted.isdecimal() or int(wanted) not in self.schemas:
            raise Refusal(40403, f"Schema {wanted} not found")
        return self.schemas[int(wanted)]

    def _versions(self, request: Request) -> dict[int, int]:
        subject = request.path_params["subject"]
        if not self.subjects.get(subject):
            raise Refusal(40401, f"Subject '{subject}' not found.")
        return self.subjects[subject]

    def _version(self, request: Request) -> int:
        wanted: str = request.path_params["version"]
        if wanted not in ("latest", "-1") and (not wanted.isdecimal() or int(wanted) == 0):
            raise Refusal(42202, f"The specified version '{wanted}' is not a valid version id.")
        versions = self._versions(request)
        number = max(versions) if wanted in ("latest", "-1") else int(wanted)
        if number not in versions:
            raise Refusal(40402, f"Version {number} not found.")
        return number

    def _described(self, request: Request, version: int) -> dict[str, Any]:
        subject = request.path_params["subject"]
        schema_id = self.subjects[subject][version]
        return {"subject": subject, "version": version, "id": schema_id, "schema": self.schemas[schema_id]}

    def _id_of(self, schema: str) -> int:
        known = {text: schema_id for schema_id, text in self.schemas.items()}
        return known.get(schema) or max(self.schemas, default=0) + 1


@asynccontextmanager
async def serving(fake: FakeRegistry) -> AsyncIterator[str]:
    """The address it listens on."""
    async with serving_app(fake.app(), ports.free()[0]) as url:
        yield url


def _normal(schema: str) -> str:
    return json.dumps(json.loads(schema), separators=(",", ":"), ensure_ascii=False)
