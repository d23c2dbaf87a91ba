"""Accounts: who signed in once, by e-mail address (edge §1.4, §2.1)."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeAlias

from edge.auth.principals import Principal
from schemas import sql_files

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

    Connection: TypeAlias = asyncpg.Connection[Any] | PoolConnectionProxy[Any]

SQL = sql_files.load(__file__)
_NOT_IN_HANDLES = re.compile(r"[^a-z0-9:_-]+")


@dataclass(frozen=True)
class User:
    id: int
    name: str
    email: str
    handle: str
    avatar: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: "asyncpg.Record") -> "User":
        return cls(**{name: row[name] for name in cls.__dataclass_fields__})


@dataclass(frozen=True)
class Caller:
    """A signed-in user and the personal token used, if any; a cookie session has none."""

    user: User
    token_id: int | None = None

    @property
    def principal(self) -> Principal:
        return Principal(user_id=self.user.id)

    @property
    def owner(self) -> str:
        return self.principal.owner


def handle_of(email: str) -> str:
    """Before it is made unique (edge §1.4)."""
    return _NOT_IN_HANDLES.sub("-", email.rpartition("@")[0].lower()).strip("-")[:64].strip("-") or "user"


async def sign_in_user(connection: "Connection", email: str, now: datetime) -> User:
    """The account of a proven address, made when there is none; its name is the address until somebody sets one."""
    address = email.lower()
    row = None
    while row is None:  # another sign-in may take the address or the handle between the two statements
        row = await connection.fetchrow(SQL["touch_user"], address, now)
        row = row or await connection.fetchrow(SQL["add_user"], address, address, handle_of(address), now)
    return User.of(row)
