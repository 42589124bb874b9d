"""The client logs in as the registry asks, with as few requests as needed, and survives what is no registry."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta

import pytest
from aiohttp import web

from rotator.clock import SystemClock
from rotator.domain.model import Login
from rotator.domain.reference import Reference, parse
from rotator.errors import PermanentError, ShapeError, UnavailableError
from rotator.ports import Clock
from rotator.registry.answer import Place
from rotator.registry.client import ACCEPT, RegistryClient, RegistrySettings
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault, SandboxServer
from rotator.secret import Secret
from rotator.transport import Transport

ClientOf = Callable[[SandboxServer], RegistryClient]
WRONG = Login("AWS", Secret("wrong-password"))


def image(server: SandboxServer, path: str = "team/app", tag: str = "1.0") -> Reference:
    """Return the reference of an image at ``server``."""
    return parse(f"{server.host}/{path}:{tag}")


def asked(server: SandboxServer) -> list[str]:
    """Return method and path of every request so far."""
    return [f"{request.method} {request.path}" for request in server.asked]


async def test_bearer_flow_is_ping_token_head(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A manifest HEAD costs three requests; the scope asked for is our own, and everything is URL-encoded."""
    answer = await client_of(hub).head_manifest(image(hub), login)
    assert (answer.place, answer.status, answer.scheme) == (Place.MANIFEST, 200, "bearer")
    assert asked(hub) == ["GET /v2/", "GET /token", "HEAD /v2/team/app/manifests/1.0"]
    assert hub.asked[1].query == "service=registry%20of%20the%20tests&scope=repository%3Ateam%2Fapp%3Apull"
    assert [request.credential.partition(" ")[0] for request in hub.asked] == ["", "Basic", "Bearer"]


async def test_basic_flow_shows_the_password_itself(ecr: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """Where Basic is asked for, a manifest HEAD costs two requests and needs no token."""
    answer = await client_of(ecr).head_manifest(image(ecr), login)
    assert (answer.status, answer.scheme) == (200, "basic")
    assert asked(ecr) == ["GET /v2/", "HEAD /v2/team/app/manifests/1.0"]


async def test_auth_probe_asks_for_no_scope(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """The auth probe asks the token server for nothing, and costs no pull."""
    answer = await client_of(hub).auth_probe(login)
    assert (answer.place, answer.status) == (Place.TOKEN, 200)
    assert asked(hub) == ["GET /v2/", "GET /token"]
    assert hub.asked[1].query == "service=registry%20of%20the%20tests"


async def test_auth_probe_refuses_a_wrong_password(either: SandboxRegistry, client_of: ClientOf) -> None:
    """In both modes a wrong password answers 401, after one try."""
    answer = await client_of(either).auth_probe(WRONG)
    assert (answer.status, answer.scheme) == (401, "basic")
    assert sum(request.credential.startswith("Basic ") for request in either.asked) == 1


async def test_wrong_password_is_shown_once_for_a_manifest(either: SandboxRegistry, client_of: ClientOf) -> None:
    """A refused login is not repeated by GET: each refusal may count towards a lock-out."""
    answer = await client_of(either).head_manifest(image(either), WRONG)
    assert answer.status == 401
    assert sum(bool(request.credential) for request in either.asked) == 1


async def test_expired_password_is_read_from_the_body(
    ecr: SandboxRegistry, client_of: ClientOf, login: Login, clock: Clock
) -> None:
    """A HEAD has no body, so a 403 is asked again by GET, and its words are found."""
    ecr.add_login(login.username, login.secret.reveal(), expires_at=clock.now())
    answer = await client_of(ecr).head_manifest(image(ecr), login)
    assert (answer.status, answer.hint) == (403, "expired")
    assert asked(ecr)[1:] == ["HEAD /v2/team/app/manifests/1.0", "GET /v2/team/app/manifests/1.0"]


async def test_no_access_is_told_by_the_challenge(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A token without the access ends in insufficient_scope, without any GET."""
    answer = await client_of(hub).head_manifest(image(hub, "other/app"), login)
    assert (answer.status, answer.error) == (401, "insufficient_scope")
    assert hub.count("GET", "/v2/other/") == 0


@pytest.mark.parametrize(
    ("path", "tag", "code"),
    [("team/app", "2.0", "MANIFEST_UNKNOWN"), ("team/none", "1.0", "NAME_UNKNOWN")],
    ids=["tag", "repository"],
)
async def test_missing_things_are_named(
    either: SandboxRegistry, client_of: ClientOf, login: Login, path: str, tag: str, code: str
) -> None:
    """A 404 is asked again by GET for its code."""
    answer = await client_of(either).head_manifest(image(either, path, tag), login)
    assert (answer.status, answer.code) == (404, code)


async def test_successful_manifest_is_never_fetched(either: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """No GET of a manifest follows a HEAD that succeeded: it would count as a pull."""
    conversation = client_of(either).open(login)
    for _ in range(3):
        assert (await conversation.head_manifest(image(either))).status == 200
    assert either.count("GET", "/v2/team/") == 0


async def test_conversation_asks_once_for_each_scope(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """Within one verification the ping and the token of a repository are asked for once, also concurrently."""
    hub.add_image("team/app:2.0")
    hub.add_image("team/web:1.0")
    conversation = client_of(hub).open(login)
    images = [image(hub), image(hub, tag="2.0"), image(hub), image(hub, "team/web")]
    answers = await asyncio.gather(*map(conversation.head_manifest, images))
    assert [answer.status for answer in answers] == [200] * 4
    assert (hub.count("GET", "/v2/"), hub.count("GET", "/token")) == (1, 2)


async def test_nothing_is_kept_between_conversations(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A revoked login is refused by the next verification, although a bearer token of the last one still works."""
    client = client_of(hub)
    assert (await client.head_manifest(image(hub), login)).status == 200
    hub.revoke(login.username)
    assert (await client.head_manifest(image(hub), login)).place is Place.TOKEN


async def test_expired_bearer_is_replaced_once(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, advance: Callable[[timedelta], None]
) -> None:
    """A bearer token that expired in the middle of a verification is replaced, and the manifest is reached."""
    conversation = client_of(hub).open(login)
    await conversation.head_manifest(image(hub))
    advance(timedelta(seconds=301))
    assert (await conversation.head_manifest(image(hub))).status == 200
    assert hub.count("GET", "/token") == 2


async def test_bearer_refused_for_ever_ends(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A registry that calls every token invalid is asked twice and then believed to be broken."""
    challenge = f'Bearer realm="{hub.url}/token",error="invalid_token"'
    hub.fail(401, path="/v2/team/", headers={"WWW-Authenticate": challenge})
    answer = await client_of(hub).head_manifest(image(hub), login)
    assert answer.error == "invalid_token"
    assert (hub.count("GET", "/token"), hub.count("HEAD", "/v2/team/")) == (2, 2)


async def test_every_manifest_format_is_accepted(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """Both index and both manifest types are in Accept; the sandbox serves an index."""
    assert ACCEPT.count("application/vnd.") == 4
    assert (await client_of(hub).head_manifest(image(hub), login)).status == 200


@pytest.fixture
async def open_registry() -> AsyncIterator[SandboxServer]:
    """Return a registry that asks for nothing at ``/v2/`` and for a bearer token at ``/v2/team``."""
    app = web.Application()

    async def base(_: web.Request) -> web.Response:
        return web.json_response({})

    async def token(request: web.Request) -> web.Response:
        return web.json_response({"access_token": "t"}, status=200 if "Authorization" in request.headers else 401)

    async def manifest(request: web.Request) -> web.Response:
        if request.headers.get("Authorization") == "Bearer t" or "open" in request.path:
            return web.Response()
        realm = f"http://{request.host}/token"
        return web.Response(status=401, headers={"WWW-Authenticate": f'Bearer realm="{realm}"'})

    app.router.add_get("/v2/", base)
    app.router.add_get("/token", token)
    app.router.add_get("/v2/{rest:.+}", manifest)
    async with SandboxServer(app) as server:
        yield server


async def test_open_base_leads_to_the_manifests_challenge(
    open_registry: SandboxServer, client_of: ClientOf, login: Login
) -> None:
    """Where ``/v2/`` asks for nothing, the manifest's own challenge is followed, and no password goes astray."""
    answer = await client_of(open_registry).head_manifest(image(open_registry), login)
    assert (answer.status, answer.scheme) == (200, "bearer")
    assert [request.path for request in open_registry.asked if request.credential.startswith("Basic")] == ["/token"]


async def test_open_registry_needs_no_login(open_registry: SandboxServer, client_of: ClientOf, login: Login) -> None:
    """An image that anybody may pull answers without a login being shown."""
    answer = await client_of(open_registry).head_manifest(image(open_registry, "open/app"), login)
    assert (answer.status, answer.scheme) == (200, "")
    assert not any(request.credential for request in open_registry.asked)


async def test_open_base_is_probed_with_the_login(
    open_registry: SandboxServer, client_of: ClientOf, login: Login
) -> None:
    """A registry that asks for nothing is still shown the login, and a bearer challenge to it is followed."""
    assert (await client_of(open_registry).auth_probe(login)).place is Place.BASE
    challenge = f'Bearer realm="{open_registry.url}/token"'
    matches = lambda request: request.path == "/v2/" and "Authorization" in request.headers  # noqa: E731
    headers = {"WWW-Authenticate": challenge}
    open_registry.faults.append(Fault(matches, lambda _: web.Response(status=401, headers=headers)))
    assert (await client_of(open_registry).auth_probe(login)).place is Place.TOKEN


@pytest.mark.parametrize("status", [302, 403, 404, 429, 500, 503])
async def test_no_login_is_shown_to_what_is_no_registry(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, status: int
) -> None:
    """When ``/v2/`` answers neither 200 nor 401, its answer stands and no login is sent."""
    hub.fail(status, path="/v2/", headers={"Retry-After": "17"})
    client = client_of(hub)
    for answer in (await client.auth_probe(login), await client.head_manifest(image(hub), login)):
        assert (answer.place, answer.status, answer.scheme) == (Place.BASE, status, "")
        assert answer.retry_after == timedelta(seconds=17)
    assert not any(request.credential for request in hub.asked)


async def test_web_page_at_base_is_shown_no_login(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A portal that answers 200 with a web page gets no login."""
    page = web.Response
    hub.faults.append(Fault(lambda _: True, lambda _: page(text="<html>", content_type="text/html")))
    answer = await client_of(hub).head_manifest(image(hub), login)
    assert answer.html
    assert not any(request.credential for request in hub.asked)


@pytest.mark.parametrize("challenge", [None, "Negotiate", 'Digest realm="x"', 'Bearer="x"', "\x80\xff"])
async def test_unknown_login_scheme_is_a_clear_error(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, challenge: str | None
) -> None:
    """A 401 that offers neither Basic nor Bearer is a permanent error with advice, and no login is sent."""
    hub.fail(401, path="/v2/", headers={"WWW-Authenticate": challenge} if challenge else {})
    for attempt in (client_of(hub).auth_probe(login), client_of(hub).head_manifest(image(hub), login)):
        with pytest.raises(PermanentError, match="not spoken here"):
            await attempt
    assert not any(request.credential for request in hub.asked)


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", '{"token":""}', '{"token":5}', '{"token":"a\\nb"}', '{"token":"\u00e9"}', "[" * 5000],
    ids=["empty", "null", "list", "no-token", "empty-token", "number", "newline", "not-ascii", "deep"],
)
async def test_unusable_token_is_unavailable(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, body: str
) -> None:
    """A token server that answers 200 with anything but a usable token counts as not answering."""
    hub.fail(200, path="/token", body=body)
    with pytest.raises(UnavailableError):
        await client_of(hub).auth_probe(login)


async def test_access_token_is_as_good_as_token(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A token under its other name is used."""
    hub.fail(200, path="/token", body=json.dumps({"access_token": "abc", "token": ""}))
    await client_of(hub).head_manifest(image(hub), login)
    assert hub.asked[2].credential == "Bearer abc"


def _bombs() -> dict[str, Callable[[], web.Response]]:
    zipped = gzip.compress(b"0" * 5_000_000)
    return {
        "gzip": lambda: web.Response(body=zipped, headers={"Content-Encoding": "gzip"}),
        "2 MiB": lambda: web.Response(body=b"0" * (2 << 20)),
        "headers": lambda: web.Response(headers={f"X-{number}": "1" for number in range(200)}),
    }


@pytest.mark.parametrize("name", _bombs())
@pytest.mark.parametrize("path", ["/v2/", "/token"])
async def test_bombs_are_unavailable(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, path: str, name: str
) -> None:
    """An answer that is too large, compressed, or all headers counts as not answering."""
    hub.faults.append(Fault(lambda request: request.path == path, lambda _: _bombs()[name]()))
    with pytest.raises(UnavailableError):
        await client_of(hub).auth_probe(login)


async def test_hanging_registry_is_cut_off(hub: SandboxRegistry, transport: Transport, login: Login) -> None:
    """A registry that never answers is given up after the deadline."""

    async def hang(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    hub.faults.append(Fault(lambda _: True, hang))
    client = RegistryClient(transport, host=hub.host, settings=RegistrySettings(insecure=True, deadline=0.2))
    with pytest.raises(UnavailableError) as caught:
        await client.auth_probe(login)
    assert caught.value.cause == "timeout"


async def test_stopped_registry_is_refused(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A registry that is down is unavailable, and reached again once it is back."""
    client, port = client_of(hub), int(hub.host.rpartition(":")[2])
    await hub.stop()
    with pytest.raises(UnavailableError):
        await client.auth_probe(login)
    await hub.start(port)
    assert (await client.auth_probe(login)).status == 200


async def test_plain_http_needs_to_be_configured(hub: SandboxRegistry, transport: Transport, login: Login) -> None:
    """Without ``insecure`` a plain-HTTP registry is only tried over TLS, and gets nothing."""
    with pytest.raises(UnavailableError) as caught:
        await RegistryClient(transport, host=hub.host).auth_probe(login)
    assert caught.value.cause == "tls"
    assert list(hub.asked) == []


async def test_failed_get_leaves_the_heads_answer(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """When the GET for the error's words breaks, what the HEAD said still stands."""
    hub.faults.append(
        Fault(lambda request: request.method == "GET" and "/team/" in request.path, lambda _: _bombs()["2 MiB"]())
    )
    answer = await client_of(hub).head_manifest(image(hub, tag="none"), login)
    assert (answer.status, answer.code) == (404, "")


async def test_docker_hub_is_asked_at_its_api_host(transport: Transport, login: Login) -> None:
    """``docker.io`` is asked at registry-1.docker.io, here through a proxy that records whom it was to reach."""
    reached: list[str] = []

    async def record(request: web.Request) -> web.Response:
        reached.append(request.host)
        return web.Response(status=503)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", record)
    async with SandboxServer(app) as proxy:
        settings = RegistrySettings(insecure=True, proxy=proxy.url)
        for host in ("docker.io", "index.docker.io"):
            assert (await RegistryClient(transport, host=host, settings=settings).auth_probe(login)).status == 503
    assert reached == ["registry-1.docker.io"] * 2


def test_username_with_a_colon_is_refused(transport: Transport) -> None:
    """A user name that would shift the border to its password is refused before anything is sent."""
    with pytest.raises(ShapeError):
        RegistryClient(transport, host="ghcr.io").open(Login("a:b", Secret("c")))


async def test_each_registry_is_a_peer_of_its_own(hub: SandboxRegistry, ecr: SandboxRegistry, login: Login) -> None:
    """Requests to a registry and its token server are counted under its host: one that is down among others shows."""
    calls: list[tuple[str, str]] = []
    transport = Transport(clock=SystemClock(), observe=lambda call: calls.append((call.peer, call.code)))
    hub.fail(503)
    for server in (hub, ecr):
        settings = RegistrySettings(insecure=True)
        await RegistryClient(transport, host=server.host, settings=settings).auth_probe(login)
    await transport.close()

    assert {peer for peer, code in calls if code == "5xx"} == {hub.host}
    assert {peer for peer, _ in calls} == {hub.host, ecr.host}
