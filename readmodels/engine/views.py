"""What a view is: how its documents are called, made from events, written and read back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import msgspec

from schemas import canonical_json
from schemas.events import Recorded

Key = tuple[str, str]
"""Owner and doc_key: what a row of every view is found by."""


class Document(msgspec.Struct, frozen=True, kw_only=True):
    """A row's document; its fields, in wire form, are its keys."""

    projected_at: str


D = TypeVar("D", bound=Document)


@dataclass(frozen=True)
class View(Generic[D]):
    """A pure function of one topic's events, kept as one document a key (DESIGN I5).

    `kinds` are those of the topic's streams that it folds: a document may be of several that have one name. The first
    is the one whose seq is the document's version; events of other kinds than these do not touch it.
    `version` is the one a new database begins with; `older` ones that said something else go on saying it while
    they are live (ADR 7). `feeds` is the sync topic whose journal gets the changes.
    `statements` holds the view's own DDL: `create` (schema and table of a version, repeatable) and `cut_over` (the
    stable SQL view in front). Of events of its kinds, those that `concerns` says no to do not touch it either.
    `per_event`: a document is of one event, whatever comes after it.
    """

    name: str
    version: int
    kinds: tuple[str, ...]
    topic: str
    feeds: str | None
    document: type[D]
    doc_key: Callable[[Recorded], str]
    apply: Callable[[D | None, Recorded], D]
    statements: Mapping[str, str]
    older: Mapping[int, Callable[[D | None, Recorded], D]] = field(default_factory=dict)
    concerns: Callable[[Recorded], bool] = lambda _event: True
    per_event: bool = False

    @property
    def schema(self) -> str:
        return f"rm_{self.name}_v{self.version}"

    @property
    def table(self) -> str:
        return f"{self.schema}.documents"

    def ddl(self, name: str) -> str:
        return self.statements[name].replace("<schema>", self.schema)

    def after(self, document: D | None, event: Recorded) -> D:
        """The document after an event, as this version tells it."""
        return self.older.get(self.version, self.apply)(document, event)

    def folds(self, event: Recorded) -> bool:
        """Whether the event is news to the view; checkpoints move past the others."""
        return event.kind in self.kinds and self.concerns(event)

    def version_after(self, before: int, event: Recorded) -> int:
        """The document's version, which was `before`, after an event that it folds."""
        return event.seq if event.kind == self.kinds[0] else before

    def key(self, event: Recorded) -> Key:
        return event.owner, self.doc_key(event)

    def decode(self, text: str) -> D:
        return msgspec.json.decode(text, type=self.document)


def encode(document: Document) -> str:
    return canonical_json.encode(msgspec.to_builtins(document)).decode()


def says_the_same(one: Document | None, other: Document) -> bool:
    """Equal but for the time of projection: such a change is no journal row (sync §14.2)."""
    return one is not None and msgspec.structs.replace(one, projected_at=other.projected_at) == other
