"""A world for providers: a clock that stands still, sources in files, a GitHub, and one harness per provider."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import ssl
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import RotatorError
from rotator.ports import Clock, Order, Provider, Source
from rotator.providers.context import ProviderContext
from rotator.providers.ecr import Ecr, EcrConfig
from rotator.providers.shared import Shared
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault, SandboxServer
from rotator.secret import Secret
from rotator.sources.file import FileSource
from rotator.sources.reading import SourceReading
from rotator.transport import Transport

CANARY = "canary-7f3a9c51d2e8"
ACCESS_KEY = "AKIDSANDBOX"


class HeldClock:
    """Shows one instant until it is told to advance."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the instant."""
        return self._now

    def monotonic(self) -> float:
        """Return the instant as seconds."""
        return self._now.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Advance instead of waiting."""
        self.advance(timedelta(seconds=seconds))

    def advance(self, by: timedelta) -> None:
        """Move on."""
        self._now += by


class HeldSource:
    """A source in memory, at the port: what it holds, and what it answers instead.

    Args:
        cheap: Whether it can tell a revision without reading.
    """

    def __init__(self, *, cheap: bool = True) -> None:
        self.held: dict[str, SourceReading] = {}
        self.error: RotatorError | None = None
        self.reads: list[str] = []
        self.after_read: Callable[[], None] = lambda: None
        self._cheap = cheap

    def put(self, location: str, value: str, *, revision: str = "1", expiry: Expiry = UNKNOWN) -> None:
        """Hold ``value``."""
        self.held[location] = SourceReading(Secret(value), revision, expiry)

    async def read(self, location: str) -> SourceReading:
        """Return what is held, or raise what was ordered."""
        if self.error is not None:
            raise self.error
        self.reads.append(location)
        reading = self.held[location]
        self.after_read()
        return reading

    async def revision(self, location: str) -> str | None:
        """Return the revision of what is held."""
        return self.held[location].revision if self._cheap else None

    async def close(self) -> None:
        """Do nothing."""


class GitHub(SandboxServer):
    """What is asked of GitHub's API: ``GET /rate_limit`` with a token, ``POST /credentials/revoke`` without a login.

    Behaviour of the latter: docs.github.com/rest/credentials/revoke (read 2026-11-28).
    """

    def __init__(self) -> None:
        app = web.Application()
        super().__init__(app)
        self.tokens: dict[str, dict[str, str]] = {}
        app.router.add_get("/rate_limit", self._rate_limit)
        app.router.add_post("/credentials/revoke", self._revoke)

    async def _revoke(self, request: web.Request) -> web.Response:
        if "Authorization" in request.headers:
            return web.json_response({"message": "Forbidden"}, status=403)
        shown = (await request.json()).get("credentials")
        if (
            not isinstance(shown, list)
            or not shown
            or not all(one.startswith(("ghp_", "github_pat_")) for one in shown)
        ):
            return web.json_response({"message": "Validation Failed"}, status=422)
        for one in shown:
            self.tokens.pop(one, None)
        return web.json_response({}, status=202)

    async def _rate_limit(self, request: web.Request) -> web.Response:
        headers = self.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if headers is None:
            return web.json_response({"message": "Bad credentials"}, status=401)
        return web.json_response({"resources": {}, "rate": {}}, headers=headers)


class Entra(SandboxServer):
    """Entra's token endpoint for one application, an App Service's identity endpoint, and a registry's exchange.

    Behaviour: learn.microsoft.com, "OAuth 2.0 client credentials flow" and "Use managed identities for App Service";
    github.com/Azure/acr, docs/AAD-OAuth.md (all read 2026-11-23).
    """

    def __init__(self, clock: Clock) -> None:
        app = web.Application()
        super().__init__(app)
        self.forms: list[dict[str, str]] = []
        self.exchanges: list[dict[str, str]] = []
        self.claims: dict[str, Any] = {}
        self.audiences = {"https://containerregistry.azure.net/.default", "https://management.azure.com/.default"}
        self.trusted = set(self.audiences)
        self._clock = clock
        app.router.add_post("/{tenant}/oauth2/v2.0/token", self._token)
        app.router.add_get("/identity", self._identity)

    def serve(self, registry: SandboxRegistry) -> None:
        """Let the registry exchange our tokens of a trusted audience for refresh tokens that work there."""

        async def exchange(request: web.Request) -> web.Response:
            form = {key: str(value) for key, value in (await request.post()).items()}
            self.exchanges.append(form)
            if form["access_token"].removeprefix("entra-for:") not in self.trusted:
                return web.json_response({"errors": [{"code": "UNAUTHORIZED"}]}, status=401)
            token = self._refresh_token()
            registry.add_login("00000000-0000-0000-0000-000000000000", token)
            return web.json_response({"refresh_token": token})

        registry.faults.append(Fault(lambda request: request.path == "/oauth2/exchange", exchange))

    def _refresh_token(self) -> str:
        claims = {"exp": int(self._clock.now().timestamp()) + 10_800, "jti": len(self.exchanges), **self.claims}
        body = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        return f"e30.{body}.c2lnbmF0dXJl"

    async def _token(self, request: web.Request) -> web.Response:
        form = {key: str(value) for key, value in (await request.post()).items()}
        self.forms.append(form)
        if form["client_secret"] != CANARY:
            text = f"AADSTS7000215: Invalid client secret provided: {form['client_secret']}"
            return web.json_response({"error": "invalid_client", "error_description": text}, status=401)
        if form["scope"] not in self.audiences:
            return web.json_response({"error": "invalid_resource"}, status=400)
        return web.json_response({"access_token": f"entra-for:{form['scope']}", "expires_in": 3599})

    async def _identity(self, request: web.Request) -> web.Response:
        if request.headers.get("X-IDENTITY-HEADER") != CANARY:
            return web.json_response({"message": "no"}, status=400)
        resource = request.query["resource"]
        token = {"access_token": f"entra-for:{resource}/.default", "expires_on": "4102444800", "resource": resource}
        return web.json_response({**token, "token_type": "Bearer"})


@pytest.fixture
async def entra(clock: Clock) -> AsyncIterator[Entra]:
    """Return an Entra that knows one application, whose secret is the canary."""
    async with Entra(clock) as server:
        yield server


class Google(SandboxServer):
    """Google's token endpoint for service account keys, and the API that mints for another service account.

    Behaviour: developers.google.com, "Using OAuth 2.0 for server to server applications"; cloud.google.com, reference
    of ``projects.serviceAccounts.generateAccessToken`` (both read 2026-11-23).
    """

    def __init__(self, key: str) -> None:
        app = web.Application()
        super().__init__(app)
        self.key = key
        self.expires_in = 3599
        self.registry: SandboxRegistry | None = None
        self.subjects: list[str] = []
        self._minted = 0
        app.router.add_post("/token", self._token)
        app.router.add_post("/sts", self._exchange)
        app.router.add_post("/v1/projects/-/serviceAccounts/{name}", self._impersonate)

    @property
    def document(self) -> dict[str, str]:
        """The service account's key file, which sends whoever uses it here."""
        account = {"type": "service_account", "project_id": "p", "client_email": "a@p.example", "client_id": "1"}
        return {**account, "private_key_id": CANARY, "private_key": self.key, "token_uri": f"{self.url}/token"}

    def _mint(self) -> str:
        self._minted += 1
        token = f"ya29.{CANARY}-{self._minted}"
        if self.registry is not None:
            self.registry.add_login("oauth2accesstoken", token)
        return token

    async def _token(self, request: web.Request) -> web.Response:
        if "assertion" not in await request.post():
            return web.json_response({"error": "invalid_grant", "error_description": CANARY}, status=400)
        return web.json_response({"access_token": self._mint(), "expires_in": self.expires_in, "token_type": "Bearer"})

    async def _exchange(self, request: web.Request) -> web.Response:
        self.subjects.append(str((await request.post())["subject_token"]))
        kind = {"issued_token_type": "urn:ietf:params:oauth:token-type:access_token", "token_type": "Bearer"}
        return web.json_response({"access_token": self._mint(), "expires_in": self.expires_in, **kind})

    async def _impersonate(self, request: web.Request) -> web.Response:
        if not request.headers.get("Authorization", "").startswith(f"Bearer ya29.{CANARY}"):
            return web.json_response({"error": {"code": 401}}, status=401)
        return web.json_response({"accessToken": self._mint(), "expireTime": "2096-11-23T13:00:00Z"})


@pytest.fixture(scope="session")
def google_key() -> str:
    """Return a private key, as Google writes it into a service account's key file."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain).decode()


@pytest.fixture
async def google(google_key: str) -> AsyncIterator[Google]:
    """Return a Google that takes every signed assertion."""
    async with Google(google_key) as server:
        yield server


@dataclass(frozen=True)
class Vendors:
    """The vendors whose APIs the contract needs."""

    github: GitHub
    entra: Entra
    google: Google


@pytest.fixture
def vendors(github: GitHub, entra: Entra, google: Google) -> Vendors:
    """Return every vendor."""
    return Vendors(github, entra, google)


@pytest.fixture(autouse=True)
def _no_machine_credentials(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Hide whatever credentials and settings of AWS, Azure and Google this machine has: no test may need them."""
    hidden = ("AWS_", "AZURE_", "IDENTITY_", "MSI_", "GOOGLE_", "CLOUDSDK_")
    for name in [name for name in os.environ if name.startswith(hidden)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "no-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "no-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture(name="held")
def _held() -> HeldClock:
    return HeldClock()


@pytest.fixture
def clock(held: HeldClock) -> Clock:
    """Return the clock of the test's world."""
    return held


@pytest.fixture
def advance(held: HeldClock) -> Callable[[timedelta], None]:
    """Return a function that moves the clock."""
    return held.advance


@pytest.fixture
async def unhandled() -> list[str]:
    """Return what the event loop reports as lost, as it comes."""
    reports: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reports.append(str(context["message"])))
    return reports


@pytest.fixture
def held_source() -> HeldSource:
    """Return a source in memory, which the context calls ``vault``."""
    return HeldSource()


@pytest.fixture
async def transport(clock: Clock) -> AsyncIterator[Transport]:
    """Return the outbound HTTP client."""
    client = Transport(clock=clock)
    yield client
    await client.close()


@pytest.fixture
def executor() -> Iterator[ThreadPoolExecutor]:
    """Return a pool for blocking SDKs."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


MakeContext = Callable[[str], ProviderContext]


@pytest.fixture
def make_context(
    transport: Transport, clock: Clock, executor: ThreadPoolExecutor, held_source: HeldSource
) -> MakeContext:
    """Return a function that makes the context of a credential for the registry at a host, over plain HTTP."""
    sources: dict[str, Source] = {"file": FileSource(), "vault": held_source}
    shared = Shared(clock)

    def make(host: str) -> ProviderContext:
        registry = RegistryClient(transport, host=host, settings=RegistrySettings(insecure=True))
        return ProviderContext(transport, clock, sources, executor, registry, shared)

    return make


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that takes passwords directly, as ECR does."""
    async with SandboxRegistry(clock, auth="basic") as server:
        yield server


@pytest.fixture
async def aws(clock: Clock, registry: SandboxRegistry) -> AsyncIterator[SandboxAws]:
    """Return an AWS that knows `ACCESS_KEY` and mints passwords for the registry."""
    async with SandboxAws(clock, registry, access_key=ACCESS_KEY) as server:
        yield server


@pytest.fixture
async def github() -> AsyncIterator[GitHub]:
    """Return a GitHub API that knows no token yet."""
    async with GitHub() as server:
        yield server


@pytest.fixture(scope="session", name="authority")
def _authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> str:
    """Return the path of the authority that `stranger_tls` is certified by."""
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)


@pytest.fixture
async def stranger_tls(authority: trustme.CA) -> AsyncIterator[SandboxServer]:
    """Return an HTTPS server that answers 404 to everything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", _nothing)
    async with SandboxServer(app, tls=context) as server:
        yield server


async def _nothing(_: web.Request) -> web.Response:
    response = web.Response(status=404)
    response.force_close()  # asyncio forgets a TLS connection that the client ends first
    return response


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[str, str], dict[str, str]]:
    """Return a function that keeps a secret in a file and returns the reference to it."""

    def write(name: str, value: str) -> dict[str, str]:
        path = tmp_path / name
        path.touch(mode=0o600)
        path.write_text(value)
        return {"file": str(path)}

    return write


@pytest.fixture
def access_key(keep: Callable[[str, str], dict[str, str]]) -> dict[str, dict[str, str]]:
    """Return the option for an access key that the sandbox knows, with the canary as its secret."""
    return {"id": keep("access-key-id", ACCESS_KEY), "secret": keep("access-key-secret", CANARY)}


MakeEcr = Callable[..., Ecr]
ROLE_ANSWER = f"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>ASIATEMPORARY</AccessKeyId><SecretAccessKey>secret</SecretAccessKey><SessionToken>{CANARY}</SessionToken>
<Expiration>2026-11-23T13:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""


@pytest.fixture
def make_ecr(make_context: MakeContext, aws: SandboxAws, access_key: dict[str, Any]) -> MakeEcr:
    """Return a function that makes a provider for an account and region, which asks the sandbox."""

    def make(account: str = "123456789012", region: str = "eu-west-1", **options: Any) -> Ecr:
        host = f"{account}.dkr.ecr.{region}.amazonaws.com"
        given = {"registry": host, "endpoint_url": aws.url, "insecure": True, "access_key": access_key, **options}
        return Ecr(EcrConfig.model_validate(given), make_context(host))

    return make


@pytest.fixture
def ecr(make_ecr: MakeEcr) -> Ecr:
    """Return a provider for one account."""
    return make_ecr()


class Sts(SandboxServer):
    """An STS that lets everybody assume any role, and remembers what it was asked."""

    def __init__(self) -> None:
        app = web.Application()
        super().__init__(app)
        self.forms: list[dict[str, str]] = []
        app.router.add_post("/", self._assume)

    async def _assume(self, request: web.Request) -> web.Response:
        self.forms.append({key: str(value) for key, value in (await request.post()).items()})
        return web.Response(text=ROLE_ANSWER, content_type="text/xml")


@pytest.fixture
async def sts() -> AsyncIterator[Sts]:
    """Return an STS."""
    async with Sts() as server:
        yield server


@pytest.fixture
def failure() -> Callable[[Provider], Awaitable[RotatorError]]:
    """Return a function that returns the error of issuing, after looking for the canary in all that it says."""

    async def fail(provider: Provider) -> RotatorError:
        with pytest.raises(RotatorError) as caught:
            await provider.issue(Order())
        assert CANARY not in "".join(traceback.format_exception(caught.value))
        return caught.value

    return fail


@pytest.fixture
def refusal() -> Callable[[str], str]:
    """Return a function that makes a body in which AWS refuses, quoting a secret as SignatureDoesNotMatch does."""
    quoted = f"x-amz-security-token:{CANARY}"
    return lambda code: json.dumps({"__type": f"com.amazonaws.ecr#{code}", "message": quoted})
