"""Replay of one topic to one socket: pages from the database, in batches, until nothing is missing (sync §9, SD-6)."""

from collections.abc import Sequence

from edge.sync.hub import Follower
from edge.sync.settings import SyncSettings
from edge.sync.topics import Page
from edge.sync.updates import Update, batch, split
from edge.sync.websocket import text_frame


async def replay(follower: Follower, batch_rows: int, settings: SyncSettings) -> int:
    """Send what this socket's owner has above `follower.after`; returns how many rows, and leaves the follower held.

    One row more than needed is read, so that the last batch is known for the last.
    """
    page_rows = batch_rows * max(1, settings.replay_batch_rows // batch_rows)
    sent = 0
    while not follower.outlet.closed:
        page = await follower.feed.pages.read(follower.owner, follower.after, page_rows + 1, follower.held_from)
        is_last = len(page.updates) <= page_rows
        if not is_last:
            page = _without_the_last(page)
        await _send(follower, page, is_last, batch_rows, settings.drain_timeout_s)
        sent += len(page.updates)
        if is_last:
            break
    return sent


def _without_the_last(page: Page) -> Page:
    updates = page.updates[:-1]
    return Page(updates, updates[-1].watermark)


async def _send(follower: Follower, page: Page, is_last: bool, batch_rows: int, drain_timeout_s: float) -> None:
    batches = list(split(page.updates, batch_rows))
    for updates in batches[:-1]:
        _write(follower, updates, updates[-1].watermark, complete=False)
        await follower.outlet.drained(drain_timeout_s)
    if batches:
        complete = is_last and page.through >= follower.held_from
        _write(follower, batches[-1], page.through, complete=complete)
    follower.after = page.through
    if not is_last:
        await follower.outlet.drained(drain_timeout_s)


def _write(follower: Follower, updates: Sequence[Update], head: int, *, complete: bool) -> None:
    body = batch(follower.feed.source.topic, updates, head=head, complete=complete)
    follower.outlet.write(text_frame(follower.address.update_batch(body)))
    follower.after = head
