"""What clients see of notifications: one document each, also once it is cleared (runtime §10.4)."""

from typing import TYPE_CHECKING, Any, Final

import msgspec

from readmodels.engine.views import Document, View
from schemas import canonical_json, names, sql_files
from schemas.events import Payload, Recorded
from schemas.notifications_generated import NotificationRaised
from schemas.times import iso6

if TYPE_CHECKING:
    import asyncpg

SQL = sql_files.load(__file__)

KIND: Final = "notification"
PROJECTION_VERSION: Final = "khala_summary_v1"


class RuntimeSource(msgspec.Struct, frozen=True):
    entity: str
    notification_id: str
    seq: int


class Notice(Document, frozen=True, kw_only=True):
    """True after its event; all keys are always present."""

    document_id: str
    kind: str = KIND
    notification_id: str
    status: str
    cause: str | None
    title: str | None
    subject: Payload
    owner_user_id: int | None
    owner_guest_scope: str | None
    raised_at: str | None
    cleared_at: str | None
    updated_at: str
    runtime_source: RuntimeSource
    projection_version: str = PROJECTION_VERSION


async def open_of(pool: "asyncpg.Pool[Any]", owner: str, limit: int) -> list[Payload]:
    """What the owner should look at, raised last first."""
    return [canonical_json.decode(row["document"]) for row in await pool.fetch(SQL["open"], owner, limit)]


def notification_id(event: Recorded) -> str:
    return event.stream.removeprefix(names.notification_stream(event.owner, ""))


def document_id(name: str) -> str:
    return f"runtime/{KIND}:{name}"


def apply(notice: Notice | None, event: Recorded) -> Notice:
    """The notice after an event; one that is raised again is open again."""
    now, name = iso6(event.recorded_at), notification_id(event)
    return msgspec.structs.replace(
        notice or _unheard_of(event, name, now),
        updated_at=now,
        runtime_source=RuntimeSource(KIND, name, event.seq),
        projected_at=now,
        **_told(event, now),
    )


def _told(event: Recorded, now: str) -> dict[str, Any]:
    if event.type != NotificationRaised.type:
        return {"status": "cleared", "cleared_at": now}
    told = {field: event.payload[field] for field in ("cause", "title", "subject")}
    return told | {"status": "open", "raised_at": now, "cleared_at": None}


def _unheard_of(event: Recorded, name: str, now: str) -> Notice:
    return Notice(
        document_id=document_id(name),
        notification_id=name,
        status="cleared",
        cause=None,
        title=None,
        subject={},
        owner_user_id=names.owner_user_id(event.owner),
        owner_guest_scope=names.owner_guest_scope(event.owner),
        raised_at=None,
        cleared_at=None,
        updated_at=now,
        runtime_source=RuntimeSource(KIND, name, 0),
        projected_at=now,
    )


NOTICES: Final = View(
    "notifications",
    version=1,
    kinds=(names.NOTIFICATION,),
    topic=names.KAFKA_TOPICS[names.NOTIFICATION],
    feeds=names.NOTIFICATIONS,
    document=Notice,
    doc_key=lambda event: document_id(notification_id(event)),
    apply=apply,
    statements=SQL,
)
