"""What has arrived is taken at once, or after a while together (DESIGN §6)."""

import asyncio

from processors.inbox import Inbox


async def test_what_is_there_is_taken_at_once_up_to_the_limit() -> None:
    inbox = Inbox[int](limit=2)
    for number in range(3):
        await inbox.put(number)
    assert (await inbox.take(), await inbox.take()) == ([0, 1], [2])


async def test_at_leisure_what_comes_meanwhile_is_taken_too() -> None:
    inbox = Inbox[int](leisure_s=0.05)
    await inbox.put(1)
    taking = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    await inbox.put(2)
    async with asyncio.timeout(5):
        assert await taking == [1, 2]


async def test_a_full_batch_waits_for_nobody() -> None:
    inbox = Inbox[int](limit=2, leisure_s=3600)
    for number in range(3):
        await inbox.put(number)
    async with asyncio.timeout(5):
        assert await inbox.take() == [0, 1]
