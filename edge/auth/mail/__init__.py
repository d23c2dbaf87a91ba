"""Mail we send: what a mail is, and what every way of sending it promises."""

from dataclasses import dataclass
from typing import Protocol


class MailFailed(Exception):
    """Not accepted for delivery; the caller may try again."""


@dataclass(frozen=True)
class Mail:
    """`code` is the sign-in code that the text contains, for those who read mail by program."""

    to: str
    subject: str
    text: str
    code: str | None = None


class Mailer(Protocol):
    async def send(self, mail: Mail) -> None:
        """Returns when the mail was accepted; raises MailFailed."""
