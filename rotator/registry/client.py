"""Talks to one registry: challenge, token, manifest. Decides nothing; see `classify`.

Flow: the token authentication documents of distribution (https://distribution.github.io/distribution/spec/auth/token/)
and the OCI distribution specification 1.1 (both read 2026-11-23).
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from urllib.parse import quote, urlencode

from rotator.domain.attempt import Attempt, Outcome
from rotator.domain.model import Login
from rotator.domain.reference import Reference, api_host
from rotator.errors import PermanentError, ShapeError, TemporaryError, UnavailableError
from rotator.ports import LoginGuard
from rotator.registry.advice import vendor_of
from rotator.registry.answer import Answer, Place, Words, needs_body, read_words
from rotator.registry.challenge import Challenge, find, parse
from rotator.registry.classify import outcome_of
from rotator.registry.grant import ACTIONS, granted_actions
from rotator.registry.ratelimit import limit_headers
from rotator.registry.realm import Refusal, pin_realm
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, Transport

ACCEPT = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json"
)
"""Every manifest format. With one missing, an image that exists may answer 404."""

DEADLINE_SECONDS = 15.0
MAX_TOKEN_BYTES = 1 << 16
"""A longer answer of a token server is not read: no registry takes so long a header, and JSON grows when it is read."""


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """How one registry is reached.

    Args:
        insecure: True for plain HTTP; only ever set by ``insecure: true`` in the configuration.
        realm_hosts: Token servers, ``host[:port]``, that may be shown a login besides the registry's own host.
        ca_file: PEM file of the only authorities trusted, for the registry and its token server; None: the system's.
        proxy: Proxy URL; None for a direct connection.
        deadline: Seconds for each single request, > 0.
    """

    insecure: bool = False
    realm_hosts: tuple[str, ...] = ()
    ca_file: str | None = None
    proxy: str | None = None
    deadline: float = DEADLINE_SECONDS


class Unguarded:
    """A `rotator.ports.LoginGuard` that lets everything pass: for a command that shows a login once and ends."""

    @asynccontextmanager
    async def attempt(self, host: str, username: str) -> AsyncIterator[Attempt]:  # noqa: ARG002 (the port's signature)
        """Let the login be shown."""
        yield Attempt()


def _ignore(host: str) -> None:
    """Take no note of ``host``."""


class RegistryClient:
    """One registry. Keeps no state between calls, so it may be shared and used concurrently.

    Args:
        transport: Sends the requests.
        host: The registry, ``host[:port]``; ``docker.io`` for Docker Hub. The only place a login is shown to,
            besides a token server that `rotator.registry.realm` lets pass.
        settings: How it is reached.
        guard: Asked before each request that shows a login.
        throttled: Told the registry's host of each answer 429, its token server's included. Must not raise or block.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        host: str,
        settings: RegistrySettings | None = None,
        guard: LoginGuard | None = None,
        throttled: Callable[[str], None] = _ignore,
    ) -> None:
        self._transport = transport
        self._throttled = throttled
        self.host = host
        self.settings = settings or RegistrySettings()
        self.guard = guard or Unguarded()

    def open(self, login: Login | None) -> Conversation:
        """Return a conversation for one verification of ``login``; it remembers the challenge and bearer tokens.

        Without a login nothing is shown anywhere, and every answer says that it is anonymous.
        """
        return Conversation(self, login)

    async def auth_probe(self, login: Login) -> Answer:
        """Return the registry's answer to the login alone, in a conversation of its own. See `Conversation`."""
        return await self.open(login).auth_probe()

    async def head_manifest(self, reference: Reference, login: Login) -> Answer:
        """Return the registry's answer to a manifest HEAD, in a conversation of its own. See `Conversation`."""
        return await self.open(login).head_manifest(reference)

    async def ask(self, method: str, path: str, headers: Mapping[str, str], *, operation: str) -> Response:
        """Send one request to the registry's API.

        Raises:
            UnavailableError, PermanentError: As `rotator.transport.Transport.send`.
        """
        scheme = "http" if self.settings.insecure else "https"
        url = f"{scheme}://{api_host(self.host)}{path}"
        return await self._request(method, url, headers, operation=operation)

    async def ask_token(self, challenge: Challenge, scope: str, headers: Mapping[str, str]) -> Response:
        """Ask the token server of ``challenge`` for a token.

        Args:
            challenge: The registry's bearer challenge; its own scope is not used.
            scope: What the token shall grant; empty for nothing.
            headers: Holds the login, if there is one. Secret.

        Raises:
            PermanentError: The realm is not one that may be shown a login; the hint says what to configure.
            UnavailableError: It did not answer.
        """
        insecure = self.settings.insecure
        realm = pin_realm(self.host, challenge.get("realm"), self.settings.realm_hosts, insecure=insecure)
        if isinstance(realm, Refusal):
            raise PermanentError(realm.message, hint=realm.hint)
        fields = {"service": challenge.get("service"), "scope": scope}
        query = urlencode({name: value for name, value in fields.items() if value}, quote_via=quote)
        url = f"{realm.url}?{'&'.join(filter(None, (realm.query, query)))}".removesuffix("?")
        return await self._request("GET", url, headers, operation="token")

    async def _request(self, method: str, url: str, headers: Mapping[str, str], *, operation: str) -> Response:
        # A plain-HTTP registry may still name an https token server, whose certificate is then checked.
        insecure = self.settings.insecure and url.startswith("http://")
        peer = Peer(self.host, ca_file=self.settings.ca_file, insecure=insecure, proxy=self.settings.proxy)
        request = Request(method, url, headers=headers, operation=operation, deadline=self.settings.deadline)
        response = await self._transport.send(peer, request)
        if response.status == _TOO_MANY:
            self._throttled(self.host)
        return response


class Conversation:
    """One login, or none, at one registry: asks for the challenge once and for each token once.

    Every method raises UnavailableError when a server did not answer, RateLimitedError when the guard does not let the
    login be shown, and PermanentError when the registry asks for something that is not done (an unknown scheme, a token
    server that is not allowed). A refusal is an answer.
    """

    def __init__(self, client: RegistryClient, login: Login | None) -> None:
        self._client = client
        self._username = "" if login is None else login.public_username
        self._basic = None if login is None else _basic(login)
        self._ping: Response | None = None
        self._ping_lock = asyncio.Lock()
        self._tokens: dict[str, Secret] = {}
        self._token_locks: dict[str, asyncio.Lock] = {}

    async def auth_probe(self) -> Answer:
        """Return the answer to the login alone: a token without a scope, or ``/v2/`` where passwords go directly.

        Costs no pull. Harbor, among others, grants scoped tokens to anybody; without a scope it refuses a wrong login.
        """
        way = await self._way()
        if isinstance(way, Answer):
            return way
        if way.scheme == "bearer":
            return await self._probe_token(way)
        ask = partial(self._client.ask, "GET", "/v2/", self._shown(), operation="auth")
        response = await self._show(Place.BASE, Outcome.ACCEPTED, ask)
        bearer = find(parse(response.all(_CHALLENGE)), "bearer")
        if way is _OPEN and response.status == _UNAUTHORIZED and bearer is not None:
            return await self._probe_token(bearer)
        return self._answer(Place.BASE, "basic", response)

    async def peek_manifest(self, reference: Reference) -> Answer:
        """Return the answer to a HEAD of the manifest and to nothing else: no GET, which may count as a pull."""
        way = await self._way()
        return way if isinstance(way, Answer) else await self._send("HEAD", reference, way)

    async def head_manifest(self, reference: Reference) -> Answer:
        """Return the answer to a HEAD of the manifest, with the error's words fetched by a GET where they matter.

        A manifest is never fetched by GET after a HEAD that succeeded: Docker Hub counts that as a pull.
        """
        way = await self._way()
        if isinstance(way, Answer):
            return way
        head, way = await self._reach("HEAD", reference, way)
        if head.place is not Place.MANIFEST or not needs_body(head):
            return head
        try:
            return await self._send("GET", reference, way)
        except TemporaryError:
            return head

    async def get_manifest(self, reference: Reference) -> Answer:
        """Return the answer to a GET of the manifest, with the manifest as its ``content``. A pull, for Docker Hub."""
        way = await self._way()
        return way if isinstance(way, Answer) else (await self._reach("GET", reference, way))[0]

    async def granted(self, path: str) -> frozenset[str] | None:
        """Return which of pull, push and delete the login is granted on a repository; None where nobody tells.

        Asks the token server for all three and reads what it grants: nothing is done at the registry. Only of worth
        where tokens tell the truth: see `rotator.registry.grant.SAY_NOTHING`.

        Args:
            path: The repository, without the registry.
        """
        way = await self._way()
        if isinstance(way, Answer) or way.scheme != "bearer":
            return None
        token = await self._token(way, f"repository:{path}:{','.join(ACTIONS)}")
        return None if isinstance(token, Answer) else granted_actions(token.reveal().removeprefix("Bearer "), path)

    async def _reach(self, method: str, reference: Reference, way: Challenge) -> tuple[Answer, Challenge]:
        """Return the answer and how it was asked for, which an open registry may say for a manifest alone."""
        answer = await self._send(method, reference, way)
        if way is _OPEN and answer.status == _UNAUTHORIZED:
            way = self._choose(answer.challenges)
            answer = await self._send(method, reference, way)
        return answer, way

    async def _way(self) -> Challenge | Answer:
        """Return how the registry wants to see the login; or its answer, where it does not say."""
        async with self._ping_lock:
            if self._ping is None:
                self._ping = await self._client.ask("GET", "/v2/", {}, operation="ping")
        ping = self._answer(Place.BASE, "", self._ping)
        if ping.status == _UNAUTHORIZED:
            return self._choose(ping.challenges)
        return _OPEN if ping.status == _OK and not ping.html else ping

    def _choose(self, challenges: Sequence[Challenge]) -> Challenge:
        challenge = find(challenges, "bearer") or find(challenges, "basic")
        if challenge is not None:
            return challenge
        raise PermanentError(
            f"{self._client.host} asks for a login in a way that is not spoken here",
            hint="A registry must offer Basic or Bearer in WWW-Authenticate; is this the registry's address?",
        )

    async def _send(self, method: str, reference: Reference, way: Challenge) -> Answer:
        """Ask for a manifest with the login; a bearer token that was refused as invalid is replaced once."""
        if way.scheme != "bearer":
            return await self._ask(method, reference, way.scheme, self._basic if way.scheme else None)
        scope = f"repository:{reference.path}:pull"
        token = await self._token(way, scope)
        if isinstance(token, Answer):
            return token
        answer = await self._ask(method, reference, "bearer", token)
        if answer.error != "invalid_token":
            return answer
        self._tokens.pop(scope, None)
        token = await self._token(way, scope)
        return token if isinstance(token, Answer) else await self._ask(method, reference, "bearer", token)

    async def _ask(self, method: str, reference: Reference, scheme: str, authorization: Secret | None) -> Answer:
        headers = {"Accept": ACCEPT}
        if authorization is not None:
            headers["Authorization"] = authorization.reveal()
        path = f"/v2/{reference.path}/manifests/{reference.pull}"
        ask = partial(self._client.ask, method, path, headers, operation="manifest")
        is_login = authorization is not None and scheme != "bearer"
        response = await (self._show(Place.MANIFEST, Outcome.UNTOLD, ask) if is_login else ask())
        answer = self._answer(Place.MANIFEST, scheme, response)
        if response.status != _OK:
            return answer
        kind = response.headers.get("Content-Type", "").partition(";")[0].strip()
        digest = response.headers.get("Docker-Content-Digest", "")
        return replace(answer, digest=digest, media_type=kind, content=response.body)

    def _answer(self, place: Place, scheme: str, response: Response) -> Answer:
        return replace(_answer(place, scheme, response), anonymous=self._basic is None)

    def _shown(self) -> dict[str, str]:
        """Return the headers that show the login; none without one. Secret."""
        return {} if self._basic is None else {"Authorization": self._basic.reveal()}

    async def _show(self, place: Place, proves: Outcome, ask: Callable[[], Awaitable[Response]]) -> Response:
        """Send a request that shows the login, if there is one, as soon as the guard lets it.

        Args:
            place: Who answers it.
            proves: What an answer 200 says about the login: accepted, or nothing.
            ask: Sends it.
        """
        if self._basic is None:
            return await ask()
        host = self._client.host
        async with self._client.guard.attempt(host, self._username) as attempt:
            response = await ask()
            outcome = outcome_of(self._answer(place, "basic", response), vendor_of(host))
            attempt.outcome = proves if outcome is Outcome.ACCEPTED else outcome
            attempt.wait = response.retry_after
        return response

    async def _token(self, challenge: Challenge, scope: str) -> Secret | Answer:
        """Return the ``Authorization`` value for ``scope``, asked for once; or the token server's refusal."""
        async with self._token_locks.setdefault(scope, asyncio.Lock()):
            known = self._tokens.get(scope)
            if known is not None:
                return known
            outcome = await self._exchange(challenge, scope)
            if isinstance(outcome, Secret):
                self._tokens[scope] = outcome
            return outcome

    async def _probe_token(self, challenge: Challenge) -> Answer:
        outcome = await self._exchange(challenge, "")
        return outcome if isinstance(outcome, Answer) else Answer(Place.TOKEN, _OK, "basic")

    async def _exchange(self, challenge: Challenge, scope: str) -> Secret | Answer:
        proves = Outcome.UNTOLD if scope else Outcome.ACCEPTED  # some grant a scope to anybody
        ask = partial(self._client.ask_token, challenge, scope, self._shown())
        response = await self._show(Place.TOKEN, proves, ask)
        answer = self._answer(Place.TOKEN, "basic", response)
        if answer.status != _OK or answer.html:
            return answer
        fields = response.json() if len(response.body) <= MAX_TOKEN_BYTES else {}
        names = ("token", "access_token") if isinstance(fields, dict) else ()
        token = next((fields[name] for name in names if isinstance(fields.get(name), str) and fields[name]), "")
        if not token or not token.isascii() or not token.isprintable():
            raise UnavailableError(f"{self._client.host}: its token server sent no usable token", cause="protocol")
        return Secret(f"Bearer {token}")


_OK, _UNAUTHORIZED, _TOO_MANY = 200, 401, 429
_CHALLENGE = "WWW-Authenticate"
_OPEN = Challenge("")
"""The registry asked for no login at ``/v2/``; a manifest may still."""


def _answer(place: Place, scheme: str, response: Response) -> Answer:
    """Reduce a response to what a verdict needs; its body ends here."""
    words = Words() if response.status == _OK else read_words(response.body)
    return Answer(
        place=place,
        status=response.status,
        scheme=scheme,
        challenges=parse(response.all(_CHALLENGE)),
        code=words.code,
        hint=words.hint,
        html=response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xhtml")),
        retry_after=response.retry_after,
        excerpt=words.excerpt,
        limits=limit_headers(response.headers),
    )


def _basic(login: Login) -> Secret:
    if ":" in login.username:
        raise ShapeError("a user name with a colon cannot be sent to a registry")
    encoded = base64.b64encode(f"{login.username}:{login.secret.reveal()}".encode()).decode()
    return Secret(f"Basic {encoded}")
