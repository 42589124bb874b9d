"""The page as it is served: who is let in, what it says, and what it must never say."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs

from rotator.admin.access import Caller
from rotator.admin.throttle import MAX_FAILURES
from rotator.clock import SystemClock
from rotator.errors import UnavailableError
from rotator.page.sessions import LIFETIME_SECONDS, MAX_SESSIONS, Sessions
from rotator.sandbox.clock import ManualClock

PATHS = (
    "/",
    "/credentials",
    "/credentials?q=ecr&page=1",
    "/credentials/ghcr",
    "/credentials/ecr-prod/rotate",
    "/credentials/ecr-prod/rollback",
    "/credentials/ecr-prod/leak",
)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)


async def text_of(client: aiohttp.ClientSession, path: str) -> str:
    """Return a page that is there."""
    async with client.get(path) as answer:
        assert answer.status == 200
        return await answer.text()


def field(page: str, name: str) -> str:
    """Return the value of a hidden field of the form in the page that is not the one for logging out."""
    form = page[page.index('class="confirm"') :]
    found = re.search(rf'name="{name}" value="([^"]*)"', form)
    assert found is not None
    return found[1]


async def form_of(client: aiohttp.ClientSession, path: str, **more: str) -> dict[str, str]:
    """Return the fields that the form of a page sends."""
    page = await text_of(client, path)
    return {"csrf": field(page, "csrf"), "key": field(page, "key"), "reason": "I try it", **more}


def ours(served: Any) -> dict[str, str]:
    """Return the headers that a browser adds to a form of this page."""
    return {"Origin": served.url, "Sec-Fetch-Site": "same-origin"}


@pytest.mark.parametrize("path", [*PATHS, "/login", "/nothing", "/static/nothing"])
async def test_every_answer_has_the_headers(served: Any, path: str) -> None:
    """SR-20: every page may run nothing but our own script, is not kept, not framed, tells other sites nothing."""
    async with served.as_role("admin") as client, client.get(path, allow_redirects=False) as answer:
        headers = answer.headers
        assert headers["Content-Security-Policy"] == POLICY
        assert headers["Cache-Control"] == "no-store"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
        assert "Server" not in headers


@pytest.mark.parametrize("path", PATHS)
async def test_no_page_needs_what_the_policy_forbids(served: Any, path: str) -> None:
    """SR-20: No page has a script or a style of its own, and every address in it is on this server."""
    async with served.as_role("admin") as client:
        page = await text_of(client, path)

    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:|<script(?! src=\"/static/)", page)
    addresses = re.findall(r'(?:href|src|action)="([^"]*)"', page)
    assert addresses
    assert all(urlsplit(one).netloc == "" and one.startswith(("/", "#")) for one in addresses)


@pytest.mark.parametrize("path", PATHS)
async def test_no_page_shows_a_secret(served: Any, path: str) -> None:
    """SR-20: No page shows a fingerprint, a user name or a token."""
    async with served.as_role("admin") as client:
        page = await text_of(client, path)

    assert "canary" not in page
    assert "correct-horse" not in page


@pytest.mark.parametrize("path", PATHS)
async def test_what_others_wrote_is_escaped(served: Any, hostile: str, path: str) -> None:
    """What targets, registries and people wrote is text, never markup."""
    daemon = served.daemon
    for name, one in daemon.statuses.items():
        targets = tuple(
            replace(
                at, error=hostile, refused=(hostile,), behind=tuple(replace(to, message=hostile) for to in at.behind)
            )
            for at in one.targets
        )
        current = replace(one.current, principal=hostile, scopes=frozenset({hostile})) if one.current else None
        daemon.statuses[name] = replace(one, message=hostile, targets=targets, current=current, held=hostile)
    daemon.history = [replace(one, message=hostile, by=hostile) for one in daemon.history]
    daemon.planner.broken = UnavailableError(hostile)

    async with served.as_role("admin") as client:
        page = await text_of(client, path)

    assert "<script>alert" not in page
    assert not re.search(r"<[^>]*alert\('x'\)[^>]*>", page)
    assert "&lt;script&gt;alert" in page


async def test_a_query_is_escaped(served: Any, hostile: str) -> None:
    """What stands in the address is text in the page."""
    async with served.as_role("viewer") as client, client.get("/credentials", params={"q": hostile}) as answer:
        assert "<script>alert" not in await answer.text()


@pytest.mark.parametrize("path", [*PATHS, "/events"])
async def test_nobody_is_led_to_the_login(served: Any, path: str) -> None:
    """Who is not logged in sees nothing but the login."""
    async with served.nobody() as client, client.get(path, allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"].startswith("/login")
        assert await answer.text() == ""


async def test_the_session_is_a_cookie_that_scripts_and_other_sites_do_not_get(served: Any) -> None:
    """The cookie is HttpOnly and SameSite=Strict, and holds nothing of the token."""
    async with served.nobody() as client:
        form = {"token": f"{'correct-horse-battery-staple-0123456789'}-viewer", "next": "/credentials/ghcr"}
        async with client.post("/login", data=form, headers=ours(served), allow_redirects=False) as answer:
            cookie = answer.headers["Set-Cookie"]
            assert (answer.status, answer.headers["Location"]) == (303, "/credentials/ghcr")
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= {part.strip() for part in cookie.split(";")}
    assert "correct-horse" not in cookie


@pytest.mark.parametrize(("scheme", "is_secure"), [("http", False), ("https", True)], ids=["plain", "tls"])
async def test_the_cookie_is_for_https_where_the_browser_speaks_it(
    served: Any,
    scheme: str,
    is_secure: bool,  # noqa: FBT001 (a test parameter)
) -> None:
    """Reached by HTTPS, through a proxy too, the cookie is never sent in the clear; by a tunnel it still works."""
    async with served.nobody() as client:
        form = {"token": "correct-horse-battery-staple-0123456789-viewer"}
        headers = {"Origin": served.url.replace("http", scheme, 1)}
        async with client.post("/login", data=form, headers=headers, allow_redirects=False) as answer:
            assert ("Secure" in answer.headers["Set-Cookie"]) == is_secure


async def test_a_token_for_hooks_opens_no_page(served: Any) -> None:
    """The token of a machine that tells of alerts logs nobody in."""
    async with served.nobody() as client:
        form = {"token": "correct-horse-battery-staple-0123456789-hook"}
        async with client.post("/login", data=form, headers=ours(served)) as answer:
            assert (answer.status, "Set-Cookie" in answer.headers) == (403, False)


@pytest.mark.parametrize("way", ["//evil.example", "https://evil.example", "/\\evil", "/credentials/../../x"])
async def test_a_login_leads_nowhere_else(served: Any, way: str) -> None:
    """After the login nobody is sent to another site."""
    async with served.nobody() as client:
        form = {"token": "correct-horse-battery-staple-0123456789-viewer", "next": way}
        async with client.post("/login", data=form, headers=ours(served), allow_redirects=False) as answer:
            assert answer.headers["Location"] == "/"


async def test_guessing_is_throttled(make_config: Any, make_daemon_of: Any, serve_daemon: Any) -> None:
    """Wrong tokens are counted together with the API's, and after some nobody is listened to."""
    daemon = make_daemon_of(make_config(), SystemClock())
    answers = []
    async with serve_daemon(daemon) as served, served.nobody() as client:
        for _ in range(MAX_FAILURES + 2):
            async with client.post("/login", data={"token": "x" * 30}, headers=ours(served)) as answer:
                answers.append(answer.status)
        async with client.get("/api/v1/status", headers={"Authorization": "Bearer y"}) as api:
            answers.append(api.status)
    assert answers == [401] * (MAX_FAILURES + 1) + [429, 429]


async def test_logging_out_ends_the_session(served: Any) -> None:
    """A session that was ended is not let in again, though its cookie is shown."""
    async with served.as_role("viewer") as client:
        page = await text_of(client, "/")
        csrf = re.search(r'name="csrf" value="(\w+)"', page)
        assert csrf is not None
        shown = {"Cookie": "; ".join(f"{one.key}={one.value}" for one in client.cookie_jar)}
        async with client.post(
            "/logout", data={"csrf": csrf[1]}, headers=ours(served), allow_redirects=False
        ) as answer:
            assert answer.status == 303
    async with served.nobody() as client, client.get("/", headers=shown, allow_redirects=False) as answer:
        assert answer.headers["Location"] == "/login"


async def test_a_session_is_of_no_use_at_the_api(served: Any) -> None:
    """The cookie opens the page alone: the API asks for a token."""
    async with served.as_role("admin") as client, client.get("/api/v1/status") as answer:
        assert answer.status == 401


async def test_sessions_end(clock: ManualClock) -> None:
    """A session ends after its time, used or not, and of too many the oldest is closed."""
    sessions, caller = Sessions(clock), Caller("token 1", "tcp")
    first = last = sessions.open(caller)
    assert sessions.find(first) is caller
    for _ in range(MAX_SESSIONS):
        last = sessions.open(caller)
    assert (sessions.find(first), sessions.find("")) == (None, None)
    clock.advance(timedelta(seconds=LIFETIME_SECONDS))
    assert sessions.find(last) is None


@pytest.mark.parametrize(
    ("action", "role", "act", "more"),
    [
        ("rotate", "operator", "rotate", {}),
        ("rollback", "operator", "rollback to 11", {"generation": "11"}),
        ("leak", "admin", "leak", {}),
    ],
    ids=["rotate", "rollback", "leak"],
)
async def test_a_form_does_what_it_says(served: Any, action: str, role: str, act: str, more: dict[str, str]) -> None:
    """A confirmed action reaches the daemon once, with its reason and who asked, however often the form is sent."""
    path = f"/credentials/ecr-prod/{action}"
    async with served.as_role(role) as client:
        form = await form_of(client, path, **more)
        for _ in range(3):
            async with client.post(path, data=form, headers=ours(served)) as answer:
                assert (answer.status, answer.url.path) == (200, "/credentials/ecr-prod")
                page = await answer.text()
    number = {"operator": 2, "admin": 3}[role]
    assert served.daemon.acts == [(act, "ecr-prod", "I try it", f"token {number}")]
    assert ("You asked for this rotation" in page) == (action != "leak")


REFUSED = {
    "no seal": ({"csrf": ""}, {}),
    "another seal": ({"csrf": "0" * 64}, {}),
    "another site": ({}, {"Origin": "https://evil.example"}),
    "another port": ({}, {"Origin": "http://127.0.0.1:1"}),
    "null origin": ({}, {"Origin": "null"}),
    "fetched from elsewhere": ({}, {"Sec-Fetch-Site": "cross-site"}),
    "fetched from beside": ({}, {"Sec-Fetch-Site": "same-site"}),
}


@pytest.mark.parametrize(("fields", "headers"), REFUSED.values(), ids=REFUSED)
async def test_a_forged_form_is_refused(served: Any, fields: dict[str, str], headers: dict[str, str]) -> None:
    """A form that another page sent, or that was not made for this session, does nothing."""
    path = "/credentials/ecr-prod/rotate"
    async with served.as_role("admin") as client:
        form = {**await form_of(client, path), **fields}
        async with client.post(path, data=form, headers={**ours(served), **headers}) as answer:
            assert answer.status == 403
    assert served.daemon.acts == []


async def test_a_form_without_an_origin_is_refused(served: Any) -> None:
    """Where it cannot be told which page sent a form, it does nothing."""
    path = "/credentials/ecr-prod/rotate"
    async with served.as_role("admin") as client:
        form = await form_of(client, path)
        async with client.post(path, data=form) as answer:
            assert answer.status == 403
    assert served.daemon.acts == []


async def test_a_seal_is_for_one_session_and_one_path(served: Any) -> None:
    """What one form carries opens neither another action nor another person's session."""
    async with served.as_role("admin") as mine, served.as_role("admin") as theirs:
        form = await form_of(theirs, "/credentials/ecr-prod/rotate")
        for client, path in ((mine, "/credentials/ecr-prod/rotate"), (theirs, "/credentials/ecr-prod/leak")):
            async with client.post(path, data=form, headers=ours(served)) as answer:
                assert answer.status == 403
    assert served.daemon.acts == []


@pytest.mark.parametrize(
    ("role", "action"),
    [("viewer", "rotate"), ("viewer", "rollback"), ("viewer", "leak"), ("operator", "leak")],
)
async def test_a_role_that_is_too_low_is_refused(served: Any, role: str, action: str) -> None:
    """Who may not do something sees no button for it, and is refused when they ask all the same."""
    path = f"/credentials/ecr-prod/{action}"
    async with served.as_role("admin") as admin:
        form = await form_of(admin, path)
    async with served.as_role(role) as client:
        assert f'href="{path}"' not in await text_of(client, "/credentials/ecr-prod")
        async with client.get(path) as shown, client.post(path, data=form, headers=ours(served)) as sent:
            assert (shown.status, sent.status) == (403, 403)
    assert served.daemon.acts == []


@pytest.mark.parametrize(
    "reason", ["", "   ", "x" * 501, "two\nlines", "bell\x07"], ids=["none", "blank", "long", "lines", "control"]
)
async def test_a_bad_reason_is_asked_for_again(served: Any, reason: str) -> None:
    """Without a reason that can be kept nothing is done, and the form says what is wrong with it."""
    path = "/credentials/ecr-prod/rotate"
    async with served.as_role("operator") as client:
        form = await form_of(client, path, reason=reason)
        async with client.post(path, data=form, headers=ours(served)) as answer:
            assert answer.status == 422
            assert 'role="alert"' in await answer.text()
    assert served.daemon.acts == []


async def test_reading_changes_nothing(served: Any) -> None:
    """No GET sets anything going."""
    async with served.as_role("admin") as client:
        for path in PATHS:
            await text_of(client, path)
    assert served.daemon.acts == []


@pytest.mark.parametrize(
    ("path", "status"),
    [("/credentials/nope", 404), ("/nope", 404), ("/credentials/ecr-prod/eat", 404)],
)
async def test_what_is_not_there_is_said_in_a_sentence(served: Any, path: str, status: int) -> None:
    """A page that is not there is answered with a page."""
    async with served.as_role("admin") as client, client.get(path) as answer:
        assert answer.status == status
        assert "<h1" in await answer.text()


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/%2e%2e/app.py", "/static//etc/passwd", "/static/%00"])
async def test_nothing_beside_the_files_is_served(served: Any, path: str) -> None:
    """A path that climbs out of the page's files is not there; it is sent as it stands, which clients do not do."""
    reader, writer = await asyncio.open_unix_connection(served.socket)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    status = await reader.readline()
    writer.close()
    await writer.wait_closed()
    assert status.split()[1] in {b"400", b"404"}, status


async def test_an_unforeseen_failure_tells_only_where_to_look(served: Any) -> None:
    """What broke stays in the log; the page names the id by which it is found there."""
    async with served.as_role("viewer") as client:
        served.daemon.broken = RuntimeError("what broke")
        with capture_logs() as logged:
            async with client.get("/") as answer:
                page = await answer.text()
                assert answer.status == 500
                assert answer.headers["X-Correlation-Id"] in page
    assert [one["event"] for one in logged] == ["page_crashed"]
    assert "what broke" not in page


@pytest.mark.parametrize("host", ["evil.example", "169.254.1.1", ""])
async def test_a_foreign_name_is_not_answered(served: Any, host: str) -> None:
    """A name that was pointed at this address gets nothing, not even the style."""
    for path in ("/", "/login", "/static/page.css"):
        async with served.nobody() as client, client.get(path, headers={"Host": host}) as answer:
            assert answer.status == 421


@pytest.mark.parametrize("path", ["/login", "/credentials/ecr-prod/rotate"])
async def test_only_small_forms_are_read(served: Any, path: str) -> None:
    """What is no form, or is too large for one, is not looked at."""
    async with served.as_role("admin") as client:
        async with client.post(path, json={"token": "x"}, headers=ours(served)) as answer:
            assert answer.status == 422
        async with client.post(path, data={"token": "x" * 70_000}, headers=ours(served)) as answer:
            assert answer.status == 413


async def test_style_and_script_are_kept_for_ever_under_their_content(served: Any) -> None:
    """Static files change their name with their content, may be kept, and are not sent twice."""
    async with served.nobody() as client:
        page = await text_of(client, "/login")
        (path,) = re.findall(r'href="(/static/page\.[0-9a-f]{12}\.css)"', page)
        async with client.get(path) as answer:
            assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
            assert answer.headers["Content-Type"] == "text/css; charset=utf-8"
            tag = answer.headers["ETag"]
        async with client.get(path, headers={"If-None-Match": tag}) as answer:
            assert (answer.status, await answer.read()) == (304, b"")


async def test_a_change_is_told_to_who_looks(served: Any) -> None:
    """Whoever is logged in hears that something changed; what, they have to ask for."""
    async with served.as_role("viewer") as client, client.get("/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        assert await answer.content.readuntil(b"\n\n")
        served.daemon.tell("ecr-prod")
        async with asyncio.timeout(60):
            while b"event: change" not in (line := await answer.content.readuntil(b"\n\n")):
                pass
    assert b'"credential":"ecr-prod"' in line


async def test_the_socket_needs_no_login(served: Any) -> None:
    """On the socket the kernel says who it is: no login, and acts in the name of the user."""
    async with served.unix() as client:
        page = await text_of(client, "/")
        form = await form_of(client, "/credentials/ecr-prod/leak")
        headers = {"Origin": "http://localhost"}
        async with client.post("/credentials/ecr-prod/leak", data=form, headers=headers) as answer:
            assert answer.status == 200
        async with client.get("/", headers={"Host": "evil.example"}) as answer:
            assert answer.status == 421
    assert "Log out" not in page
    assert served.daemon.acts[0][3].startswith("uid ")


ALONE = {"listen": None, "tokens_file": None}
OFFERS = {
    "no TCP": (ALONE, 404),
    "switched off": ({"page": False}, 404),
    "TCP": ({}, 200),
    "socket alone": ({**ALONE, "page": True}, 200),
}


@pytest.mark.parametrize(("options", "status"), OFFERS.values(), ids=OFFERS)
async def test_the_page_is_there_when_it_is_asked_for(
    make_config: Any, make_daemon_of: Any, serve_daemon: Any, options: dict[str, Any], status: int
) -> None:
    """There is a page where the API is there over TCP, or where the configuration says so."""
    daemon = make_daemon_of(make_config(**options), SystemClock())
    async with serve_daemon(daemon) as served, served.unix() as client:
        async with client.get("/") as answer:
            assert answer.status == status
        async with client.get("/api/v1/limits") as answer:
            assert answer.status == 200


async def test_a_link_on_another_site_finds_the_session(served: Any) -> None:
    """A strict cookie is not sent where a link elsewhere leads here; the login looks again from our own page."""
    async with served.nobody() as client:
        headers = {"Sec-Fetch-Site": "cross-site"}
        async with client.get("/credentials/ghcr", headers=headers) as answer:
            assert 'http-equiv="refresh" content="0; url=/credentials/ghcr"' in await answer.text()
        assert "http-equiv" not in await text_of(client, "/login")
