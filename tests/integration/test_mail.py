"""Both ways of sending mail keep the same promises: a real SMTP conversation, and the local profile's table."""

import asyncio
import email
import email.policy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import asyncpg
import pytest

from edge.auth.mail import Mail, Mailer, MailFailed
from edge.auth.mail.mailbox import Mailbox
from edge.auth.mail.smtp import SmtpMailer, SmtpSettings
from tests.account_app import Clock, account_client
from tests.services import free_port

PORT, NOBODYS_PORT = free_port(), free_port()
MAIL = Mail("ada@lane.test", "Your sign-in code", "Your code is 123456.\n\n.A line of its own, ü.\n", "123456")


@dataclass
class SmtpServer:
    """Enough of RFC 5321 to take a mail; refuses the recipient `nobody@…`."""

    received: list[bytes] = field(default_factory=list)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(b"220 ready\r\n")
            while line := await reader.readline():
                verb = line[:4].upper()
                writer.write(await self._reply(verb, line, reader, writer))
                if verb == b"QUIT":
                    break
        finally:
            writer.close()

    async def _reply(
        self, verb: bytes, line: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        match verb:
            case b"EHLO":
                return b"250-here\r\n250 8BITMIME\r\n"
            case b"RCPT" if b"nobody@" in line:
                return b"550 no such user\r\n"
            case b"DATA":
                writer.write(b"354 go on\r\n")
                text = await reader.readuntil(b"\r\n.\r\n")
                self.received.append(text.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n."))
                return b"250 taken\r\n"
            case b"QUIT":
                return b"221 bye\r\n"
        return b"250 fine\r\n"


@dataclass
class Way:
    """A mailer and how a test sees what arrived: recipient, subject, text."""

    mailer: Mailer
    arrived: Callable[[], Awaitable[list[tuple[str, str, str]]]]


@asynccontextmanager
async def smtp() -> AsyncIterator[Way]:
    server = SmtpServer()

    async def arrived() -> list[tuple[str, str, str]]:
        mails = [email.message_from_bytes(raw, policy=email.policy.default) for raw in server.received]
        return [(mail["To"], mail["Subject"], mail.get_content().replace("\r\n", "\n")) for mail in mails]

    async with await asyncio.start_server(server.serve, "127.0.0.1", PORT):
        settings = SmtpSettings("127.0.0.1", PORT, "OpenAgents <no-reply@lane.test>", security="none", timeout_s=5)
        yield Way(SmtpMailer(settings), arrived)


@asynccontextmanager
async def mailbox(pool: asyncpg.Pool) -> AsyncIterator[Way]:
    box = Mailbox(pool, Clock())

    async def arrived() -> list[tuple[str, str, str]]:
        mails = [received.mail for received in reversed(await box.newest(None))]
        return [(mail.to, mail.subject, mail.text) for mail in mails]

    yield Way(box, arrived)


@pytest.fixture(params=["smtp", "mailbox"])
async def way(request: pytest.FixtureRequest, pool: asyncpg.Pool) -> AsyncIterator[Way]:
    await pool.execute("truncate dev_mailbox")
    async with smtp() if request.param == "smtp" else mailbox(pool) as way:
        yield way


async def test_what_is_sent_arrives_whole_and_in_order(way: Way) -> None:
    second = Mail("grace@lane.test", "Another", "x\n")
    await way.mailer.send(MAIL)
    await way.mailer.send(second)
    assert await way.arrived() == [(mail.to, mail.subject, mail.text) for mail in (MAIL, second)]


@pytest.mark.parametrize(
    "settings",
    [
        SmtpSettings("127.0.0.1", NOBODYS_PORT, "a@lane.test", security="none", timeout_s=5),
        SmtpSettings("127.0.0.1", PORT, "a@lane.test", security="starttls", timeout_s=5),
    ],
)
async def test_a_server_that_is_away_or_too_simple_fails_the_mail(settings: SmtpSettings) -> None:
    async with smtp() as way:
        with pytest.raises(MailFailed):
            await SmtpMailer(settings).send(MAIL)
        assert await way.arrived() == []


@pytest.mark.parametrize("to", ["nobody@lane.test", "a@lane.test\nBcc: b@lane.test"])
async def test_an_address_the_server_or_a_header_does_not_take_fails_the_mail(to: str) -> None:
    async with smtp() as way:
        with pytest.raises(MailFailed):
            await way.mailer.send(Mail(to, "s", "t"))
        assert await way.arrived() == []


async def test_a_lost_table_fails_the_mail(database: str) -> None:
    async with asyncpg.create_pool(database, min_size=0) as pool:
        box = Mailbox(pool, Clock())
    with pytest.raises(MailFailed):
        await box.send(MAIL)


async def test_the_mailbox_is_a_page_for_people_and_json_for_programs(pool: asyncpg.Pool) -> None:
    clock = Clock()
    box = Mailbox(pool, clock)
    await pool.execute("truncate dev_mailbox")
    for subject in ("<first>", "second"):
        await box.send(Mail("Ada@Lane.test", subject, "text", "123456"))
        clock.advance(seconds=1)
    await box.send(Mail("grace@lane.test", "other", "text"))
    async with account_client(pool) as client:
        page = await client.get("/dev/mailbox")
        assert page.headers["content-type"].startswith("text/html")
        assert "&lt;first&gt;" in page.text
        assert "grace@lane.test" in page.text
        answer = await client.get("/dev/mailbox?to=ada@lane.test", headers={"accept": "application/json"})
        newest, _ = answer.json()["data"]
        assert newest == {
            "to": "Ada@Lane.test",
            "subject": "second",
            "text": "text",
            "code": "123456",
            "at": "2026-02-25T12:00:01.000000Z",
        }
