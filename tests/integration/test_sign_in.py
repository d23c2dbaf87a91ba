"""Sign-in by e-mail code on a real database (edge §1.6–1.7, §2.1)."""

import asyncio
import random

import asyncpg
import pytest
import redis.asyncio

from edge.auth.mail import Mail, MailFailed
from edge.auth.rate_limits import MemoryCounter, RedisCounter
from edge.auth.sessions import id_hash
from edge.auth.sign_in import MAX_TRIES, ensure_local_account
from tests.account_app import ORIGIN, AccountApp, Clock, account_client, bearer, client_of, code_of, sign_in_as


class NoMail:
    async def send(self, mail: Mail) -> None:
        raise MailFailed("the server is away")


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06d}"


async def test_a_recognised_client_gets_a_session_and_a_token(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        sent = await client.post("/api/auth/email", json={"email": "  Ada@Lane.test "})
        assert (sent.status_code, sent.json()) == (200, {"ok": True, "status": "code-sent", "email": "Ada@Lane.test"})
        code = await code_of(client, "ada@lane.test")
        headers = {"x-client": " Autopilot-iOS "}
        answer = await client.post("/api/auth/verify", json={"code": f" {code} ", "email": "x"}, headers=headers)
        body = answer.json()
        token, user_id = body.pop("token"), body["user"]["id"]
        assert body == {
            "ok": True,
            "userId": str(user_id),
            "status": "authenticated",
            "user": {"id": user_id, "name": "ada@lane.test", "email": "ada@lane.test"},
            "redirect": "/",
            "tokenType": "Bearer",
            "tokenName": "mobile:autopilot-ios",
        }
        assert token.partition("|")[2].isalnum()
        assert len(token.partition("|")[2]) == 48
        assert (await client.get("/api/me", headers=bearer(token))).json()["data"]["user"]["email"] == "ada@lane.test"


@pytest.mark.parametrize("x_client", ["", "curl", "autopilot"])
async def test_other_clients_get_a_session_only(pool: asyncpg.Pool, x_client: str) -> None:
    async with account_client(pool) as client:
        assert "token" not in await sign_in_as(client, "grace@lane.test", x_client)


async def test_the_session_cookie_is_opaque_and_changes_at_sign_in(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        sent = await client.post("/api/auth/email", json={"email": "eve@lane.test"})
        cookie = next(line for line in sent.headers.get_list("set-cookie") if line.startswith("oa_session="))
        assert "httponly" in cookie.lower()
        assert "samesite=lax" in cookie.lower()
        before = client.cookies["oa_session"]
        await client.post("/api/auth/verify", json={"code": await code_of(client, "eve@lane.test")})
        assert client.cookies["oa_session"] != before
        assert await pool.fetchval("select count(*) from sessions where id_hash = $1", id_hash(before)) == 0
    async with account_client(pool) as thief:
        thief.cookies.set("oa_session", before, domain="edge.test")
        assert (await thief.get("/api/me", headers={"origin": ORIGIN})).status_code == 401


async def test_a_token_replaces_the_one_of_the_same_name(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as first, account_client(pool) as second, account_client(pool) as third:
        old = (await sign_in_as(first, "kay@lane.test"))["token"]
        other = (await sign_in_as(second, "kay@lane.test", "autopilot-desktop"))["token"]
        new = (await sign_in_as(third, "kay@lane.test"))["token"]
        statuses = [(await first.get("/api/me", headers=bearer(token))).status_code for token in (old, other, new)]
        assert statuses == [401, 200, 200]


async def test_a_code_works_once(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await client.post("/api/auth/email", json={"email": "once@lane.test"})
        code, cookie = await code_of(client, "once@lane.test"), client.cookies["oa_session"]
        tries = (client.post("/api/auth/verify", json={"code": code}) for _ in range(5))
        statuses = sorted(answer.status_code for answer in await asyncio.gather(*tries))
        assert statuses[0] == 200
        assert set(statuses[1:]) <= {302, 422}
        client.cookies.clear()
        client.cookies.set("oa_session", cookie, domain="edge.test")
        assert (await client.post("/api/auth/verify", json={"code": code})).status_code == 422


async def test_the_newest_code_wins(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await client.post("/api/auth/email", json={"email": "new@lane.test"})
        old = await code_of(client, "new@lane.test")
        await client.post("/api/auth/email", json={"email": "new@lane.test"})
        new = await code_of(client, "new@lane.test")
        refused = old if old != new else wrong(new)
        assert (await client.post("/api/auth/verify", json={"code": refused})).json()["errors"].keys() == {"code"}
        assert (await client.post("/api/auth/verify", json={"code": new})).status_code == 200


async def test_another_address_replaces_the_pending_sign_in(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await client.post("/api/auth/email", json={"email": "first@lane.test"})
        await client.post("/api/auth/email", json={"email": "second@lane.test"})
        answer = await client.post("/api/auth/verify", json={"code": await code_of(client, "second@lane.test")})
        assert answer.json()["user"]["email"] == "second@lane.test"


async def test_a_code_of_another_session_is_refused(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client, account_client(pool) as other:
        await client.post("/api/auth/email", json={"email": "mine@lane.test"})
        code = await code_of(client, "mine@lane.test")
        assert (await other.post("/api/auth/verify", json={"code": code})).status_code == 422
        await other.post("/api/auth/email", json={"email": "theirs@lane.test"})
        assert (await other.post("/api/auth/verify", json={"code": code})).status_code == 422
        assert (await client.post("/api/auth/verify", json={"code": code})).status_code == 200


async def test_a_code_expires_after_ten_minutes(pool: asyncpg.Pool) -> None:
    clock = Clock()
    async with account_client(pool, clock=clock) as client:
        await client.post("/api/auth/email", json={"email": "late@lane.test"})
        clock.advance(minutes=10)
        answer = await client.post("/api/auth/verify", json={"code": await code_of(client, "late@lane.test")})
        assert answer.json()["errors"].keys() == {"code"}


async def test_a_few_wrong_tries_leave_the_sign_in_pending_and_many_lock_it(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        for email, tries, status in (("few@lane.test", MAX_TRIES - 1, 200), ("many@lane.test", MAX_TRIES, 422)):
            client.cookies.clear()
            await client.post("/api/auth/email", json={"email": email})
            code = await code_of(client, email)
            guesses = [client.post("/api/auth/verify", json={"code": wrong(code)}) for _ in range(tries)]
            assert {answer.status_code for answer in await asyncio.gather(*guesses)} == {422}
            assert (await client.post("/api/auth/verify", json={"code": code})).status_code == status


async def test_only_hashes_of_codes_sessions_and_tokens_are_kept(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        token = (await sign_in_as(client, "hash@lane.test"))["token"].partition("|")[2]
        session = client.cookies["oa_session"]
        client.cookies.clear()
        await client.post("/api/auth/email", json={"email": "hash@lane.test"})
        code = await code_of(client, "hash@lane.test")
        for table in ("personal_tokens", "sessions", "sign_in_codes", "users"):
            kept = str(await pool.fetch(f"select t.*, t::text as whole from {table} t"))
            assert all(secret not in kept for secret in (token, session, f"'{code}'"))


async def test_mail_that_cannot_be_sent_is_told_under_email(pool: asyncpg.Pool) -> None:
    async with account_client(pool, mailer=NoMail()) as client:
        answer = await client.post("/api/auth/email", json={"email": "ada@lane.test"})
        assert (answer.status_code, answer.json()["errors"].keys()) == (422, {"email"})
        assert (await client.post("/api/auth/verify", json={"code": "123456"})).status_code == 422


async def test_a_signed_in_session_is_sent_home(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await sign_in_as(client, "home@lane.test")
        for path in ("/api/auth/email", "/api/auth/verify"):
            answer = await client.post(path, json={"email": "home@lane.test"})
            assert (answer.status_code, answer.headers["location"]) == (302, "/")


async def test_signing_out_ends_the_session(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await sign_in_as(client, "out@lane.test")
        cookie = client.cookies["oa_session"]
        answer = await client.post("/logout")
        assert (answer.status_code, answer.headers["location"]) == (302, "/")
        assert "oa_session" not in client.cookies
        client.cookies.set("oa_session", cookie, domain="edge.test")
        assert (await client.get("/api/me", headers={"origin": ORIGIN})).status_code == 401


async def test_a_session_counts_on_first_party_pages_only_and_writes_need_the_csrf_token(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        await sign_in_as(client, "page@lane.test")
        csrf = {"x-xsrf-token": client.cookies["XSRF-TOKEN"]}
        body = {"name": "t"}
        assert (await client.get("/api/me")).status_code == 401
        assert (await client.get("/api/me", headers={"origin": "https://elsewhere.test"})).status_code == 401
        assert (await client.get("/api/me", headers={"origin": ORIGIN})).status_code == 200
        assert (await client.get("/api/me", headers={"referer": f"{ORIGIN}/page?x"})).status_code == 200
        assert (await client.post("/api/tokens", json=body, headers={"origin": ORIGIN})).status_code == 403
        assert (await client.post("/api/tokens", json=body, headers={"origin": ORIGIN} | csrf)).status_code == 201


async def test_the_session_wins_over_the_token(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client, account_client(pool) as other:
        await sign_in_as(client, "session@lane.test")
        token = (await sign_in_as(other, "token@lane.test"))["token"]
        both = await client.get("/api/me", headers={"origin": ORIGIN} | bearer(token))
        assert both.json()["data"]["user"]["email"] == "session@lane.test"


async def test_a_session_ends_after_two_idle_hours(pool: asyncpg.Pool) -> None:
    clock = Clock()
    async with account_client(pool, clock=clock) as client:
        await sign_in_as(client, "idle@lane.test")
        for minutes, status in ((119, 200), (119, 200), (120, 401)):
            clock.advance(minutes=minutes)
            assert (await client.get("/api/me", headers={"origin": ORIGIN})).status_code == status


async def test_handles_are_made_unique(pool: asyncpg.Pool) -> None:
    async with account_client(pool) as client:
        emails = ["Zoë.Quick+x@a.test", "zo.quick-x@b.test", "zo-quick-x@c.test", "é@a.test", "user@b.test"]
        for email in emails:
            client.cookies.clear()
            await sign_in_as(client, email)
    rows = await pool.fetch("select handle from users where email = any($1)", [email.lower() for email in emails])
    assert {row["handle"] for row in rows} == {"zo-quick-x", "zo-quick-x-1", "zo-quick-x-2", "user", "user-1"}


async def test_one_address_signing_in_twice_at_once_has_one_account(pool: asyncpg.Pool) -> None:
    app = AccountApp(pool, NoMail())
    accounts = [
        ensure_local_account(pool, "twin@lane.test", None, clock=app.clock, entropy=random.SystemRandom())
        for _ in range(8)
    ]
    await asyncio.gather(*accounts)
    assert await pool.fetchval("select count(*) from users where email = 'twin@lane.test'") == 1


async def test_the_local_account_keeps_a_token_that_works(pool: asyncpg.Pool) -> None:
    entropy, clock = random.SystemRandom(), Clock()
    token = await ensure_local_account(pool, "you@example.test", None, clock=clock, entropy=entropy)
    assert await ensure_local_account(pool, "you@example.test", token, clock=clock, entropy=entropy) == token
    other = await ensure_local_account(pool, "you@example.test", "1|forged", clock=clock, entropy=entropy)
    assert other != token
    async with account_client(pool) as client:
        assert (await client.get("/api/me", headers=bearer(other))).status_code == 200


async def test_six_attempts_block_a_new_code_and_verifying_may_go_on_to_ten(pool: asyncpg.Pool) -> None:
    async with account_client(pool, counter=MemoryCounter()) as client:
        for attempt in range(1, 7):
            answer = await client.post("/api/auth/verify", json={"code": "123456"})
            assert (answer.status_code, answer.headers["x-ratelimit-limit"]) == (422, "10")
            assert answer.headers["x-ratelimit-remaining"] == str(10 - attempt)
        blocked = await client.post("/api/auth/email", json={"email": "ada@lane.test"})
        assert (blocked.status_code, blocked.json()) == (429, {"message": "Too Many Attempts."})
        assert blocked.headers["x-ratelimit-remaining"] == "0"
        retry_after = int(blocked.headers["retry-after"])
        assert 0 < retry_after <= 60
        assert int(blocked.headers["x-ratelimit-reset"]) == int(Clock().now.timestamp()) + retry_after
        more = [(await client.post("/api/auth/verify", json={"code": "123456"})).status_code for _ in range(5)]
        assert more == [422, 422, 422, 422, 429]


async def test_redis_counts_for_all_processes(pool: asyncpg.Pool, redis_url: str) -> None:
    async with redis.asyncio.from_url(redis_url) as one, redis.asyncio.from_url(redis_url) as two:
        await one.flushdb()
        counters = [RedisCounter(one), RedisCounter(two)]
        hits = [await counters[n % 2].hit("a", 3) for n in range(4)]
        assert [hit.allowed for hit in hits] == [True, True, True, False]
        assert [hit.count for hit in hits] == [1, 2, 3, 3]
        assert 0 < hits[-1].resets_in_s <= 60


async def test_a_session_row_of_somebody_else_is_not_reachable_by_its_hash(pool: asyncpg.Pool) -> None:
    parts = AccountApp(pool, NoMail())
    async with client_of(parts.app()) as client:
        rows = await pool.fetch("select encode(id_hash, 'hex') as hash from sessions")
        for row in rows:
            client.cookies.clear()
            client.cookies.set("oa_session", row["hash"], domain="edge.test")
            assert (await client.get("/api/me", headers={"origin": ORIGIN})).status_code == 401
