"""The console's pages and assets: who sees them, how they are served, and what they may do (ADR 15, edge §1.6)."""

import math
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import asyncpg
import httpx
import pytest

from edge.app import EdgeSettings, Outside, build
from edge.auth.clock import system_clock
from edge.auth.mail.mailbox import Mailbox
from edge.auth.revocation import revoked_before
from edge.console.pages import PAGES
from ops.database import open_pool
from schemas import compact
from schemas.names import user_owner
from tests.account_app import Unlimited
from tests.nodes import SETTINGS, Node, node

ADMIN = "operator@lane.test"
PATHS = [re.sub(r"\{[^}]+\}", "x", page.path) for page in PAGES]
FOR_ADMINS = [page.path for page in PAGES if page.for_admins]


@pytest.fixture
async def here(pool: "asyncpg.Pool[Any]") -> AsyncIterator[Node]:
    async with node(pool, replace(SETTINGS, admin_emails=(ADMIN.upper(),)), Unlimited()) as running:
        yield running


class Browser(httpx.AsyncClient):
    """A cookie jar, and what browsers send along with what a page asks for."""

    @property
    def page(self) -> dict[str, str]:
        return {"referer": str(self.base_url.join("/tokens"))}

    @property
    def writing(self) -> dict[str, str]:
        return {"origin": str(self.base_url).rstrip("/"), "x-xsrf-token": self.cookies["XSRF-TOKEN"]}


@pytest.fixture
async def browser(here: Node) -> AsyncIterator[Browser]:
    async with Browser(base_url=here.url, timeout=30) as browser:
        yield browser


async def sign_in(browser: Browser, email: str) -> None:
    (await browser.post("/api/auth/email", json={"email": email})).raise_for_status()
    mails = (await browser.get("/dev/mailbox", params={"to": email}, headers={"accept": "application/json"})).json()
    (await browser.post("/api/auth/verify", json={"code": mails["data"][0]["code"]})).raise_for_status()


# --- who sees a page -----------------------------------------------------------------------------------------------


async def test_nobody_signs_in_first_and_comes_back(browser: Browser) -> None:
    for path in PATHS:
        gone = await browser.get(path, params={"at": "5"})
        login = f"/login?then={path.replace('/', '%2F')}%3Fat%3D5"
        assert (gone.status_code, gone.headers["location"]) == (302, login)
        assert f'data-then="{path}?at=5"' in (await browser.get(login)).text
    await sign_in(browser, "back@lane.test")
    assert (await browser.get(login)).headers["location"] == f"{path}?at=5"


async def test_whoever_is_signed_in_sees_it(browser: Browser) -> None:
    await sign_in(browser, ADMIN)
    for path in PATHS:
        shown = await browser.get(path)
        assert (shown.status_code, shown.headers["content-type"]) == (200, "text/html; charset=utf-8")
        assert ADMIN in shown.text


ELSEWHERE = (
    *("https://evil.test", "//evil.test", "/\\evil.test", "\\\\evil.test", "/\t/evil.test", "/\n/evil.test"),
    *("javascript:alert(1)", "evil.test", " /tokens", "/tokens\x00", "", "/x\r\nlocation: //evil.test"),
)


async def test_signing_in_leads_nowhere_else(browser: Browser) -> None:
    for then in ELSEWHERE:
        assert 'data-then="/"' in (await browser.get("/login", params={"then": then})).text, then
    await sign_in(browser, "redirected@lane.test")
    for then in ELSEWHERE:
        assert (await browser.get("/login", params={"then": then})).headers["location"] == "/", then


async def test_what_comes_from_the_address_is_escaped(browser: Browser) -> None:
    form = await browser.get("/login", params={"then": '/"><script>x</script>'})
    assert "<script>x" not in form.text


async def test_operators_have_more_pages_than_others(browser: Browser) -> None:
    await sign_in(browser, "user@lane.test")
    statuses = [(await browser.get(path)).status_code for path in FOR_ADMINS]
    assert statuses == [403] * len(FOR_ADMINS)
    links = re.findall('<a href="([^"]+)"', (await browser.get("/tokens")).text)
    assert [path for path in FOR_ADMINS if path in links] == []


async def test_without_a_session_a_token_opens_no_page(here: Node) -> None:
    answer = await here.http.get("/tokens", headers={"authorization": f"Bearer {here.ada.bearer}"})
    assert answer.status_code == 302


# --- how pages are served -------------------------------------------------------------------------------------------


async def test_a_page_may_load_and_reach_nothing_but_its_own_host(browser: Browser) -> None:
    headers = (await browser.get("/login")).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    host = browser.base_url.netloc.decode()
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": f"'self' ws://{host}",
        "manifest-src": "'self'",
        "worker-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }
    assert (headers["x-content-type-options"], headers["x-frame-options"]) == ("nosniff", "DENY")
    assert (headers["referrer-policy"], headers["cache-control"]) == ("same-origin", "no-store")


async def test_a_host_that_is_none_adds_nothing_to_the_policy(browser: Browser) -> None:
    answer = await browser.get("/login", headers={"host": "x;sandbox"})
    assert "sandbox" not in answer.headers["content-security-policy"]


async def test_behind_tls_the_socket_is_too(pool: "asyncpg.Pool[Any]") -> None:
    async with node(pool, replace(SETTINGS, trusted_proxies=("127.0.0.1",))) as running:
        headers = {"x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.1"}
        answer = await running.http.get("/login", headers=headers)
    assert "connect-src 'self' wss://" in answer.headers["content-security-policy"]


async def test_the_chosen_theme_comes_with_the_page(browser: Browser) -> None:
    for cookie, shown in (("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ('"><x', "")):
        answer = await browser.get("/login", headers={"cookie": f"oa_theme={cookie}"})
        assert f'<html lang="en"{shown}>' in answer.text


# --- what pages load -------------------------------------------------------------------------------------------------


async def test_what_a_page_names_is_there_and_stays_for_ever(browser: Browser) -> None:
    await sign_in(browser, ADMIN)
    pages = [await browser.get(path) for path in [*PATHS, "/login"]]
    named = {name for page in pages for name in re.findall(r'"(/static/[^"#]+)', page.text)}
    named |= {icon["src"] for icon in (await browser.get("/manifest.webmanifest")).json()["icons"]}
    assert len(named) > 8
    for name in named:
        answer = await browser.get(name)
        assert (answer.status_code, answer.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
        assert answer.headers["x-content-type-options"] == "nosniff"


async def test_assets_have_their_types(browser: Browser) -> None:
    types = {
        "api.js": "text/javascript; charset=utf-8",
        "console.css": "text/css; charset=utf-8",
        "icons.svg": "image/svg+xml",
        "icon-192.png": "image/png",
    }
    assert {name: (await browser.get(f"/static/x/{name}")).headers["content-type"] for name in types} == types


async def test_text_is_compressed_for_whoever_takes_it(browser: Browser) -> None:
    plain = await browser.get("/static/x/console.css", headers={"accept-encoding": "identity"})
    packed = await browser.get("/static/x/console.css", headers={"accept-encoding": "gzip"})
    assert plain.content == packed.content
    assert "content-encoding" not in plain.headers
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2
    assert (plain.headers["vary"], packed.headers["vary"]) == ("accept-encoding", "accept-encoding")


async def test_an_address_of_another_release_is_not_kept(browser: Browser) -> None:
    assert (await browser.get("/static/0123456789abcdef/api.js")).headers["cache-control"] == "no-cache"


async def test_nothing_else_is_served(browser: Browser) -> None:
    for name in ("nothing.js", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "", "vendor"):
        assert (await browser.get(f"/static/x/{name}")).status_code == 404, name


async def test_the_layout_and_what_all_pages_share_is_light(browser: Browser) -> None:
    """Issue 7 point 7: 150 KB a page before data; a page's own modules and the socket client have the rest."""
    page = await browser.get("/login")
    shared = ["tokens.css", "console.css", "layout.js", "api.js", "dom.js", "times.js", "toast.js", "dialogs.js"]
    shared += ["shortcuts.js", "theme.js", "icons.svg"]
    answers = [await browser.get(f"/static/x/{name}", headers={"accept-encoding": "gzip"}) for name in shared]
    assert len(page.content) + sum(int(answer.headers["content-length"]) for answer in answers) < 30_000


# --- what a page may do ----------------------------------------------------------------------------------------------


async def test_a_page_of_the_edge_itself_is_first_party(browser: Browser) -> None:
    """Whatever the host is called: no setting names it."""
    await sign_in(browser, "own@lane.test")
    assert (await browser.get("/api/me", headers=browser.page)).json()["data"]["user"]["email"] == "own@lane.test"
    port = browser.base_url.port
    others = ("http://127.0.0.1:1", f"http://127.0.0.2:{port}", "http://evil.test", "null", "http://[", "")
    for other in others:
        assert (await browser.get("/api/me", headers={"origin": other})).status_code == 401, other


async def test_a_page_of_another_origin_is_not_made_first_party_by_its_referer(browser: Browser) -> None:
    await sign_in(browser, "referred@lane.test")
    headers = {"origin": "http://evil.test"} | browser.page
    assert (await browser.get("/api/me", headers=headers)).status_code == 401


async def test_a_page_writes_with_the_csrf_token_only(browser: Browser) -> None:
    await sign_in(browser, "csrf@lane.test")
    for headers, status in (
        (browser.page, 403),
        (browser.writing | {"x-xsrf-token": "x"}, 403),
        (browser.writing, 201),
    ):
        assert (await browser.post("/api/tokens", json={"name": "t"}, headers=headers)).status_code == status


# --- signing out everywhere -------------------------------------------------------------------------------------------


async def test_signing_out_everywhere_ends_each_session_of_the_user_and_no_other(here: Node, browser: Browser) -> None:
    async with Browser(base_url=here.url) as second, Browser(base_url=here.url) as other:
        for one, email in ((browser, "all@lane.test"), (second, "all@lane.test"), (other, "other@lane.test")):
            await sign_in(one, email)
        assert (await browser.delete("/api/sessions", headers=browser.page)).status_code == 403
        ended = await browser.delete("/api/sessions", headers=browser.writing)
        assert ended.json() == {"data": {"deletedCount": 2}}
        assert "oa_session" not in browser.cookies
        statuses = [(await one.get("/tokens")).status_code for one in (browser, second, other)]
        assert statuses == [302, 302, 200]


async def test_sockets_opened_so_far_end_with_it_as_with_the_account(here: Node, pool: "asyncpg.Pool[Any]") -> None:
    ada, nobody = user_owner(here.ada.user_id), user_owner(10**9)
    asked_at = system_clock().timestamp()
    assert await revoked_before(pool, [ada, nobody]) == {nobody: math.inf}
    await here.ada.public("DELETE", "/sessions")
    assert asked_at <= (await revoked_before(pool, [ada]))[ada] <= system_clock().timestamp()


async def test_signing_out_everywhere_also_ends_what_wakes_those_browsers(here: Node) -> None:
    keys = {"p256dh": compact.encode(bytes(65)), "auth": compact.encode(bytes(16))}
    for caller in (here.ada, here.bob):
        endpoint = f"https://push.test/{caller.user_id}"
        await caller.public("POST", "/push-subscriptions", json={"endpoint": endpoint, "keys": keys})
    await here.ada.public("DELETE", "/sessions")
    left = [(await caller.public("GET", "/push-subscriptions")).json()["data"] for caller in (here.ada, here.bob)]
    assert [len(browsers) for browsers in left] == [0, 1]


async def test_personal_tokens_survive_it_and_may_ask_for_it(here: Node) -> None:
    assert (await here.ada.public("DELETE", "/sessions")).status_code == 200
    assert (await here.ada.public("GET", "/me")).status_code == 200


async def test_signing_out_leads_to_the_form(browser: Browser) -> None:
    await sign_in(browser, "out@lane.test")
    out = await browser.post("/logout", follow_redirects=True)
    assert out.url.path == "/login"
    assert "oa_session" not in browser.cookies


# --- the link of the local profile ------------------------------------------------------------------------------------


async def test_the_printed_link_signs_in_to_the_local_account(browser: Browser) -> None:
    await sign_in(browser, "before@lane.test")
    before = browser.cookies["oa_session"]
    entered = await browser.get("/dev/sign-in", params={"key": "key-of-the-tests"})
    assert (entered.status_code, entered.headers["location"], entered.headers["cache-control"]) == (
        302,
        "/",
        "no-store",
    )
    assert (await browser.get("/api/me", headers=browser.page)).json()["data"]["user"]["email"] == "local@lane.test"
    browser.cookies.set("oa_session", before, domain="127.0.0.1")
    assert (await browser.get("/tokens", headers={"cookie": f"oa_session={before}"})).status_code == 302


async def test_it_is_nothing_without_its_key(browser: Browser) -> None:
    for key in ("key-of-the-test", "", "KEY-OF-THE-TESTS"):
        answer = await browser.get("/dev/sign-in", params={"key": key})
        assert answer.status_code in (403, 422)
        assert "oa_session" not in answer.headers.get("set-cookie", "")


async def test_outside_the_local_profile_there_is_neither_link_nor_mailbox(pool: "asyncpg.Pool[Any]") -> None:
    for settings, status in ((SETTINGS, 200), (replace(SETTINGS, dev_pages=False, local_sign_in=None), 404)):
        async with served(settings, pool) as http:
            login = await http.get("/login")
            link = await http.get("/dev/sign-in?key=key-of-the-tests")
            assert (link.status_code, (await http.get("/dev/mailbox")).status_code) == (
                302 if status == 200 else 404,
                status,
            )
            assert ("/dev/" in login.text) is (status == 200)


@asynccontextmanager
async def served(settings: EdgeSettings, pool: "asyncpg.Pool[Any]") -> AsyncIterator[httpx.AsyncClient]:
    edge = await build(settings, Outside(pool, Mailbox(pool, system_clock), Unlimited()))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(edge.app), base_url="http://edge.test") as http:
        yield http
    await edge.close()


# --- what cannot be shown ---------------------------------------------------------------------------------------------

NAVIGATION = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_page_that_is_not_there_or_not_for_one_is_told_as_a_page(browser: Browser) -> None:
    await sign_in(browser, "lost@lane.test")
    wrong = {"/nothing": 404, "/tokens/nothing": 404, "/dev/sign-in?key=x": 403} | dict.fromkeys(FOR_ADMINS, 403)
    for path, status in wrong.items():
        shown = await browser.get(path, headers=NAVIGATION)
        assert (shown.status_code, shown.headers["content-type"]) == (status, "text/html; charset=utf-8"), path
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        told = await browser.get(path)
        assert (told.status_code, told.headers["content-type"]) == (status, "application/json"), path


async def test_the_api_answers_browsers_with_json_too(browser: Browser) -> None:
    """Edge D1."""
    for path in ("/api/me", "/api/nothing", "/internal/v1/health", "/registry/subjects/x/versions", "/static/x/y"):
        assert (await browser.get(path, headers=NAVIGATION)).headers["content-type"].startswith("application/"), path


async def test_without_a_database_a_page_says_so(database: str) -> None:
    async with open_pool(database) as pool, served(SETTINGS, pool) as http:
        await pool.close()
        answer = await http.get("/tokens", headers=NAVIGATION | {"cookie": "oa_session=x"})
    assert (answer.status_code, "Try again" in answer.text) == (503, True)
