"""What every route of the edge expects and refuses; without a line here a route fails test_route_faults.py.

To add a route: one line in ROUTES. What all routes share (credentials, methods, unreadable bodies, wrong types, lost
services) follows from it; `faults` are the rules that only this route has.
"""

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from schemas.registry import registry

MIB: Final = 1024 * 1024


class Access(Enum):
    ANYBODY = "anybody"
    USER = "user"
    SIGNED = "signed"
    SOCKET = "socket"
    REGISTRY = "registry"


class Fault(NamedTuple):
    """A request that the route refuses, as a difference to the good one; `errors` are the paths of a public 422.

    `status` is the public one: what is 422 there is 400 on the signed API.
    """

    name: str
    status: int
    body: Any = None
    query: str | None = None
    which: str = "own"
    errors: frozenset[str] | None = None


class Expected(NamedTuple):
    """`good` is what a well-formed request of somebody who may gets; `body` one that it takes, None when it reads none.

    `needed` and `free` are dotted paths of the body: fields that have to be there, and fields of any type.
    `any_object`: whether what its path names is there makes no difference. `without_postgres` is what the good request
    gets then; None: 502 on the public worker routes, else 503.
    """

    access: Access
    good: int
    body: Any = None
    query: str = ""
    headers: Mapping[str, str] = MappingProxyType({})
    needed: tuple[str, ...] = ()
    free: tuple[str, ...] = ()
    faults: tuple[Fault, ...] = ()
    a_minute: int | None = None
    any_object: bool = False
    without_postgres: int | None = None


def refused(body: Any, *errors: str) -> Fault:
    return Fault("rule", 422, body, errors=frozenset(errors))


def refused_query(query: str) -> Fault:
    return Fault("query", 422, query=query)


def event(**fields: Any) -> dict[str, Any]:
    return {"event": {"event_type": "worker.event", "payload": {}} | fields}


def batch(*items: dict[str, Any]) -> dict[str, Any]:
    return {"events": [{"event_id": f"e{n}", "event_type": "worker.event"} | item for n, item in enumerate(items)]}


NEW = "{new}"
"""In a body: an id that is given once."""
LONG = "x" * 121
NEW_AUTHORIZATION = {
    **dict.fromkeys(("authorization_id", "run_id", "thread_id", "autopilot_id"), NEW),
    "mode": "delegated_budget_with_threshold",
    **{f"max_{cap}_sats": 5 for cap in ("total", "per_call", "per_day")},
    "threshold_sats": 0,
    "constraints": {},
    "metadata": {},
    "expires_at": "2036-01-01T00:00:00Z",
}
DELIVERED = {"event_id": "ev", "provider": "resend", "delivery_state": "delivered"}
THREAD = "thr"
HANDSHAKE = {"source": "autopilot-ios", "method": "ios/handshake", "handshake_id": "h", "occurred_at": "2026-02-25"}
CLAIM = {"request_id": "r", "claim_id": "c", "daemon_id": "d"}
OTHER_CLAIM = {"message_id": "m", "seq": 1, "claim_id": "other", "daemon_id": "d"}
MESSAGE_CLAIM = {"event_type": "worker.message.claimed", "payload": OTHER_CLAIM | {"claim_id": "c"}}
DEEP = b'{"event":{"event_type":"worker.event","payload":' + b'{"a":' * 500 + b"1" + b"}" * 502
SCHEMA = registry()[0]
A_SESSION = {"cookie": "oa_session=nobodys"}

EMAIL = Expected(
    Access.ANYBODY,
    200,
    {"email": "eve@lane.test"},
    needed=("email",),
    a_minute=6,
    faults=(
        refused({"email": None}, "email"),
        refused({"email": ["a@lane.test"]}, "email"),
        refused({"email": "no address"}, "email"),
        refused({"email": "a@lane.test\r\nBcc: b@lane.test"}, "email"),
        refused({"email": "a\x00@lane.test"}, "email"),
        refused({"email": f"a@{'x' * 60}.{'y' * 200}.test"}, "email"),
    ),
)
VERIFY = Expected(
    Access.ANYBODY,
    422,  # well-formed, and nobody's
    {"code": "123456"},
    headers=A_SESSION,
    needed=("code",),
    a_minute=10,
    faults=(
        refused({"code": "12345"}, "code"),
        refused({"code": "1" * 129}, "code"),
        refused({"code": "12345\x00"}, "code"),
        refused({"code": "１２３４５６"}, "code"),
    ),
)
NEW_TOKEN = Expected(
    Access.USER,
    201,
    {"name": "t", "abilities": ["a"], "expires_at": "2036-01-01T00:00:00Z"},
    needed=("name",),
    faults=(
        refused({"name": " "}, "name"),
        refused({"name": LONG}, "name"),
        refused({"name": "a\x00b"}, "name"),
        refused({"name": "t", "abilities": {"a": "b"}}, "abilities"),
        refused({"name": "t", "abilities": ["a", 5, LONG]}, "abilities.1", "abilities.2"),
        refused({"name": "t", "expires_at": "soon"}, "expires_at"),
        refused({"name": "t", "expires_at": "0001-01-01T00:00:00+14:00"}, "expires_at"),
        refused({"name": 5, "abilities": 5, "expires_at": []}, "name", "abilities", "expires_at"),
    ),
)
SYNC_TOKEN = Expected(
    Access.USER,
    200,
    {"scopes": ["runtime.notifications"]},
    without_postgres=503,
    faults=(
        refused({"scopes": {"a": "b"}}, "scopes"),
        refused({"scopes": ["runtime.notifications", 5, LONG]}, "scopes.1", "scopes.2"),
    ),
)
KHALA_TOKEN = Expected(
    Access.USER,
    200,
    {"scope": ["runtime.notifications"], "workspace_id": "w", "role": "member"},
    faults=(
        refused({"scope": [5]}, "scope.0"),
        refused({"workspace_id": LONG, "role": "king"}, "workspace_id", "role"),
    ),
)
DELIVERY = Expected(
    Access.SIGNED,
    202,
    {
        "event_id": NEW,
        "provider": "resend",
        "delivery_state": "bounced",
        "payload": {},
        "message_id": "m",
        "integration_id": "i",
        "recipient": "ada@lane.test",
        "occurred_at": "2026-02-25T06:13:20Z",
        "reason": "r",
    },
    needed=("event_id", "provider", "delivery_state"),
    faults=(
        refused({**DELIVERED, "event_id": "e"}),
        refused({**DELIVERED, "event_id": "e" * 257}),
        refused({**DELIVERED, "event_id": "e\x00e"}),
        refused({**DELIVERED, "provider": "r"}),
        refused({**DELIVERED, "provider": "r" * 65}),
        refused({**DELIVERED, "delivery_state": "opened"}),
        refused({**DELIVERED, "payload": "x"}),
        refused({**DELIVERED, "message_id": "m" * 256}),
        refused({**DELIVERED, "occurred_at": "soon"}),
        Fault("too large", 413, {**DELIVERED, "payload": {"text": "x" * 530_000}}),
    ),
)


NOBODYS_LINK = Expected(Access.ANYBODY, 404, without_postgres=404)
WEBHOOK_PATH = "/api/webhooks/{webhook_id:int}"
NEW_WEBHOOK = Expected(
    Access.USER,
    201,
    {"url": "https://hooks.lane.test/a", "name": "n"},
    needed=("url",),
    faults=(
        refused({"url": " "}, "url"),
        refused({"url": "ftp://hooks.lane.test"}, "url"),
        refused({"url": "https://ada@hooks.lane.test"}, "url"),
        refused({"url": "https://hooks.lane.test:port"}, "url"),
        refused({"url": "http://127.0.0.1/"}, "url"),
        refused({"url": "http://[::ffff:10.0.0.1]/"}, "url"),
        refused({"url": "http://localhost/"}, "url"),
        refused({"url": "https://hooks.lane.test/" + "a" * 2048}, "url"),
        refused({"url": "https://hooks.lane.test/", "name": LONG}, "name"),
    ),
)
REPLAY = Expected(
    Access.USER,
    202,
    {"after": 0},
    faults=(refused({"after": -1}, "after"), refused({"after": 2**62}, "after"), refused({"after": 1.5}, "after")),
)
BROWSER = {
    "endpoint": "https://push.lane.test/a",
    "keys": {"p256dh": "B" + "A" * 86, "auth": "A" * 22},
    "name": "phone",
}
PUSH_SUBSCRIPTION = Expected(
    Access.USER,
    201,
    BROWSER,
    needed=("endpoint", "keys", "keys.p256dh", "keys.auth"),
    faults=(
        refused({**BROWSER, "endpoint": "file:///etc/passwd"}, "endpoint"),
        refused({**BROWSER, "endpoint": "https://192.168.0.1/"}, "endpoint"),
        refused({**BROWSER, "keys": {"p256dh": "AAAA", "auth": "A A"}}, "keys.p256dh", "keys.auth"),
        refused({**BROWSER, "name": LONG}, "name"),
    ),
)


def worker_routes(path: str, access: Access, snapshot: str) -> dict[str, Expected]:
    """The same rules on both APIs."""
    gone = (Fault("stopped", 409, which="stopped"),)
    return {
        f"GET {path}": Expected(
            access,
            200,
            faults=(
                refused_query("status=asleep"),
                refused_query("limit=0"),
                refused_query("limit=201&workspace_ref=" + "w" * 256),
            ),
        ),
        f"POST {path}": Expected(
            access,
            202,
            {"worker_id": "w:new", "adapter": "a", "workspace_ref": "r", "codex_home_ref": "h", "metadata": {}},
            faults=(
                refused({"worker_id": "abc", "adapter": LONG}, "adapter"),
                refused({"worker_id": "abc", "workspace_ref": "a" * 256}, "workspace_ref"),
                refused({"worker_id": "w" * 161}, "worker_id"),
                refused({"worker_id": "abc", "codex_home_ref": "a\x00b"}, "codex_home_ref"),
                Fault("id", 400, {"worker_id": "ab"}),
                Fault("id", 400, {"worker_id": "with/slash"}),
                Fault("control character", 400, {"worker_id": "a\x1fbc"}),
            ),
        ),
        f"GET {path}/{{worker_id}}{snapshot}": Expected(access, 200),
        f"POST {path}/{{worker_id}}/requests": Expected(
            access,
            200,
            {"request": {"request_id": "r", "method": "m", "params": {}}},
            needed=("request.method",) if access is Access.SIGNED else ("request", "request.method"),
            free=("request.params",),
            faults=(*gone, Fault("control character", 400, {"request": {"method": "a\x00b"}})),
        ),
        f"POST {path}/{{worker_id}}/events": Expected(
            access,
            202,
            event(),
            needed=("event.event_type",) if access is Access.SIGNED else ("event", "event.event_type"),
            faults=(
                *gone,
                Fault("too deep", 422, DEEP),
                refused({"event": []}, "event"),
                refused(event(event_type=None), "event.event_type"),
                refused(event(event_type="heartbeat"), "event.event_type"),
                refused(event(event_type="worker." + "x" * 154), "event.event_type"),
                Fault("type", 400, event(event_type="worker." + "x" * 150)),
                Fault("control character", 400, event(event_type="worker.\x1f")),
                Fault("too large", 413, event(payload={"text": "x" * 530_000})),
                Fault("handshake", 400, event(payload=HANDSHAKE)),
                Fault("shape", 400, event(event_type="worker.request.claimed", payload={"request_id": "r"})),
                Fault("the server's", 400, event(event_type="worker.message.expired")),
                Fault("not open", 409, event(event_type="worker.request.claimed", payload=CLAIM)),
            ),
        ),
        f"POST {path}/{{worker_id}}/events/batch": Expected(
            access,
            202,
            batch({"payload": {}}),
            needed=("events", "events.0.event_id", "events.0.event_type"),
            faults=(
                *gone,
                refused({"events": []}, "events"),
                refused(batch(*[{}] * 501), "events"),
                refused(batch({}, {"event_id": 5}), "events.1.event_id"),
                refused(batch({}, {"event_type": "x"}), "events.1.event_type"),
                refused(batch({"payload": {"text": "x" * MIB}}), "events"),
                Fault("control character", 400, batch({}, {"event_id": "a\x00"})),
                Fault("control character", 400, batch({}, {"event_type": "worker.\x7f"})),
                Fault("identity", 409, batch({}, {"event_id": "e0", "payload": {"n": 1}})),
                Fault("shape", 400, batch({}, {"event_type": "worker.turn.usage"})),
                Fault("not open", 409, batch({}, {"event_type": "worker.request.claimed", "payload": CLAIM})),
                Fault("claimed", 409, batch(MESSAGE_CLAIM, {**MESSAGE_CLAIM, "payload": OTHER_CLAIM})),
            ),
        ),
        f"POST {path}/{{worker_id}}/stop": Expected(
            access, 202, {"reason": "r"}, faults=(refused({"reason": "x" * 256}, "reason"),)
        ),
        f"GET {path}/{{worker_id}}/stream": Expected(
            access,
            200,
            query="cursor=0&tail_ms=1",
            faults=(refused_query("cursor=x"), refused_query("cursor=-1"), refused_query("tail_ms=0")),
        ),
    }


WORKER_HISTORY = Expected(
    Access.USER,
    200,
    query="before=9&limit=5",
    faults=(*map(refused_query, ("before=x", "after=-1", "limit=0", "limit=501", "after=1&before=9")),),
)


def frame(**fields: Any) -> dict[str, Any]:
    return {"thread_id": THREAD, "frame_id": "f", "type": "note", "payload": {}} | fields


def run_routes(path: str) -> dict[str, Expected]:
    """A thread in body or query (runtime §2.4); that order is checked in test_runs.py."""
    run, thread = f"{path}/{{run_id}}", f"thread_id={THREAD}"
    faults = (refused_query(""), refused_query(f"thread_id={'t' * 256}"))
    read = Expected(Access.SIGNED, 200, query=thread, faults=faults)
    return {
        f"GET {path}": Expected(
            Access.SIGNED, 200, faults=(refused_query("limit=0"), refused_query(f"limit=201&thread_id={'t' * 256}"))
        ),
        f"POST {path}": Expected(
            Access.SIGNED,
            202,
            {"thread_id": THREAD},
            needed=("thread_id",),
            faults=(
                refused({"thread_id": THREAD, "run_id": 5}),
                refused({"thread_id": THREAD, "run_id": "r" * 256}),
                refused({"thread_id": THREAD, "run_id": "with/slash"}),
                refused({"thread_id": "a\x00b"}),
            ),
        ),
        f"POST {run}/frames": Expected(
            Access.SIGNED,
            202,
            frame(occurred_at="2026-01-01T00:00:00Z"),
            needed=("thread_id", "frame_id", "type"),
            faults=(
                refused(frame(frame_id="f" * 256)),
                refused(frame(type="t" * 256)),
                refused(frame(payload=[1])),
                refused(frame(occurred_at="soon")),
                Fault("control character", 400, frame(frame_id="a\x00b")),
                Fault("control character", 400, frame(type="a\x1fb")),
                Fault("too large", 413, frame(payload={"text": "x" * 530_000})),
                Fault("identity", 409, frame(frame_id="f:known", payload={"n": 1})),
                Fault("identity", 409, frame(frame_id="f:known", type="other")),
            ),
        ),
        f"POST {run}/cancel": Expected(
            Access.SIGNED,
            202,
            {"thread_id": THREAD, "reason": "r"},
            needed=("thread_id",),
            faults=(refused({"thread_id": THREAD, "reason": "x" * 1001}),),
        ),
        f"GET {run}/snapshot": read,
        f"GET {run}/stream": read._replace(
            query=f"{thread}&cursor=0&tail_ms=1",
            faults=(
                *faults,
                *(refused_query(f"{thread}&{wrong}") for wrong in ("cursor=x", "cursor=-1", "tail_ms=0")),
            ),
        ),
    }


def public_run_routes(path: str) -> dict[str, Expected]:
    """Additive (docs/runs.md): the run's id names it, so no thread is asked for."""
    run = f"{path}/{{run_id}}"
    read = Expected(Access.USER, 200)
    new = {"frame_id": "f", "type": "note", "payload": {}}
    return {
        f"GET {path}": read._replace(
            faults=(
                refused_query("limit=0"),
                refused_query("status=asleep"),
                refused_query(f"limit=201&thread_id={'t' * 256}"),
            )
        ),
        f"POST {path}": Expected(
            Access.USER,
            202,
            {"run_id": NEW, "thread_id": THREAD},
            faults=(
                refused({"run_id": "r" * 256}, "run_id"),
                refused({"run_id": "with/slash"}, "run_id"),
                Fault("control character", 400, {"thread_id": "a\x00b"}),
            ),
        ),
        f"GET {run}": read,
        f"GET {run}/chain": read,
        f"GET {run}/events": read._replace(
            query="before=9&limit=5",
            faults=(*map(refused_query, ("before=x", "after=-1", "limit=0", "limit=501", "after=1&before=9")),),
        ),
        f"GET {run}/stream": read._replace(
            query="cursor=0&tail_ms=1",
            faults=(refused_query("cursor=x"), refused_query("cursor=-1"), refused_query("tail_ms=0")),
        ),
        f"POST {run}/frames": Expected(
            Access.USER,
            202,
            new | {"occurred_at": "2026-01-01T00:00:00Z"},
            needed=("frame_id", "type"),
            faults=(
                refused(new | {"frame_id": "f" * 256}, "frame_id"),
                refused(new | {"occurred_at": "soon"}, "occurred_at"),
                Fault("control character", 400, new | {"type": "a\x1fb"}),
                Fault("too large", 413, new | {"payload": {"text": "x" * 530_000}}),
                Fault("identity", 409, new | {"frame_id": "f:known", "payload": {"n": 1}}),
            ),
        ),
        f"POST {run}/cancel": Expected(
            Access.USER, 202, {"reason": "r"}, faults=(refused({"reason": "x" * 1001}, "reason"),)
        ),
    }


def held(**fields: Any) -> dict[str, Any]:
    """A reservation that the cast made (runtime §1.8)."""
    return {"run_id": "run_spend", "tool_call_id": "tc:known"} | fields


def spend_routes(path: str) -> dict[str, Expected]:
    """Fields of runtime §1.8, the ledger's refusals of §3.5."""
    one = f"{path}/{{authorization_id}}"
    holds = f"{one}/reservations"
    ids = ("run_id", "tool_call_id")
    listed = Expected(Access.SIGNED, 200, faults=(refused_query("limit=0"), refused_query("limit=201")))
    return {
        f"GET {path}": listed,
        f"POST {path}": Expected(
            Access.SIGNED,
            202,
            NEW_AUTHORIZATION,
            faults=(
                refused({"mode": "system"}),
                refused({"threshold_sats": 5}),
                refused({"mode": "delegated_budget_with_threshold"}),
                refused({"max_total_sats": -1}),
                refused({"max_per_day_sats": 2_100_000_000_000_001}),
                refused({"max_per_call_sats": 1.5}),
                refused({"authorization_id": "a" * 256}),
                refused({"authorization_id": "a/b"}),
                refused({"authorization_id": "a\x1fb"}),
                refused({"expires_at": "2026-01-01T00:00:00"}),
                refused({"expires_at": "0001-01-01T00:00:00+14:00"}),
                refused({"constraints": [1]}),
                Fault("no such parent", 404, {"parent_authorization_id": "auth-nobody"}),
            ),
        ),
        f"GET {one}": Expected(Access.SIGNED, 200),
        f"POST {one}/revoke": Expected(
            Access.SIGNED, 202, {"reason": "r"}, faults=(refused({"reason": "r" * 256}), refused({"reason": "a\x00b"}))
        ),
        f"GET {holds}": listed,
        f"POST {holds}": Expected(
            Access.SIGNED,
            202,
            held(
                tool_call_id="tc:new",
                amount_sats=5,
                retry_class="safe_retry",
                approved=True,
                provider_idempotency_key="k",
                metadata={},
            ),
            needed=(*ids, "amount_sats"),
            faults=(
                *(refused(held(amount_sats=wrong)) for wrong in (0, -1, 1.5, "5", True)),
                refused(held(amount_sats=5, retry_class="always")),
                refused(held(amount_sats=5, tool_call_id="t" * 256)),
                refused(held(amount_sats=5, tool_call_id="a\x00b")),
                Fault("over budget", 409, held(tool_call_id="tc:new", amount_sats=101)),
                Fault("another amount", 409, held(amount_sats=6)),
                Fault("final", 409, held(tool_call_id="tc:released", amount_sats=5)),
            ),
        ),
        f"POST {holds}/commit": Expected(
            Access.SIGNED,
            202,
            held(amount_sats=5, reconciled=True, provider_correlation_id="c", provider_idempotency_key="k"),
            needed=ids,
            faults=(
                refused(held(amount_sats=-1)),
                Fault("larger than its hold", 409, held(amount_sats=6)),
                Fault("final", 409, held(tool_call_id="tc:released")),
                Fault("no reservation", 404, held(tool_call_id="tc:nobody")),
            ),
        ),
        f"POST {holds}/release": Expected(
            Access.SIGNED,
            202,
            held(failure_reason="r", reconciled=True),
            needed=ids,
            faults=(
                refused(held(failure_reason="r" * 256)),
                Fault("final", 409, held(tool_call_id="tc:committed")),
                Fault("no reservation", 404, held(tool_call_id="tc:nobody")),
            ),
        ),
        f"POST {holds}/reconcile-required": Expected(
            Access.SIGNED,
            202,
            held(reason="r"),
            needed=ids,
            faults=(
                refused(held(reason="r" * 256)),
                Fault("final", 409, held(tool_call_id="tc:released")),
                Fault("no reservation", 404, held(tool_call_id="tc:nobody")),
            ),
        ),
    }


def public_spend_routes(path: str) -> dict[str, Expected]:
    """Additive (docs/budgets.md); what the ledger refuses is a 400 on both APIs (edge §2.6)."""
    one = f"{path}/{{authorization_id}}"
    listed = Expected(Access.USER, 200, faults=(refused_query("limit=0"), refused_query("limit=201")))
    return {
        f"GET {path}": listed,
        f"POST {path}": Expected(
            Access.USER,
            202,
            NEW_AUTHORIZATION,
            faults=(
                refused({"mode": "system"}, "mode"),
                refused({"max_total_sats": -1, "max_per_call_sats": 1.5}, "max_total_sats", "max_per_call_sats"),
                refused({"expires_at": "2026-01-01T00:00:00"}, "expires_at"),
                Fault("the ledger's", 400, {"threshold_sats": 5}),
                Fault("the ledger's", 400, {"authorization_id": "a/b"}),
                Fault("control character", 400, {"authorization_id": "a\x1fb"}),
                Fault("no such parent", 404, {"parent_authorization_id": "auth-nobody"}),
            ),
        ),
        f"GET {one}": Expected(Access.USER, 200),
        f"POST {one}/revoke": Expected(
            Access.USER, 202, {"reason": "r"}, faults=(refused({"reason": "r" * 256}, "reason"),)
        ),
        f"GET {one}/holds": listed._replace(faults=(*listed.faults, refused_query("state=lost"))),
        f"GET {one}/denials": listed,
    }


def registry_routes(path: str) -> dict[str, Expected]:
    """Without a token and without a database (docs/data-engineers.md)."""
    subject, schema = f"{path}/subjects/{{subject}}", f"{path}/schemas/ids/{{id}}"
    found = Expected(Access.REGISTRY, 200, without_postgres=200)
    read = ("", "/", "/schemas/types", "/subjects", "/config", "/mode")
    return {
        **{f"GET {path}{suffix}": found for suffix in read},
        **{f"GET {schema}{suffix}": found for suffix in ("", "/schema", "/subjects", "/versions")},
        **{f"GET {subject}/versions{suffix}": found for suffix in ("", "/{version}", "/{version}/schema")},
        f"GET {path}/config/{{subject}}": found._replace(
            query="defaultToGlobal=true", any_object=True, faults=(Fault("no level of its own", 404, query=""),)
        ),
        f"POST {subject}": found._replace(body={"schema": SCHEMA.text()}, needed=("schema",)),
        f"POST {subject}/versions": Expected(Access.REGISTRY, 422, any_object=True, without_postgres=422),  # read-only
    }


FOR_ADMINS = Expected(Access.USER, 403, any_object=True)
"""Nobody here is one; test_system.py asks as one."""
PAGE = Expected(Access.ANYBODY, 302, without_postgres=302)
"""Nobody is signed in: pages know no bearer tokens (ADR 15)."""

ROUTES: Final = {
    "GET /livez": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /readyz": Expected(Access.ANYBODY, 200),
    "GET /up": Expected(Access.ANYBODY, 200, without_postgres=500),
    "GET /metrics": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /dev/mailbox": Expected(Access.ANYBODY, 200, faults=(refused_query("to=" + "x" * 256),)),
    "GET /dev/sign-in": Expected(
        Access.ANYBODY,
        302,
        query="key=key-of-the-tests",
        faults=(refused_query(""), Fault("another key", 403, query="key=key")),
    ),
    "POST /api/auth/email": EMAIL,
    "POST /api/auth/verify": VERIFY,
    "POST /logout": Expected(Access.ANYBODY, 302, headers=A_SESSION),
    "GET /api/me": Expected(Access.USER, 200),
    "GET /api/tokens": Expected(Access.USER, 200),
    "POST /api/tokens": NEW_TOKEN,
    "DELETE /api/tokens": Expected(Access.USER, 200),
    "DELETE /api/tokens/current": Expected(Access.USER, 200),
    "DELETE /api/tokens/{token_id:int}": Expected(Access.USER, 200),
    "DELETE /api/sessions": Expected(Access.USER, 200),
    "GET /api/system": FOR_ADMINS,
    "POST /api/system/quarantine/{id}/retry": FOR_ADMINS,
    "POST /api/system/quarantine/{id}/drop": FOR_ADMINS,
    "POST /api/sync/token": SYNC_TOKEN,
    "POST /api/khala/token": KHALA_TOKEN,
    "GET /answer/{token}": NOBODYS_LINK,
    "POST /answer/{token}": NOBODYS_LINK._replace(
        body={"attempt": "a"}, faults=(refused({"attempt": LONG}, "attempt"),)
    ),
    "GET /api/notifications": Expected(Access.USER, 200),
    "GET /api/webhooks": Expected(Access.USER, 200),
    "POST /api/webhooks": NEW_WEBHOOK,
    f"DELETE {WEBHOOK_PATH}": Expected(Access.USER, 200),
    f"POST {WEBHOOK_PATH}/test": Expected(Access.USER, 202),
    f"POST {WEBHOOK_PATH}/replay": REPLAY,
    f"GET {WEBHOOK_PATH}/deliveries": Expected(Access.USER, 200),
    "GET /api/push/key": Expected(Access.USER, 200),
    "GET /api/push-subscriptions": Expected(Access.USER, 200),
    "POST /api/push-subscriptions": PUSH_SUBSCRIPTION,
    "DELETE /api/push-subscriptions": Expected(Access.USER, 200),
    "DELETE /api/push-subscriptions/{subscription_id:int}": Expected(Access.USER, 200),
    **worker_routes("/api/runtime/codex/workers", Access.USER, ""),
    "GET /api/runtime/codex/workers/{worker_id}/events": WORKER_HISTORY,
    **worker_routes("/internal/v1/codex/workers", Access.SIGNED, "/snapshot"),
    **run_routes("/internal/v1/runs"),
    **spend_routes("/internal/v1/spend/authorizations"),
    **public_run_routes("/api/runtime/runs"),
    **public_spend_routes("/api/runtime/spend/authorizations"),
    "GET /internal/v1/health": Expected(Access.SIGNED, 200),
    "POST /internal/v1/comms/delivery-events": DELIVERY,
    **registry_routes("/registry"),
    "GET /static/{digest}/{name:path}": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /manifest.webmanifest": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /favicon.ico": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /login": PAGE._replace(good=200, without_postgres=200),
    "GET /": PAGE,
    "GET /workers/{name}": PAGE,
    "GET /runs": PAGE,
    "GET /runs/{name}": PAGE,
    "GET /budgets": PAGE,
    "GET /budgets/{name}": PAGE,
    "GET /system": PAGE,
    "GET /notifications": PAGE,
    "GET /tokens": PAGE,
    "GET /sw.js": Expected(Access.ANYBODY, 200, without_postgres=200),
    "GET /openapi.json": Expected(Access.ANYBODY, 200, without_postgres=200),
    "SOCKET /sync/socket/websocket": Expected(Access.SOCKET, 400, without_postgres=400),
    "SOCKET /socket/websocket": Expected(Access.SOCKET, 400, without_postgres=400),
}
"""By method and path, as the app's own table has them; SOCKET for the live socket's addresses, whatever the method."""
