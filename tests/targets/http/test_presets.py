"""Each preset against a server that answers as its platform was read to: what is sent, shown, kept and never told."""

from __future__ import annotations

import base64
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from typing import Any, ClassVar

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.clock import SystemClock
from rotator.domain.declares import Proof
from rotator.domain.model import Entry, Login
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
    VerificationError,
)
from rotator.sandbox.server import Fault, SandboxServer
from rotator.secret import Fingerprinter, Secret, base64_forms
from rotator.sources.env import EnvSource
from rotator.targets.context import TargetContext
from rotator.targets.http import HttpConfig, HttpTarget
from rotator.targets.http.presets import Preset
from rotator.transport import Transport

CANARY = "canary-8c41e6b7d0"
KEY = "canary-api-key-77f1"
Make = Callable[..., HttpTarget]


def entry(generation: int = 1, credential: str = "ghcr", username: str = "robot") -> Entry:
    """Return an entry whose password tells its generation, with characters that must be escaped."""
    return Entry(
        credential, "ghcr.io", Login(username, Secret(f'{CANARY}-"{generation}"')), generation, f"p{generation}"
    )


class Platform(SandboxServer):
    """A platform: what it was sent, one object that it keeps, and whether it lets the login in.

    Each subclass says where its behaviour is documented.
    """

    values: ClassVar[dict[str, str]] = {}

    def __init__(self) -> None:
        self.app = web.Application()
        super().__init__(self.app)
        self.sent: list[Any] = []
        self.sent_headers: dict[str, str] = {}
        self.kept: dict[str, Any] = {}
        self.refuses_login = False
        self.routes()

    def routes(self) -> None:
        """Add the routes."""

    def password(self) -> Any:
        """Return the password that is kept."""
        raise NotImplementedError

    def add(self, method: str, path: str, answer: Callable[[Any], web.Response]) -> None:
        """Answer ``method`` at ``path`` by what was sent."""

        async def handle(request: web.Request) -> web.Response:
            body = await request.json() if request.can_read_body else None
            self.sent.append((request.method, request.path_qs, body))
            self.sent_headers = dict(request.headers)
            return answer(body)

        self.app.router.add_route(method, path, handle)


class Portainer(Platform):
    """github.com/portainer/portainer, api/http/handler/registries/registry_update.go (read 2024-10-23)."""

    values: ClassVar = {"id": "3"}

    def routes(self) -> None:
        """PUT echoes the whole registry, the password included; GET hides it."""
        self.kept = {"Id": 3, "Name": "n", "URL": "ghcr.io", "Username": "old", "Password": "old"}
        self.add("PUT", "/api/registries/3", self._put)
        self.add("GET", "/api/registries/3", lambda _: web.json_response({**self.kept, "Password": ""}))

    def _put(self, body: Any) -> web.Response:
        if body.get("Authentication"):
            self.kept.update({"Username": body["Username"], "Password": body["Password"]})
        return web.json_response(self.kept)

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept["Password"]


class Dokploy(Platform):
    """github.com/Dokploy/dokploy v0.30.2, packages/server/src/services/registry.ts (read 2026-08-21)."""

    values: ClassVar = {"id": "r1"}

    def routes(self) -> None:
        """The login is stored first and tried afterwards; a failure is a 400."""
        self.kept = {"registryId": "r1", "username": "old"}
        self.add("POST", "/api/registry.update", self._update)
        self.add(
            "GET",
            "/api/registry.one",
            lambda _: web.json_response({"registryId": "r1", "username": self.kept["username"]}),
        )
        self.add("POST", "/api/registry.testRegistryById", lambda _: self._tried())

    def _update(self, body: Any) -> web.Response:
        self.kept.update(body)
        return self._tried()

    def _tried(self) -> web.Response:
        if self.refuses_login:
            return web.json_response({"message": f"docker login failed: {self.kept['password']}"}, status=400)
        return web.json_response({"ok": True})

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept["password"]


class Coolify(Platform):
    """coolify.io/docs/api-reference: registries of a server, 4.4 (read 2026-08)."""

    values: ClassVar = {"server": "s1"}

    def routes(self) -> None:
        """One login per registry of a server; never shown, but checked on request."""
        base = "/api/v1/servers/s1/registries"
        self.kept = {"ghcr.io": {"username": "old"}, "quay.io": {"username": "other"}}
        self.add("POST", base, self._post)
        self.add("GET", base, lambda _: web.json_response(self._list()))
        self.add(
            "POST", f"{base}/ghcr.io/check", lambda _: web.json_response({}, status=422 if self.refuses_login else 200)
        )

    def _list(self) -> list[dict[str, Any]]:
        return [{"registry": name, "logged_in": True, "username": one["username"]} for name, one in self.kept.items()]

    def _post(self, body: Any) -> web.Response:
        self.kept[body["registry"]] = {"username": body["username"], "password": body["password"]}
        return web.json_response({"message": f"Logged in to {body['registry']}."})

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept["ghcr.io"].get("password")


class CapRover(Platform):
    """github.com/caprover/caprover, src/routes/user/registries (read 2026-08-20)."""

    values: ClassVar = {"id": "c1"}

    def routes(self) -> None:
        """HTTP 200 always; 1112 keeps the old login; the list shows passwords."""
        common = {"registryDomain": "ghcr.io", "registryImagePrefix": "acme"}
        self.kept = {"id": "c1", "registryUser": "old", "registryPassword": "old", **common}
        self.add("POST", "/api/v2/login", self._login)
        self.add("GET", "/api/v2/user/registries/", lambda _: self._ok({"registries": [{"id": "x"}, self.kept]}))
        self.add("POST", "/api/v2/user/registries/update/", self._update)

    def _ok(self, data: Any) -> web.Response:
        return web.json_response({"status": 100, "description": "ok", "data": data})

    def _login(self, body: Any) -> web.Response:
        if body != {"password": KEY}:
            return web.json_response({"status": 1105, "description": "wrong"})
        return self._ok({"token": "session-1"})

    def _update(self, body: Any) -> web.Response:
        if self.refuses_login:
            return web.json_response({"status": 1112, "description": f"failed with {body['registryPassword']}"})
        self.kept = dict(body)
        return self._ok({})

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept["registryPassword"]


class Render(Platform):
    """github.com/render-oss/terraform-provider-render, its generated client (read 2026-07-23)."""

    values: ClassVar = {"id": "rgc-1"}

    def routes(self) -> None:
        """All four fields are required."""
        self.kept = {"id": "rgc-1", "name": "pull", "registry": "GITHUB", "username": "old", "updatedAt": "1"}
        self.add("GET", "/v1/registrycredentials/rgc-1", lambda _: web.json_response(self._shown()))
        self.add("PATCH", "/v1/registrycredentials/rgc-1", self._patch)

    def _shown(self) -> dict[str, Any]:
        return {key: value for key, value in self.kept.items() if key != "authToken"}

    def _patch(self, body: Any) -> web.Response:
        if set(body) != {"registry", "name", "username", "authToken"}:
            return web.json_response({"message": "missing"}, status=400)
        self.kept.update(body, updatedAt=str(len(self.sent)))
        return web.json_response(self.kept)

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept.get("authToken")


class Railway(Platform):
    """github.com/railwayapp/cli, schema.json: mutation serviceInstanceUpdate (read 2026-08-21)."""

    values: ClassVar = {"service": "s", "environment": "e"}

    def routes(self) -> None:
        """Errors come with HTTP 200."""
        self.add("POST", "/graphql/v2", self._mutate)

    def _mutate(self, body: Any) -> web.Response:
        if self.refuses_login:
            return web.json_response({"errors": [{"message": json.dumps(body)}], "data": None})
        self.kept = body["variables"]["input"]["registryCredentials"]
        return web.json_response({"data": {"serviceInstanceUpdate": True}})

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept.get("password")


class Gitlab(Platform):
    """gitlabhq/gitlabhq, doc/api/project_level_variables.md (read 2026-11-28)."""

    values: ClassVar = {"project": "acme/web"}

    def routes(self) -> None:
        """Answers echo the value; what is not sent stays."""
        self.kept = {"key": "DOCKER_AUTH_CONFIG", "value": '{"auths":{"quay.io":{"auth":"eDp5"}}}', "protected": True}
        path = "/api/v4/projects/{project}/variables/DOCKER_AUTH_CONFIG"
        self.add("GET", path, lambda _: web.json_response(self.kept))
        self.add("PUT", path, self._put)

    def _put(self, body: Any) -> web.Response:
        self.kept.update(body)
        return web.json_response(self.kept)

    def password(self) -> Any:
        """Return the password that is kept."""
        return json.loads(self.kept["value"])["auths"].get("ghcr.io", {}).get("auth")


class Nomad(Platform):
    """developer.hashicorp.com/nomad/api-docs/variables (read 2026-08-21)."""

    values: ClassVar = {"path": "nomad/jobs/web"}

    def routes(self) -> None:
        """Items are replaced; a wrong index is a 409 with the variable in it."""
        self.kept = {"Path": "nomad/jobs/web", "ModifyIndex": 7, "Items": {"other": "kept", "username": "old"}}
        self.index = "7"
        self.add("GET", "/v1/var/{path:.*}", lambda _: self._show())
        self.add("PUT", "/v1/var/{path:.*}", self._put)

    def _show(self) -> web.Response:
        return web.json_response(self.kept) if self.kept else web.Response(status=404)

    def _put(self, body: Any) -> web.Response:
        if f"cas={self.index}" not in self.sent[-1][1]:
            return web.json_response({"conflict": f"{CANARY}", **self.kept}, status=409)
        self.index = str(int(self.index) + 1)
        self.kept = {"Path": body["Path"], "Items": body["Items"], "ModifyIndex": int(self.index)}
        return web.json_response(self.kept)

    def password(self) -> Any:
        """Return the password that is kept."""
        return self.kept["Items"].get("password")


PLATFORMS: dict[Preset, type[Platform]] = {
    Preset.CAPROVER: CapRover,
    Preset.COOLIFY: Coolify,
    Preset.DOKPLOY: Dokploy,
    Preset.GITLAB_CI: Gitlab,
    Preset.NOMAD: Nomad,
    Preset.PORTAINER: Portainer,
    Preset.RAILWAY: Railway,
    Preset.RENDER: Render,
}
PROOFS = {
    Preset.CAPROVER: Proof.VALUE,
    Preset.COOLIFY: Proof.USERNAME,
    Preset.DOKPLOY: Proof.USERNAME,
    Preset.GITLAB_CI: Proof.VALUE,
    Preset.NOMAD: Proof.VALUE,
    Preset.PORTAINER: Proof.USERNAME,
    Preset.RAILWAY: Proof.NONE,
    Preset.RENDER: Proof.USERNAME,
}


@pytest.fixture(params=sorted(Preset))
async def platform(request: pytest.FixtureRequest) -> AsyncIterator[Platform]:
    """Serve each platform in turn."""
    async with PLATFORMS[request.param]() as server:
        yield server


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    """Return a function that makes a target in front of a platform."""
    clock = SystemClock()
    transport = Transport(clock=clock)

    def build(server: Platform, **options: Any) -> HttpTarget:
        sources = {"env": EnvSource({"KEY": KEY}, fingerprint=Fingerprinter(b"0123456789abcdef"))}
        preset = next(name for name, kind in PLATFORMS.items() if isinstance(server, kind))
        known: dict[str, Any] = {"url": server.url, "insecure": True, "secret": {"env": "KEY"}, "values": server.values}
        config = HttpConfig.model_validate({"type": "http", **known, **({"preset": preset} | options)})
        return HttpTarget("paas", config, TargetContext(transport, clock, lambda: 0.5, sources))

    yield build
    await transport.close()


def expected(platform: Platform, wanted: Entry) -> Any:
    """Return how the platform keeps the password."""
    if isinstance(platform, Gitlab):
        return base64_of(wanted)
    return wanted.login.secret.reveal()


def base64_of(wanted: Entry) -> str:
    """Return the ``auth`` of a docker configuration."""
    return base64.b64encode(f"{wanted.login.username}:{wanted.login.secret.reveal()}".encode()).decode()


def writes(platform: Platform) -> int:
    """Return how many changes were asked for."""
    paths = ("/check", "/api/registry.test", "/api/v2/login")
    return sum(1 for method, path, _ in platform.sent if method != "GET" and not any(one in path for one in paths))


async def test_the_login_arrives_and_is_shown_as_far_as_it_goes(platform: Platform, make: Make, request: Any) -> None:
    """The login reaches each platform to the letter, and no more is claimed than the platform shows."""
    target = make(platform)
    held = await target.apply("paas", [entry()])
    assert platform.password() == expected(platform, entry())
    assert (held.changed, held.logins) == (True, {"ghcr": entry().login})
    preset = Preset(request.node.callspec.params["platform"])
    assert held.proof is target.declares.readback is PROOFS[preset]
    assert (await target.read("paas", [entry()])).logins == {"ghcr": entry().login}


async def test_unchanged_is_not_sent_again(platform: Platform, make: Make) -> None:
    """What was accepted and is still shown is not written a second time; a newer login is."""
    target = make(platform)
    await target.apply("paas", [entry()])
    before = writes(platform)
    assert not (await target.apply("paas", [entry()])).changed
    assert writes(platform) == before
    assert (await target.apply("paas", [entry(2)])).logins == {"ghcr": entry(2).login}
    assert platform.password() == expected(platform, entry(2))


async def test_another_process_s_login_is_believed_only_where_it_is_shown(platform: Platform, make: Make) -> None:
    """After a restart, only a platform that shows the password is taken to hold it; the others are written again."""
    await make(platform).apply("paas", [entry()])
    before, restarted = writes(platform), make(platform)
    is_shown = restarted.declares.readback is Proof.VALUE
    assert bool((await restarted.read("paas", [entry()])).logins) is is_shown
    await restarted.apply("paas", [entry()])
    assert (writes(platform) == before) is is_shown


async def test_an_older_generation_is_refused(platform: Platform, make: Make) -> None:
    """I3: what is older than what this process sent is not sent."""
    target = make(platform)
    await target.apply("paas", [entry(2)])
    with pytest.raises(FencedError):
        await target.apply("paas", [entry(1)])


REFUSALS = [
    pytest.param(401, AuthenticationError, id="401"),
    pytest.param(403, PermissionDeniedError, id="403"),
    pytest.param(404, NotFoundError, id="404"),
    pytest.param(409, ConflictError, id="409"),
    pytest.param(422, UnsupportedError, id="422"),
    pytest.param(429, RateLimitedError, id="429"),
    pytest.param(500, UnavailableError, id="500"),
]


@pytest.mark.parametrize(("status", "kind"), REFUSALS)
async def test_each_refusal_has_its_class(
    platform: Platform, make: Make, status: int, kind: type[RotatorError], caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal of the write becomes its class; nothing of what the platform answered is told; it is mended later."""
    caplog.set_level(logging.DEBUG)
    target = make(platform)
    fault = Fault(
        lambda request: request.method != "GET" and not request.path.endswith("/login"),
        lambda _: web.Response(status=status, text=f"<html>{CANARY}", headers={"Retry-After": "9"}),
    )
    platform.faults.append(fault)
    with pytest.raises(kind) as caught:
        await target.apply("paas", [entry()])
    told = "".join([*traceback.format_exception(caught.value), caplog.text, repr(vars(target))])
    for form in {CANARY, KEY, *base64_forms(CANARY), *base64_forms(KEY)}:
        assert form not in told
    assert (await target.read("paas", [entry()])).logins.get("ghcr") != entry().login
    platform.faults.remove(fault)
    assert (await target.apply("paas", [entry()])).logins == {"ghcr": entry().login}


async def test_a_web_page_is_no_answer(platform: Platform, make: Make) -> None:
    """A page with status 200 in place of what is to be read back is not taken for a platform."""
    platform.faults.append(Fault(lambda _: True, lambda _: web.Response(text="<html>hi", content_type="text/html")))
    with pytest.raises(UnavailableError):
        await make(platform).apply("paas", [entry()])


async def test_a_refused_login_is_not_reported_as_held(make: Make) -> None:
    """Where the platform tries the login and fails, that is said: after a 400, and after a 200 with its own code."""
    outcomes: list[tuple[type[Platform], type[RotatorError], bool]] = [
        (Dokploy, VerificationError, True),
        (Coolify, VerificationError, True),
        (CapRover, PermanentError, False),
        (Railway, PermanentError, False),
    ]
    for kind, error, is_stored in outcomes:
        async with kind() as server:
            server.refuses_login = True
            target = make(server)
            with pytest.raises(error) as caught:
                await target.apply("paas", [entry()])
            assert CANARY not in "".join(traceback.format_exception(caught.value))
            assert (server.password() == entry().login.secret.reveal()) is is_stored
            assert (await target.read("paas", [entry()])).logins.get("ghcr") != entry().login


async def test_dokploy_s_400_may_be_a_success(make: Make) -> None:
    """A 400 after which the platform logs in with what it stored is a success: it stores first."""
    async with Dokploy() as server:
        server.fail(400, path="/api/registry.update", times=1)
        server.kept["username"] = "robot"
        assert (await make(server).apply("paas", [entry()])).logins == {"ghcr": entry().login}


async def test_what_others_keep_stays(make: Make) -> None:
    """Fields and logins of others survive where the platform replaces the whole."""
    async with Nomad() as nomad, Gitlab() as gitlab, CapRover() as caprover:
        await make(nomad).apply("paas", [entry()])
        assert nomad.kept["Items"]["other"] == "kept"
        await make(gitlab).apply("paas", [entry(), Entry("hub", "docker.io", entry().login, 1)])
        auths = json.loads(gitlab.kept["value"])["auths"]
        assert set(auths) == {"quay.io", "ghcr.io", "https://index.docker.io/v1/"}
        assert "\n" not in gitlab.kept["value"]
        assert gitlab.kept["protected"] is True
        await make(caprover).apply("paas", [entry()])
        assert (caprover.kept["registryDomain"], caprover.kept["registryImagePrefix"]) == ("ghcr.io", "acme")


async def test_nomad_s_conflict_tells_nothing_and_its_absence_is_a_start(make: Make) -> None:
    """A 409 is a conflict without the variable's content; where there is no variable, it is made, and only then."""
    async with Nomad() as nomad:
        nomad.index = "8"
        with pytest.raises(ConflictError) as caught:
            await make(nomad).apply("paas", [entry()])
        assert CANARY not in "".join(traceback.format_exception(caught.value))
        nomad.kept, nomad.index = {}, "0"
        assert (await make(nomad).apply("paas", [entry()])).changed
        assert nomad.kept["Items"] == {"username": "robot", "password": entry().login.secret.reveal()}


async def test_headers(make: Make) -> None:
    """Each platform is shown the key, or the session's token, in its own header."""
    shown = {
        Portainer: ("X-API-KEY", KEY),
        Dokploy: ("x-api-key", KEY),
        Coolify: ("Authorization", f"Bearer {KEY}"),
        CapRover: ("x-captain-auth", "session-1"),
        Render: ("Authorization", f"Bearer {KEY}"),
        Railway: ("Authorization", f"Bearer {KEY}"),
        Gitlab: ("PRIVATE-TOKEN", KEY),
        Nomad: ("X-Nomad-Token", KEY),
    }
    for kind, (header, value) in shown.items():
        async with kind() as server:
            await make(server).apply("paas", [entry()])
            assert server.sent_headers[header] == value


async def test_one_login_only(make: Make) -> None:
    """Where the requests hold one login, several are refused before anything is sent."""
    async with Portainer() as server:
        with pytest.raises(UnsupportedError, match="holds one login, and here are 2: ghcr, hub"):
            await make(server).apply("paas", [entry(), entry(credential="hub")])
        assert server.sent == []


async def test_an_object_that_is_not_there(make: Make) -> None:
    """What must be read to be sent back and is not there is named."""
    async with CapRover() as server:
        server.kept["id"] = "another"
        with pytest.raises(NotFoundError, match="does not show domain, prefix"):
            await make(server).apply("paas", [entry()])


async def test_foreign_text_is_left(make: Make) -> None:
    """A variable that is no docker configuration is not overwritten."""
    async with Gitlab() as server:
        server.kept["value"] = f"not {CANARY}"
        with pytest.raises(ShapeError, match="is no docker configuration") as caught:
            await make(server).apply("paas", [entry()])
        assert server.kept["value"] == f"not {CANARY}"
        assert CANARY not in "".join(traceback.format_exception(caught.value))


class Deploys(Portainer):
    """A made-up platform with deployments, as `requests` may describe one."""

    def routes(self) -> None:
        """Tell the state beside the rest."""
        super().routes()
        self.state = "Success"
        self.add("GET", "/state", lambda _: web.json_response([{"state": self.state}]))
        self.add("POST", "/deploy", lambda _: web.json_response({}))


STATES = {"ok": ["success"], "busy": ["in progress"], "failed": ["error"]}
LOGIN = {"Authentication": True, "Username": "{username}", "Password": "{password}"}
DEPLOYS = {
    "header": "X-Key",
    "prefix": "",
    "apply": {"method": "PUT", "path": "/api/registries/{id}", "body": LOGIN},
    "finish": {"path": "/deploy"},
    "status": {"path": "/state", "state_at": "/0/state", **STATES},
}


async def test_a_busy_platform_is_left_alone(make: Make) -> None:
    """While a deployment runs nothing is sent; while ours runs it is waited for, not sent again; a failure is told."""
    async with Deploys() as server:
        target = make(server, preset=None, requests=DEPLOYS)
        server.state = "In Progress"
        with pytest.raises(UnavailableError, match="at work"):
            await target.apply("paas", [entry()])
        assert writes(server) == 0
        server.state = "success"
        assert (await target.apply("paas", [entry()])).logins == {"ghcr": entry().login}
        assert writes(server) == 2

        def start(_: web.Request) -> web.StreamResponse:
            server.state = "in progress"
            return web.json_response({})

        server.faults.append(Fault(lambda request: request.path == "/deploy", start, 1))
        for _ in range(2):
            with pytest.raises(UnavailableError, match="at work"):
                await target.apply("paas", [entry(2)])
        assert sum(1 for method, _, _ in server.sent if method == "PUT") == 2
        server.state = "success"
        assert (await target.apply("paas", [entry(2)])).logins == {"ghcr": entry(2).login}
        assert sum(1 for method, _, _ in server.sent if method == "PUT") == 2


async def test_a_deployment_that_failed_is_told(make: Make) -> None:
    """A state of failure after our write is an error for a person to look at; one that nobody named is not done."""
    async with Deploys() as server:
        for state, words in (("error", "says that it failed"), ("paused", "does not name")):
            target = make(server, preset=None, requests=DEPLOYS)
            server.state = "success"

            def change(_: web.Request, state: str = state) -> web.StreamResponse:
                server.state = state
                return web.json_response({})

            server.faults.append(Fault(lambda request: request.path == "/deploy", change, 1))
            with pytest.raises(RotatorError, match=words):
                await target.apply("paas", [entry()])
            assert (await target.read("paas", [entry()])).logins == {}


BAD: list[Any] = [
    pytest.param({}, "either preset or requests", id="neither"),
    pytest.param({"preset": "portainer"}, "values: id must be written", id="value missing"),
    pytest.param({"preset": "portainer", "values": {"id": "1", "x": "2"}}, "x is in none", id="value unknown"),
    pytest.param({"preset": "heroku"}, "Input should be", id="no such preset"),
    pytest.param({"requests": {"apply": {"path": "/a/{password}"}}}, "cannot be part of a URL", id="secret in a path"),
    pytest.param({"requests": {"apply": {"path": "a"}}}, "should match", id="relative path"),
    pytest.param({"requests": {"apply": {"path": "/a"}, "keep_at": "a"}}, "is not a JSON pointer", id="no pointer"),
    pytest.param({"requests": {"apply": {"path": "/a"}}, "url": "http://x"}, "is not https", id="plain"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    """Options that cannot work are refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        HttpConfig.model_validate({"type": "http", "url": "https://x", "secret": {"env": "K"}, **options})
