"""Answer links: what they show to whoever has one; an answer counts once, in time, and as it was signed (ADR 15)."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest

from schemas import compact
from schemas.answer_links import AnswerLink, Decision, InvalidLink, opened, sealed
from schemas.names import user_owner
from tests.account_app import Unlimited
from tests.nodes import Node, node
from tests.questions import KEY, Question, asked

LINK = AnswerLink("user:1", "w:a", "ap-1", "accept", 2_000_000_000)
EMPTY = compact.signature(KEY.encode(), "W10")
JSON = {"accept": "application/json"}


# --- the link itself -----------------------------------------------------------------------------------------------


def test_a_link_is_opened_as_it_was_sealed() -> None:
    assert opened(KEY, sealed(KEY, LINK)) == LINK


def test_a_link_is_nothing_with_another_key_or_without_one() -> None:
    for key in ("another", ""):
        with pytest.raises(InvalidLink):
            opened(key, sealed(KEY, LINK))
    with pytest.raises(InvalidLink):
        opened("", sealed("", LINK))


def test_no_part_of_a_link_can_be_exchanged() -> None:
    """Owner, worker, approval, decision and expiry are all signed."""
    _, _, signature = sealed(KEY, LINK).partition(".")
    for other in (["user:2"], ["user:1", "w:b"], ["user:1", "w:a", "ap-2"], ["user:1", "w:a", "ap-1", "deny"]):
        forged = [*other, *("user:1", "w:a", "ap-1", "accept", 2_000_000_001)[len(other) :]]
        with pytest.raises(InvalidLink):
            opened(KEY, f"{compact.encode_json(forged)}.{signature}")


@pytest.mark.parametrize(
    "token", ["", ".", "a.b", "\u2603.\u2603", "W10", f"W10.{compact.signature(KEY.encode(), 'W10')}"]
)
def test_nonsense_is_no_link(token: str) -> None:
    with pytest.raises(InvalidLink):
        opened(KEY, token)


# --- what becomes of it --------------------------------------------------------------------------------------------


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool, counter=Unlimited()) as running:
        yield running


@pytest.fixture
async def question(here: Node) -> Question:
    return await asked(here)


async def test_opening_a_link_shows_what_is_asked_and_changes_nothing(here: Node, question: Question) -> None:
    """Nobody is signed in; mail programs open links by themselves."""
    async with question.daemon():
        for decision, button in (("accept", "Approve once"), ("deny", "Deny")):
            page = await here.http.get(question.link(decision))  # type: ignore[arg-type]
            assert page.status_code == 200
            assert f">{button}</button>" in page.text
            assert "make deploy &lt;now&gt;" in page.text
            assert "/home/ada/site" in page.text
            assert "ada@lane.test" not in page.text
            assert page.headers["referrer-policy"] == "no-referrer"
            assert page.headers["cache-control"] == "no-store"
            assert "script-src 'self'" in page.headers["content-security-policy"]
    assert question.answers == 0


@pytest.mark.parametrize(("decision", "said"), [("accept", "Approved"), ("deny", "Denied")])
async def test_the_button_answers_as_any_client_of_the_owner(
    here: Node, question: Question, decision: Decision, said: str
) -> None:
    async with question.daemon():
        page = await here.http.post(question.link(decision), data={"attempt": "one"})
    assert (page.status_code, said in page.text) == (200, True)
    path = f"/runtime/codex/workers/{question.worker_id}/events"
    events = (await here.ada.public("GET", path, params={"after": 0})).json()["data"]["events"]
    [answer] = [event["payload"] for event in events if event["event_type"] == "worker.approval.answered"]
    assert answer["decision"] == decision
    assert answer["answered_by"] == {"owner": question.owner, "client": "answer-link", "token": None}


async def test_pressing_twice_counts_once_and_later_the_page_says_who_answered(here: Node, question: Question) -> None:
    link = question.link()
    async with question.daemon():
        first, second = await asyncio.gather(*(here.http.post(link, data={"attempt": "one"}) for _ in range(2)))
        assert {first.status_code, second.status_code} == {200}
        later = await here.http.post(question.link("deny"), data={"attempt": "two"}, headers=JSON)
    assert question.answers == 1
    told = later.json()["data"]
    assert (told["standing"], told["decision"], told["client"]) == ("answered", "accept", "answer-link")
    assert "Already approved" in (await here.http.get(link)).text


async def test_an_answer_from_elsewhere_is_told(here: Node, question: Question) -> None:
    by = {"owner": question.owner, "client": "console", "token": None}
    await question.answered("deny", answered_by=by, request_id="r")
    page = await here.http.get(question.link())
    assert "Already denied" in page.text
    assert "console answered at" in page.text
    assert "</button>" not in page.text


@pytest.mark.parametrize(
    ("cause", "standing"), [("silence", "expired"), ("interrupted", "withdrawn"), ("daemon_restarted", "withdrawn")]
)
async def test_what_nobody_waits_for_any_more_cannot_be_answered(
    here: Node, question: Question, cause: str, standing: str
) -> None:
    await question.answered("deny", cause)
    async with question.daemon():
        for answer in (
            await here.http.get(question.link(), headers=JSON),
            await here.http.post(question.link(), headers=JSON),
        ):
            assert (answer.status_code, answer.json()["data"]["standing"]) == (410, standing)
    assert question.answers == 0


async def test_a_worker_that_was_stopped_has_withdrawn_its_question(here: Node, question: Question) -> None:
    (await here.ada.public("POST", f"/runtime/codex/workers/{question.worker_id}/stop")).raise_for_status()
    page = await here.http.post(question.link())
    assert (page.status_code, "Not asked any more" in page.text) == (410, True)


async def test_an_expired_link_answers_nothing_and_tells_nothing(here: Node, question: Question) -> None:
    expired = question.link(seconds=-1)
    async with question.daemon():
        for page in (await here.http.get(expired), await here.http.post(expired)):
            assert (page.status_code, "Too late" in page.text, "make deploy" in page.text) == (410, True, False)
    assert question.answers == 0


async def test_a_forged_link_answers_nothing(here: Node, question: Question) -> None:
    forged = question.link()[:-4] + "AAAA"
    async with question.daemon():
        for page in (await here.http.get(forged), await here.http.post(forged)):
            assert (page.status_code, "not valid" in page.text) == (404, True)
    assert question.answers == 0


async def test_a_link_of_somebody_elses_worker_finds_nothing(here: Node, question: Question) -> None:
    theirs = AnswerLink(user_owner(here.bob.user_id), question.worker_id, "ap-1", "accept", 2_000_000_000)
    answer = await here.http.post(f"/answer/{sealed(KEY, theirs)}", headers=JSON)
    assert answer.json()["data"]["standing"] == "withdrawn"


async def test_a_worker_that_is_off_can_be_told_later(here: Node, question: Question) -> None:
    """The same link, opened again."""
    await question.say("worker.heartbeat", source="autopilot-desktop", daemon="off", accepts_requests=True)
    link = question.link()
    page = await here.http.post(link, data={"attempt": "one"})
    assert (page.status_code, "did not get through" in page.text, "Approve once" in page.text) == (503, True, True)
    await question.say("worker.heartbeat", source="autopilot-desktop", daemon="on", accepts_requests=True)
    async with question.daemon():
        again = await here.http.post(link, data={"attempt": "two"})
    assert "Approved" in again.text


async def test_no_session_is_asked_for_and_none_is_used(here: Node, question: Question) -> None:
    """The link alone is the credential: what a browser sends along from elsewhere makes no difference."""
    async with httpx.AsyncClient(base_url=here.url) as stranger, question.daemon():
        answer = await stranger.post(question.link(), headers={"origin": "https://elsewhere.test", **JSON})
    assert answer.json()["data"]["standing"] == "done"
    assert "set-cookie" not in answer.headers
