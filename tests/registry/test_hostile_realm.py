"""A registry that was taken over cannot collect passwords: nothing of a login reaches a second server."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web

from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.errors import PermanentError, RotatorError
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.sandbox.server import SandboxServer
from rotator.transport import Transport


class Recorder(SandboxServer):
    """Answers 401 with a settable challenge, mints a token for anybody, and records everything."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        super().__init__(app, tls=tls)
        self.challenges: list[str] = []
        app.router.add_get("/token", self._token)
        app.router.add_route("*", "/{rest:.*}", self._refuse)

    async def _token(self, _request: web.Request) -> web.Response:
        return web.json_response({"token": "minted"})

    async def _refuse(self, _request: web.Request) -> web.Response:
        response = web.Response(status=401)
        for challenge in self.challenges:
            response.headers.add("WWW-Authenticate", challenge)
        return response

    @property
    def port(self) -> str:
        """The port it listens on."""
        return self.host.rpartition(":")[2]


REALMS = {
    "address": "http://127.0.0.1:{b}/token",
    "https": "https://127.0.0.1:{b}/token",
    "name": "http://localhost:{b}/token",
    "name-https": "https://localhost:{b}/token",
    "name-dot": "http://localhost.:{b}/token",
    "subdomain": "http://a.localhost:{b}/token",
    "short-address": "http://127.1:{b}/token",
    "decimal": "http://2130706433:{b}/token",
    "hex": "http://0x7f000001:{b}/token",
    "octal": "http://0177.0.0.1:{b}/token",
    "other-loopback": "http://127.0.0.2:{b}/token",
    "any-address": "http://0.0.0.0:{b}/token",
    "ipv6": "http://[::1]:{b}/token",
    "mapped": "http://[::ffff:127.0.0.1]:{b}/token",
    "mapped-hex": "http://[::ffff:7f00:1]:{b}/token",
    "user": "http://user@127.0.0.1:{b}/token",
    "registry-as-user": "http://127.0.0.1:{a}@127.0.0.1:{b}/token",
    "registry-as-user-https": "https://127.0.0.1:{a}@127.0.0.1:{b}/token",
    "empty-user": "http://@127.0.0.1:{b}/token",
    "two-ats": "http://x@127.0.0.1:{a}@127.0.0.1:{b}/token",
    "hash-then-at": "http://127.0.0.1:{b}#@127.0.0.1:{a}/token",
    "backslash-at": "http://127.0.0.1:{b}\\@127.0.0.1:{a}/token",
    "at-backslash": "http://127.0.0.1:{a}\\@127.0.0.1:{b}/token",
    "question-at": "http://127.0.0.1:{b}?@127.0.0.1:{a}/token",
    "slash-at": "http://127.0.0.1:{b}/@127.0.0.1:{a}/token",
    "encoded-at": "http://127.0.0.1:{a}%40127.0.0.1:{b}/token",
    "encoded-slash": "http://127.0.0.1:{b}%2f127.0.0.1:{a}/token",
    "space": "http://127.0.0.1:{b} .127.0.0.1:{a}/token",
    "leading-space": " http://127.0.0.1:{b}/token",
    "tab": "ht\ttp://127.0.0.1:{b}/token",
    "upper-case": "HTTP://127.0.0.1:{b}/TOKEN",
    "no-scheme": "//127.0.0.1:{b}/token",
    "no-slashes": "http:127.0.0.1:{b}/token",
    "three-slashes": "http:///127.0.0.1:{b}/token",
    "ftp": "ftp://127.0.0.1:{b}/token",
    "file": "file:///etc/passwd",
    "javascript": "javascript:alert(1)",
    "relative": "/token",
    "empty": "",
    "fullwidth-dots": "http://127\uff0e0\uff0e0\uff0e1:{b}/token",
    "fullwidth-digits": "http://\uff11\uff12\uff17.0.0.1:{b}/token",
    "ideographic-dot": "http://127\u30020\u30020\u30021:{b}/token",
    "port-with-sign": "http://127.0.0.1:+{b}/token",
    "port-with-zeros": "http://127.0.0.1:00{b}/token",
    "query-in-realm": "http://127.0.0.1:{b}/token?service=x",
    "very-long": "http://127.0.0.1:{b}/" + "a" * 4000,
}
FORMS = {
    "bearer-{0}": ['Bearer realm="{0}",service="s",scope="repository:user/image:pull"'],
    "after-basic-{0}": ['Basic realm="x", Bearer realm="{0}",service="s"'],
    "first-of-two-{0}": ['Bearer realm="{0}"', 'Bearer realm="http://127.0.0.1:{{a}}/token"'],
}


def corpus() -> list[object]:
    """Return every realm in every form of header."""
    return [
        pytest.param([text.replace("{0}", realm) for text in texts], id=form.replace("{0}", name))
        for form, texts in FORMS.items()
        for name, realm in REALMS.items()
    ]


@pytest.fixture
async def registry() -> AsyncIterator[Recorder]:
    """Return the registry that was taken over, on plain HTTP."""
    async with Recorder() as server:
        yield server


@pytest.fixture
async def thief() -> AsyncIterator[Recorder]:
    """Return the second server; it must never see a login."""
    async with Recorder() as server:
        yield server


async def show_login(client: RegistryClient, login: Login) -> list[RotatorError]:
    """Do all that is ever done with a login; return what it raised."""
    image = parse(f"{client.host}/team/app:1.0")
    outcomes = await asyncio.gather(
        client.auth_probe(login), client.head_manifest(image, login), return_exceptions=True
    )
    raised = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert all(isinstance(error, RotatorError) for error in raised), raised
    return [error for error in raised if isinstance(error, RotatorError)]


@pytest.mark.parametrize("challenges", corpus())
async def test_no_login_reaches_another_server(
    transport: Transport, login: Login, registry: Recorder, thief: Recorder, challenges: list[str]
) -> None:
    """Whatever token server a plain-HTTP registry names, no request reaches it and the reason holds no secret."""
    names = {"{{a}}": registry.port, "{a}": registry.port, "{b}": thief.port}
    for text in challenges:
        for name, port in names.items():
            text = text.replace(name, port)  # noqa: PLW2901
        registry.challenges.append(text.encode().decode("latin-1"))  # as a raw header would carry it
    client = RegistryClient(transport, host=registry.host, settings=RegistrySettings(insecure=True, deadline=2))
    errors = await show_login(client, login)
    assert list(thief.asked) == []
    assert [asked.credential for asked in registry.asked if asked.credential] == []
    assert [type(error) for error in errors] == [PermanentError, PermanentError]
    assert login.secret.reveal() not in " ".join(map(str, errors))


def test_corpus_is_large_enough() -> None:
    """At least forty different challenges are tried."""
    assert len(corpus()) >= 40


async def test_recorder_would_see_a_login(
    transport: Transport, login: Login, registry: Recorder, thief: Recorder
) -> None:
    """The control: a realm on the registry's own host does get the login, so the recorders do record."""
    registry.challenges = [f'Bearer realm="{registry.url}/token",service="s"']
    client = RegistryClient(transport, host=registry.host, settings=RegistrySettings(insecure=True))
    assert await show_login(client, login) == []
    assert [asked.path for asked in registry.asked if asked.credential.startswith("Basic ")] == ["/token"] * 2
    assert list(thief.asked) == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("path", ["/v2/", "/token", "/v2/team/"])
async def test_redirects_are_not_followed(
    transport: Transport, login: Login, registry: Recorder, thief: Recorder, status: int, path: str
) -> None:
    """A redirect from the registry or its own token server takes nothing to another server."""
    registry.challenges = [f'Bearer realm="{registry.url}/token",service="s"']
    registry.fail(status, path=path, headers={"Location": f"{thief.url}/token"})
    client = RegistryClient(transport, host=registry.host, settings=RegistrySettings(insecure=True))
    await show_login(client, login)
    assert list(thief.asked) == []


@pytest.mark.parametrize("challenge", ['Basic realm="{b}"', 'Digest realm="{b}"', "Negotiate", ""], ids=str.split)
async def test_other_schemes_take_nothing_elsewhere(
    transport: Transport, login: Login, registry: Recorder, thief: Recorder, challenge: str
) -> None:
    """Only Basic shows the login, and only to the registry itself, wherever its realm points."""
    registry.challenges = [challenge.replace("{b}", thief.url)]
    client = RegistryClient(transport, host=registry.host, settings=RegistrySettings(insecure=True))
    await show_login(client, login)
    assert list(thief.asked) == []
    assert any(asked.credential for asked in registry.asked) is challenge.startswith("Basic")


@pytest.mark.parametrize(
    "realm", ["http://127.0.0.1:{b}/token", "http://127.0.0.1:{a}/token", "https://127.0.0.1:{b}/"]
)
async def test_https_registry_cannot_downgrade(
    transport: Transport, login: Login, tmp_path: Path, thief: Recorder, realm: str
) -> None:
    """A registry reached by https names itself over https and works; over http, or elsewhere, nothing is sent."""
    authority = trustme.CA()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(tls)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with Recorder(tls) as server:
        client = RegistryClient(
            transport, host=server.host, settings=RegistrySettings(ca_file=str(tmp_path / "ca.pem"))
        )
        server.challenges = [f'Bearer realm="{realm.format(a=server.port, b=thief.port)}"']
        assert len(await show_login(client, login)) == 2
        assert not any(asked.credential for asked in (*server.asked, *thief.asked))
        server.challenges = [f'Bearer realm="{server.url}/token"']
        assert await show_login(client, login) == []
        assert any(asked.credential for asked in server.asked)
    assert list(thief.asked) == []
