"""Reading requests: bodies and queries with limits, coercions and all errors at once (edge §1.2)."""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edge.errors import BodyTooLarge, Invalid, Issue
from producers.errors import InvalidRequest
from schemas import canonical_json
from schemas.names import CONTROL_CHARACTERS

MAX_BODY_BYTES = 8 * 1024 * 1024
"""Runtime §2.1; single routes take less."""
MAX_DEPTH = 200
"""Nesting of a JSON body; far above any client's, and safe for every recursive reader behind us."""

_BODY, _DOCUMENT = "oa.body", "oa.document"
"""Where a request's scope keeps them once they were read."""

FORM = "application/x-www-form-urlencoded"
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_BOOLEANS = {"1": True, "0": False}

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)
Endpoint = Callable[[Request], Awaitable[Response]]


class Services:
    """The parts that endpoints of one app share, found by their type."""

    def __init__(self, *parts: object) -> None:
        self._parts = {type(part): part for part in parts}

    def get(self, kind: type[T]) -> T:
        part = self._parts[kind]
        assert isinstance(part, kind)
        return part


def service(request: Request, kind: type[T]) -> T:
    """The app's one object of this type; `edge/app.py` puts `Services` into the app's state."""
    services: Services = request.app.state.services
    return services.get(kind)


class Endpoints(Route):
    """One route for all methods of a path, so that `Allow` names them all; HEAD where GET is (edge §1.5)."""

    def __init__(self, path: str, by_method: dict[str, Endpoint]) -> None:
        self.by_method = by_method
        super().__init__(path, self._answer, methods=list(by_method))

    async def _answer(self, request: Request) -> Response:
        return await self.by_method["GET" if request.method == "HEAD" else request.method](request)


def endpoints(path: str, **by_method: Endpoint) -> Route:
    return Endpoints(path, by_method)


# --- rules for fields ------------------------------------------------------------------------------------------------


class Fields(BaseModel):
    """The named fields of a route; unknown keys are ignored and never forwarded."""

    model_config = ConfigDict(extra="ignore", frozen=True)


def _trimmed(value: Any) -> Any:
    """Blanks only: Python would also strip some control characters, which are to be refused."""
    return value.strip(" \t\r\n") if isinstance(value, str) else value


def _blank_as_null(value: Any) -> Any:
    return _trimmed(value) or None if isinstance(value, str) else value


def _one_line(text: str) -> str:
    if CONTROL_CHARACTERS.search(text):
        raise ValueError("must not contain control characters")
    return text


def _identifier(text: str) -> str:
    """Raises what a decider would: 400 on both APIs (DEC-49), not a broken field rule."""
    if CONTROL_CHARACTERS.search(text):
        raise InvalidRequest("ids, keys and types must not contain control characters")
    return text


def _integer(value: Any) -> Any:
    if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
        return int(value)
    if isinstance(value, bool | str) or (isinstance(value, float) and not value.is_integer()):
        raise ValueError("must be an integer")
    return value


def _boolean(value: Any) -> Any:
    if isinstance(value, str) and value in _BOOLEANS:
        return _BOOLEANS[value]
    if isinstance(value, bool) or (isinstance(value, int) and value in (0, 1)):
        return bool(value)
    raise ValueError("must be true or false")


def _empty_list_as_object(value: Any) -> Any:
    return {} if value == [] else value


def described(pattern: str) -> Any:
    """What the OpenAPI document says of a text that a validator judges."""
    return Field(json_schema_extra={"pattern": pattern})


_PLAIN = described(r"^[^\x00-\x1f\x7f]*$")

Line = Annotated[str, BeforeValidator(_trimmed), AfterValidator(_one_line), _PLAIN]
"""A named string: trimmed, without control characters."""
Identifier = Annotated[str, BeforeValidator(_trimmed), AfterValidator(_identifier), _PLAIN]
"""An id, key or type: trimmed; control characters are an InvalidRequest."""
Nullable = Annotated[T | None, BeforeValidator(_blank_as_null)]
"""Absent, null or blank are all null; give the field the default None."""
Integer = Annotated[int, BeforeValidator(_integer)]
Boolean = Annotated[bool, BeforeValidator(_boolean)]
OpaqueObject = Annotated[dict[str, Any], BeforeValidator(_empty_list_as_object)]
"""Forwarded byte-faithfully (D2); what a PHP client sends for an empty object is one."""


def parse(model: type[Model], document: Any) -> Model:
    """The fields of a decoded document; raises Invalid with every broken rule."""
    fields = _empty_list_as_object(document)
    if not isinstance(fields, dict):
        raise Invalid([Issue("body", "The body must be a JSON object.")])
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
        raise Invalid([_issue(detail) for detail in details]) from None


def _issue(detail: ErrorDetails) -> Issue:
    path = ".".join(map(str, detail["loc"])) or "body"
    if detail["type"] == "missing":
        return Issue(path, f"The {path} field is required.")
    rule = detail["msg"].removeprefix("Value error, ")
    return Issue(path, f"The {path} field is invalid: {rule[:1].lower()}{rule[1:]}.")


# --- bodies and queries ----------------------------------------------------------------------------------------------


async def read_body(request: Request, limit: int = MAX_BODY_BYTES) -> bytes:
    """The raw body, read once; raises BodyTooLarge as soon as it is known to be."""
    if _BODY not in request.scope:
        request.scope[_BODY] = await _receive(request, limit)
    body: bytes = request.scope[_BODY]
    if len(body) > limit:
        raise BodyTooLarge(limit)
    return body


async def _receive(request: Request, limit: int) -> bytes:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced[:20]) > limit:
        raise BodyTooLarge(limit)
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(limit)
    return bytes(body)


async def document_of(request: Request, limit: int = MAX_BODY_BYTES) -> Any:
    """The body, JSON or form, decoded once; an absent one is an empty object. Raises Invalid, BodyTooLarge."""
    body = await read_body(request, limit)
    if _DOCUMENT not in request.scope:
        request.scope[_DOCUMENT] = _document(request, body)
    return request.scope[_DOCUMENT]


def _document(request: Request, body: bytes) -> Any:
    if not body.strip():
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM:
        return _form(body)
    return decode(body)


def decode(body: bytes) -> Any:
    """A JSON value within the depth we take; raises Invalid."""
    try:
        value = canonical_json.decode(body)
    except (ValueError, RecursionError):
        raise Invalid([Issue("body", "The body is not valid JSON.")]) from None
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(value, MAX_DEPTH):
        raise Invalid([Issue("body", f"The body is nested deeper than {MAX_DEPTH} levels.")])
    return value


def _deeper_than(value: Any, depth: int) -> bool:
    level = [value]
    for _ in range(depth):
        level = [item for container in level for item in _items(container) if isinstance(item, dict | list)]
        if not level:
            return False
    return True


def _items(container: Any) -> Iterable[Any]:
    return container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()


def _form(body: bytes) -> dict[str, Any]:
    """`name=value` pairs; `name[]` makes a list."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, errors="strict", max_num_fields=1000)
    except ValueError:
        raise Invalid([Issue("body", "The body is not a valid form.")]) from None
    fields: dict[str, Any] = {}
    for name, value in pairs:
        if name.endswith("[]"):
            fields.setdefault(name[:-2], []).append(value)
        else:
            fields[name] = value
    return fields


async def body_of(request: Request, model: type[Model], limit: int = MAX_BODY_BYTES) -> Model:
    return parse(model, await document_of(request, limit))


def query_of(request: Request, model: type[Model]) -> Model:
    return parse(model, dict(request.query_params))
