"""The signed API as an OpenAPI document, made of its routes and of the models their endpoints read."""

import inspect
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import FunctionType
from typing import Any, Final, NamedTuple

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from edge.auth.request_token import HEADER
from edge.requests import Endpoint, Endpoints, endpoints, service
from edge.responses import Json, is_signed

_REF: Final = "#/components/schemas/{model}"
_MODE: Final = "validation"
_PLACEHOLDER: Final = re.compile(r"{(\w+)")
_OPTIONAL_TEXT: Final = {"in": "header", "required": False, "schema": {"type": "string"}}
_NAME: Final = {"type": "string", "pattern": r"^[^\x00-\x1f\x7f]+$"}
_PRINCIPAL: Final = [{"name": "x-oa-user-id", **_OPTIONAL_TEXT}, {"name": "x-oa-guest-scope", **_OPTIONAL_TEXT}]
_THREAD: Final = {"name": "thread_id", "in": "query", "required": True, "schema": {"type": "string"}}
"""Runtime §2.4."""
_OF_STREAMS: Final = [
    {"name": "cursor", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 0}},
    {"name": "tail_ms", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1}},
    {"name": "last-event-id", **_OPTIONAL_TEXT},
]
"""Runtime §2.17."""
_CODES: Final = ["unauthorized", "forbidden", "invalid_request", "not_found", "conflict", "stale_cursor"]
_REASON: Final = {"type": "object", "properties": {"reason_code": {"type": "string"}}}
_ERROR: Final = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"enum": [*_CODES, "internal_error"]},
                "message": {"type": "string"},
                "details": {"type": "array", "items": {"anyOf": [{"type": "string"}, _REASON]}},
            },
        }
    },
}
"""Runtime §2.1."""


class Operation(NamedTuple):
    path: str
    method: str
    endpoint: Endpoint
    models: list[type[BaseModel]]


class Told(NamedTuple):
    """A model's name in the document, and its schema there."""

    name: str
    schema: Mapping[str, Any]


@dataclass(frozen=True)
class SignedApi:
    """One of the app's services; the document is made when somebody asks for it first."""

    routes: Collection[BaseRoute]
    release: str

    @cached_property
    def document(self) -> dict[str, Any]:
        return described(self.routes, self.release)


async def openapi(request: Request) -> Response:
    return Json(service(request, SignedApi).document)


def described(routes: Collection[BaseRoute], release: str) -> dict[str, Any]:
    found = list(operations(routes))
    models = {model for operation in found for model in operation.models}
    references, schemas = models_json_schema([(model, _MODE) for model in _in_order(models)], ref_template=_REF)
    names = {model: reference["$ref"].rpartition("/")[2] for (model, _), reference in references.items()}
    told: dict[Any, Told] = {model: Told(name, schemas["$defs"][name]) for model, name in names.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in found:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation, told)
    return {
        "openapi": "3.1.0",
        "info": {"title": "OpenAgents runtime, signed API", "version": release},
        "security": [{"request_token": []}],
        "paths": paths,
        "components": {
            "schemas": {**schemas["$defs"], "Error": _ERROR},
            "securitySchemes": {"request_token": {"type": "apiKey", "in": "header", "name": HEADER}},
        },
    }


def _in_order(models: Collection[type[BaseModel]]) -> list[type[BaseModel]]:
    return sorted(models, key=lambda model: (model.__name__, model.__module__))


def operations(routes: Collection[BaseRoute]) -> Iterator[Operation]:
    """What the signed API offers, with the models that each endpoint names, itself or in what it calls beside it."""
    for route in routes:
        if isinstance(route, Endpoints) and is_signed(route.path):
            for method, endpoint in route.by_method.items():
                yield Operation(route.path, method, endpoint, list(dict.fromkeys(_models(endpoint, set()))))


def _models(function: Any, seen: set[Any]) -> Iterator[type[BaseModel]]:
    seen.add(function)
    for name in function.__code__.co_names:
        named = function.__globals__.get(name)
        if inspect.isclass(named) and issubclass(named, BaseModel):
            yield named
        elif isinstance(named, FunctionType) and named.__module__ == function.__module__ and named not in seen:
            yield from _models(named, seen)


def _described(operation: Operation, told: Mapping[type[BaseModel], Told]) -> dict[str, Any]:
    """A model whose name ends with Query is read from the query, any other from the body."""
    bodies = [model for model in operation.models if not model.__name__.endswith("Query")]
    queries = [model for model in operation.models if model.__name__.endswith("Query")]
    in_path = [
        {"name": name, "in": "path", "required": True, "schema": _NAME} for name in _PLACEHOLDER.findall(operation.path)
    ]
    in_query = [parameter for model in queries for parameter in _parameters(told[model].schema)]
    is_stream = operation.path.endswith("/stream")
    answer = "text/event-stream" if is_stream else "application/json"
    document = {
        "operationId": f"{operation.method} {operation.path}",
        "summary": inspect.getdoc(operation.endpoint) or operation.endpoint.__name__.replace("_", " "),
        "parameters": [*in_path, *in_query, *_expected(operation, is_stream), *_PRINCIPAL],
        "responses": {
            "2XX": {"description": "done", "content": {answer: {}}},
            "default": {"description": "refused", "content": _json({"$ref": _REF.format(model="Error")})},
        },
    }
    for model in bodies:
        content = _json({"$ref": _REF.format(model=told[model].name)})
        document["requestBody"] = {"required": bool(told[model].schema.get("required")), "content": content}
    return document


def _expected(operation: Operation, is_stream: bool) -> Iterator[Any]:
    """What endpoints read from the query without a model."""
    if operation.method == "GET" and "{run_id}" in operation.path:
        yield _THREAD
    if is_stream:
        yield from _OF_STREAMS


def _parameters(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for name, field in schema["properties"].items():
        yield {"name": name, "in": "query", "required": name in schema.get("required", ()), "schema": field}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


routes: list[Route] = [endpoints("/openapi.json", GET=openapi)]
