"""Webhooks: signed, in order, at least once, whoever fails or is slow; replayed, paused, never to us (ADR 15)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from processors.outgoing import Outgoing, Undelivered
from producers.errors import NotFound
from producers.eventlog.log import EventLog
from producers.eventlog.reader import LogReader
from schemas.addresses import is_public
from schemas.answer_links import opened
from tests.services import eventually
from tests.told import LINKS, Owner, delivering, owner_of
from tests.webhook_receiver import Receiver, documented, receiving

Pool = asyncpg.Pool
NAMES = [f"worker/{number}" for number in range(5)]


@pytest.fixture
def database(own_database: str) -> str:
    return own_database


@pytest.fixture
async def ada(pool: "Pool[Any]", log: EventLog) -> Owner:
    return await owner_of(pool, log, "ada@lane.test")


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with receiving() as receiver:
        yield receiver


async def hooked(owner: Owner, receiver: Receiver) -> int:
    """A webhook that leads there."""
    webhook_id, receiver.secret = await owner.webhook(receiver.url)
    return webhook_id


async def test_every_notification_is_sent_once_signed_and_in_order(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    """What was told before there was a webhook is not sent."""
    await ada.tell("earlier")
    webhook_id = await hooked(ada, receiver)
    await ada.tell(*NAMES)
    async with delivering(pool, log):
        await eventually(lambda: len(receiver.taken) == 5)
        await ada.tell("later", status="cleared")
        await until_cursor(ada, 7)
    assert receiver.names() == [*NAMES, "later"]
    assert [message["id"] for message in receiver.taken] == [f"ntf_{webhook_id}_{number}" for number in range(2, 8)]
    assert receiver.taken[-1]["notification"]["status"] == "cleared"
    assert [headers["webhook-id"] for headers in receiver.headers] == [message["id"] for message in receiver.taken]
    [stands] = await ada.outlets.list(ada.user_id, "webhook")
    assert (stands.cursor, stands.head, stands.failures) == (7, 7, 0)


async def test_what_is_not_signed_with_the_secret_is_found_by_the_documented_lines(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    await hooked(ada, receiver)
    await ada.tell("one")
    async with delivering(pool, log):
        await eventually(lambda: bool(receiver.taken))
    [headers], [body], verify = receiver.headers, receiver.bodies, documented()
    verify(receiver.secret, headers, body)
    for forged in (body + b" ", body.replace(b"one", b"two")):
        with pytest.raises(ValueError, match="not signed"):
            verify(receiver.secret, headers, forged)
    with pytest.raises(ValueError, match="not signed"):
        verify("whsec_" + "A" * 44, headers, body)
    with pytest.raises(ValueError, match="not signed"):
        verify(receiver.secret, headers | {"webhook-id": "ntf_0_0"}, body)


async def test_a_question_comes_with_links_that_answer_it(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    await hooked(ada, receiver)
    await ada.ask("ap-1")
    await ada.tell("approval/wk1/ap-1", status="cleared", cause="approval_waiting")
    async with delivering(pool, log):
        await eventually(lambda: len(receiver.taken) == 2)
    asked, cleared = receiver.taken
    links = {
        name: opened(LINKS.key, url.removeprefix(f"{LINKS.origin}/answer/")) for name, url in asked["answers"].items()
    }
    assert {name: link.decision for name, link in links.items()} == {"approve": "accept", "deny": "deny"}
    assert {(link.owner, link.worker_id, link.approval_id) for link in links.values()} == {(ada.owner, "wk1", "ap-1")}
    assert cleared["answers"] is None


async def test_a_receiver_that_fails_gets_the_same_message_until_it_takes_it(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    """Also a redirect is no delivery; nothing overtakes."""
    webhook_id = await hooked(ada, receiver)
    receiver.statuses = [500, 302, 404, 200, 503]
    await ada.tell("one", "two")
    async with delivering(pool, log):
        await eventually(lambda: len(receiver.taken) == 2)
        first, second = (f"ntf_{webhook_id}_{number}" for number in (1, 2))
        assert receiver.seen == [(first, 500), (first, 302), (first, 404), (first, 200), (second, 503), (second, 200)]
        await until_cursor(ada, 2)
    statuses = [(first, 1, 500), (first, 2, 302), (first, 3, 404), (first, 4, 200), (second, 1, 503), (second, 2, 200)]
    assert await ada.attempts() == statuses
    assert (await ada.stands())["last_error"] is None


async def until_cursor(owner: Owner, cursor: int) -> None:
    async with asyncio.timeout(10):
        while (await owner.stands())["cursor"] != cursor:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)


async def test_a_slow_receiver_holds_nobody_else_up(pool: "Pool[Any]", log: EventLog, ada: Owner) -> None:
    bob = await owner_of(pool, log, "bob@lane.test")
    async with receiving() as slow, receiving() as quick, delivering(pool, log):
        slow.held = asyncio.Event()
        await hooked(ada, slow)
        await hooked(bob, quick)
        await ada.tell(*NAMES)
        await bob.tell(*NAMES)
        await eventually(lambda: quick.names() == NAMES)
        assert slow.taken == []
        slow.held.set()
        await eventually(lambda: slow.names() == NAMES)


async def test_a_receiver_that_does_not_answer_in_time_is_one_that_failed(receiver: Receiver) -> None:
    receiver.held = asyncio.Event()
    outgoing = Outgoing(private_addresses=True, timeout_s=0.2)
    with pytest.raises(Undelivered, match=r"no answer within 0\.2 s"):
        await outgoing.post(receiver.url, {}, b"{}")
    receiver.held.set()
    await outgoing.close()


async def test_nobody_hears_of_somebody_elses(pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver) -> None:
    bob = await owner_of(pool, log, "bob@lane.test")
    webhook_id = await hooked(ada, receiver)
    await bob.tell("his")
    await ada.tell("hers")
    async with delivering(pool, log):
        await eventually(lambda: bool(receiver.taken))
    assert receiver.names() == ["hers"]
    for forbidden in (
        bob.outlets.test(bob.user_id, webhook_id),
        bob.outlets.replay(bob.user_id, webhook_id, 0),
        bob.outlets.attempts(bob.user_id, webhook_id),
        bob.outlets.remove(bob.user_id, "webhook", webhook_id),
    ):
        with pytest.raises(NotFound):
            await forbidden


async def test_two_processes_share_the_work_and_send_nothing_twice(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    await hooked(ada, receiver)
    async with AsyncExitStack() as both:
        for name in ("one", "two"):
            await both.enter_async_context(delivering(pool, log, name=name))
        for name in NAMES:
            await ada.tell(name)
            await eventually(lambda name=name: name in receiver.names())  # type: ignore[misc]
    assert receiver.names() == NAMES


async def test_a_lease_that_nobody_holds_any_more_is_taken_over(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    await hooked(ada, receiver)
    await ada.tell("one")
    await pool.execute("update outlets set lease = 'killed', leased_until = now() + interval '300 ms'")
    async with delivering(pool, log):
        await eventually(lambda: bool(receiver.taken))
        await until_cursor(ada, 1)
    assert (await ada.stands())["lease"] != "killed"


# --- replay, test, pause ---------------------------------------------------------------------------------------------


async def test_a_replay_sends_again_what_follows_a_watermark(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    webhook_id = await hooked(ada, receiver)
    await ada.tell(*NAMES)
    async with delivering(pool, log):
        await eventually(lambda: len(receiver.taken) == 5)
        assert await ada.outlets.replay(ada.user_id, webhook_id, 2) == 2
        await eventually(lambda: len(receiver.taken) == 8)
    assert receiver.names() == [*NAMES, *NAMES[2:]]
    assert receiver.taken[2] == receiver.taken[5]


async def test_a_replay_during_a_delivery_is_not_undone_by_it(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    webhook_id = await hooked(ada, receiver)
    await ada.tell("one")
    async with delivering(pool, log, look_every_s=0.02):
        await eventually(lambda: len(receiver.taken) == 1)
        await until_cursor(ada, 1)
        arrived: list[Any] = []
        receiver.held = asyncio.Event()
        receiver.before = arrived.append
        await ada.tell("two")
        await eventually(lambda: bool(arrived))
        await ada.outlets.replay(ada.user_id, webhook_id, 0)
        receiver.held.set()
        await eventually(lambda: receiver.names() == ["one", "two", "one", "two"])


async def test_a_test_message_is_sent_once_also_to_a_webhook_that_waits(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    webhook_id = await hooked(ada, receiver)
    await pool.execute("update outlets set paused_at = now()")
    await ada.tell("one")
    receiver.statuses = [500]
    async with delivering(pool, log):
        first = await ada.outlets.test(ada.user_id, webhook_id)
        await eventually(lambda: receiver.seen == [(first, 500)])
        await until_tested(ada)
        second = await ada.outlets.test(ada.user_id, webhook_id)
        await eventually(lambda: receiver.seen == [(first, 500), (second, 200)])
        await until_tested(ada)
    assert receiver.taken[0]["topic"] == "test"
    assert await ada.attempts() == [(first, 1, 500), (second, 1, 200)]
    assert (await ada.stands())["cursor"] == 0


async def until_tested(owner: Owner) -> None:
    async with asyncio.timeout(10):
        while (await owner.stands())["test_id"]:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)


@pytest.mark.parametrize("reason", ["a day of failures", "gone"])
async def test_a_webhook_nobody_answers_at_is_paused_and_its_owner_told(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver, reason: str
) -> None:
    webhook_id = await hooked(ada, receiver)
    await ada.tell("one")
    if reason == "gone":
        receiver.statuses = [410]
    else:
        receiver.statuses = [500]
        await pool.execute("update outlets set failures = 30, failing_since = now() - interval '1 day'")
    async with delivering(pool, log):
        await eventually(lambda: bool(receiver.seen))
        await until_paused(ada)
        assert await told(pool) == [("notification.raised", f"webhook/{webhook_id}")]
        await ada.outlets.replay(ada.user_id, webhook_id, None)
        await eventually(lambda: receiver.names() == ["one"])
    assert await told(pool) == [
        ("notification.raised", f"webhook/{webhook_id}"),
        ("notification.cleared", f"webhook/{webhook_id}"),
    ]


async def until_paused(owner: Owner) -> None:
    async with asyncio.timeout(10):
        while not (await owner.stands())["paused_at"]:  # noqa: ASYNC110 - a row sets no event
            await asyncio.sleep(0.02)


async def told(pool: "Pool[Any]") -> list[tuple[str, str]]:
    return [(event.type, event.payload["notification_id"]) for event in await LogReader(pool).read_all(0, 100)]


async def test_pauses_grow_up_to_the_longest(pool: "Pool[Any]", log: EventLog) -> None:
    async with delivering(pool, log, first_pause=timedelta(seconds=5), longest_pause=timedelta(hours=1)) as outlets:
        pauses = [outlets._pause(failures) for failures in (0, 1, 2, 9, 10, 5000)]
    for pause, longest_s in zip(pauses, (5, 10, 20, 2560, 3600, 3600), strict=True):
        assert longest_s / 2 <= pause.total_seconds() <= longest_s


async def test_only_the_last_attempts_are_kept(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    webhook_id = await hooked(ada, receiver)
    await ada.tell(*(f"worker/{number}" for number in range(60)))
    async with delivering(pool, log):
        await until_cursor(ada, 60)
    attempts = await ada.outlets.attempts(ada.user_id, webhook_id)
    assert [attempt.watermark for attempt in attempts] == list(range(60, 10, -1))


# --- where messages may go -------------------------------------------------------------------------------------------


OURS = """
    127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 ::1 ::
    fe80::1 fc00::1 ff02::1 ::ffff:127.0.0.1 ::ffff:192.168.0.1 64:ff9b::7f00:1 2002:7f00:1:: 2001:0:7f00:1::
"""


@pytest.mark.parametrize("address", OURS.split())
def test_an_address_of_our_own_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "64:ff9b::5db8:d822"])
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0177.0.0.1", "2130706433", "[::1]"])
async def test_nothing_is_sent_to_ourselves_however_the_address_is_written(receiver: Receiver, host: str) -> None:
    """What is looked at is the address that the connection would be made to."""
    outgoing = Outgoing(private_addresses=False)
    with pytest.raises(Undelivered):
        await outgoing.post(receiver.url.replace("127.0.0.1", host), {}, b"{}")
    assert receiver.bodies == []
    await outgoing.close()


async def test_a_refused_address_is_told_to_the_owner_as_the_reason(
    pool: "Pool[Any]", log: EventLog, ada: Owner, receiver: Receiver
) -> None:
    await hooked(ada, receiver)
    await ada.tell("one")
    async with delivering(pool, log, private_addresses=False, first_pause=timedelta(hours=1)):
        async with asyncio.timeout(10):
            while not (await ada.stands())["failures"]:  # noqa: ASYNC110 - a row sets no event
                await asyncio.sleep(0.02)
    assert (await ada.stands())["last_error"] == "its address is not of the public internet"
    assert receiver.bodies == []


async def test_a_name_is_sent_with_the_request_though_the_connection_is_to_its_address(receiver: Receiver) -> None:
    outgoing = Outgoing(private_addresses=True)
    assert await outgoing.post(receiver.url.replace("127.0.0.1", "localhost"), {"x": "y"}, b"{}") == 200
    port = receiver.url.split(":")[2].partition("/")[0]
    assert (receiver.headers[0]["host"], receiver.headers[0]["x"]) == (f"localhost:{port}", "y")
    await outgoing.close()


@pytest.mark.parametrize(
    "url", ["ftp://x.test/", "http://", "http://x.test:port/", "http://\u2603.invalid/", "nonsense"]
)
async def test_what_is_no_address_is_undelivered(url: str) -> None:
    outgoing = Outgoing(private_addresses=True)
    with pytest.raises(Undelivered):
        await outgoing.post(url, {}, b"{}")
    await outgoing.close()


# --- what waits now ------------------------------------------------------------------------------------------------


async def test_what_is_open_is_listed_newest_first_for_its_owner_only(
    pool: "Pool[Any]", log: EventLog, ada: Owner
) -> None:
    bob = await owner_of(pool, log, "bob@lane.test")
    await ada.tell("worker/a", "worker/b", "worker/c")
    await ada.tell("worker/b", status="cleared")
    await bob.tell("his")
    found = [notice["notification_id"] for notice in await ada.outlets.waiting(ada.user_id)]
    assert found == ["worker/c", "worker/a"]
