"""On whose behalf a command or a query is made."""

from dataclasses import dataclass

from schemas import names


@dataclass(frozen=True)
class Principal:
    """A user or, without one, a guest; when a user id is present it alone decides (runtime §2.3)."""

    user_id: int | None = None
    guest_scope: str | None = None

    @property
    def owner(self) -> str:
        if self.user_id is not None:
            return names.user_owner(self.user_id)
        assert self.guest_scope, "a principal is somebody"
        return names.guest_owner(self.guest_scope)
