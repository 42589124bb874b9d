"""A small OCI pull registry on loopback, which logs in with tokens or passwords, or as a vendor's flavour has it.

Behaviour follows the OCI distribution specification 1.1 and the token documents of distribution
(https://github.com/opencontainers/distribution-spec/blob/main/spec.md,
https://distribution.github.io/distribution/spec/auth/token/, read 2026-11-23). It never takes a push.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Literal

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.flavour import Asks, Flavour, Pulls, Reply
from rotator.sandbox.flavours.plain import BASIC, BEARER
from rotator.sandbox.registry_auth import PULL, Access, Bearers, Grant, Logins, parse_basic, parse_scope
from rotator.sandbox.registry_bans import Bans
from rotator.sandbox.registry_images import INDEX_TYPE, Document, Repository, build_image
from rotator.sandbox.registry_pulls import PullMeter, source_of
from rotator.sandbox.server import SandboxServer

_Caller = str
"""Who is asking: a user name, or empty without a login."""
_Handler = Callable[[web.Request, _Caller], Awaitable[web.Response]]


class SandboxRegistry(SandboxServer):
    """The registry. What it holds and whom it knows is arranged through its methods, also while it runs.

    Args:
        clock: Decides what has expired.
        auth: ``bearer``: a token server at ``/token``, anonymous pulls of public repositories. ``basic``: every
            request carries the password itself, nothing is public. A flavour: as that vendor does it.
        service: The service named in challenges and tokens; empty for the flavour's.
        bearer_seconds: Lifetime of a bearer token, > 0; revoking a login does not shorten it.
        rate_limit: Manifest GETs per source and window; None for no limit and no headers.
        window_seconds: Length of the window, > 0.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        auth: Literal["bearer", "basic"] | Flavour = "bearer",
        service: str = "",
        bearer_seconds: int = 300,
        rate_limit: int | None = None,
        window_seconds: int = 21_600,
    ) -> None:
        app = web.Application()
        super().__init__(app)
        self._clock = clock
        self.flavour = auth if isinstance(auth, Flavour) else _PLAIN[auth]
        self._service = service or self.flavour.service
        self._logins = Logins(clock)
        self._bans = Bans(clock, self.flavour.ban)
        self._bearers = Bearers(clock, service=self._service, lifetime=timedelta(seconds=bearer_seconds))
        self._meter = PullMeter(clock, limit=rate_limit, window=timedelta(seconds=window_seconds))
        self._repositories: dict[str, Repository] = {}
        self._add_routes(app.router)

    def add_image(self, reference: str, *, public: bool = False) -> str:
        """Make ``reference`` (``team/app:1.0``) exist; ``latest`` when it has no tag. Safe to repeat.

        Returns:
            The digest of its index. Other references give other digests.
        """
        name, colon, tag = reference.rpartition(":")
        name, tag = (name, tag) if colon else (reference, "latest")
        repository = self._repositories.setdefault(name, Repository())
        repository.public = repository.public or public
        repository.add(tag, build_image(f"{name}:{tag}"))
        return repository.tags[tag]

    def add_login(
        self,
        username: str,
        password: str,
        *,
        expires_at: datetime | None = None,
        actions: tuple[str, ...] = (PULL,),
        repositories: str | None = None,
    ) -> None:
        """Let ``password`` work for ``username``, beside the passwords it already has.

        Args:
            username: The user name.
            password: The password; one that is known already gets the new properties.
            expires_at: When it stops working, aware; None for never.
            actions: What it may do.
            repositories: Text a repository's name must begin with (``team/``); None for every repository.
        """
        self._logins.add(Grant(username, password, expires_at, actions, repositories))

    def revoke(self, username: str, password: str | None = None) -> None:
        """Stop ``password`` from working, or every password of ``username`` when None. Minted bearer tokens live on."""
        self._logins.revoke(username, password)

    def accepts(self, username: str, password: str) -> bool:
        """Return whether this login works now."""
        return self._logins.valid(username, password) is not None

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        if self.flavour.scheme == "bearer":
            router.add_get(self.flavour.token_path, self._token, allow_head=False)
        router.add_get("/v2/", self._guarded(self._ping))
        router.add_get("/v2/{name:.+}/manifests/{reference}", self._guarded(self._manifest))
        router.add_get("/v2/{name:.+}/blobs/{digest}", self._guarded(self._blob))
        router.add_get("/v2/{name:.+}/tags/list", self._guarded(self._tags))
        router.add_route("*", "/{rest:.*}", _unsupported)

    def _guarded(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        identify = self._identify_bearer if self.flavour.scheme == "bearer" else self._identify_basic

        async def guarded(request: web.Request) -> web.Response:
            caller = identify(request, request.match_info.get("name", ""))
            if isinstance(caller, web.Response):
                return caller
            return await handler(request, caller)

        return guarded

    async def _token(self, request: web.Request) -> web.Response:
        flavour, address = self.flavour, request.remote or ""
        if flavour.ban is not None and self._bans.holds(address):
            return self._reply(request, flavour.ban.reply)
        scopes = [parse_scope(part) for text in request.query.getall("scope", []) for part in text.split()]
        asked = [scope for scope in scopes if scope is not None]
        grant = self._grant(request, address)
        if isinstance(grant, Reply):
            if not (asked and flavour.excused_by_scope):
                return self._reply(request, grant)
            grant = None
        granted = [entry for scope in asked if (entry := self._narrow(scope, grant)).actions]
        refusal = flavour.refused_token if grant else flavour.refused_guest
        if asked and not granted and refusal is not None:
            return self._reply(request, refusal, asked[0].repository)
        return web.json_response(self._bearers.mint(grant.username if grant else "", granted))

    def _grant(self, request: web.Request, address: str) -> Grant | Reply | None:
        """Return what the login of a request may do, how it is refused, or None where there is none."""
        header = request.headers.get("Authorization")
        if header is None:
            return None
        login = parse_basic(header)
        grant = self._logins.known(*login) if login else None
        if grant is None or grant.is_expired(self._clock.now()):
            self._bans.note_wrong(address)
            return self.flavour.wrong_login if grant is None else self.flavour.expired_login
        self._bans.note_good(address)
        return grant

    def _narrow(self, asked: Access, grant: Grant | None) -> Access:
        """Return the part of ``asked`` that is granted, by the login or because the repository is public."""
        if self.flavour.is_hiding and asked.repository not in self._repositories:
            return Access(asked.repository, ())
        public = self._is_public(asked.repository)
        actions = tuple(
            action
            for action in asked.actions
            if (public and action == PULL) or (grant is not None and grant.may(action, asked.repository))
        )
        return Access(asked.repository, actions)

    def _is_public(self, name: str) -> bool:
        repository = self._repositories.get(name)
        return repository is not None and repository.public

    def _identify_bearer(self, request: web.Request, name: str) -> _Caller | web.Response:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return self._reply(request, self.flavour.no_login, name)
        claims = self._bearers.read(token)
        if claims is None:
            return self._reply(request, self.flavour.invalid_token, name)
        if name and not claims.may(PULL, name):
            guest = self.flavour.not_granted_guest
            refusal = self.flavour.not_granted if claims.subject or guest is None else guest
            return self._reply(request, refusal, name, claims.subject)
        return claims.subject

    def _identify_basic(self, request: web.Request, name: str) -> _Caller | web.Response:
        grant = self._grant(request, request.remote or "")
        if not isinstance(grant, Grant):
            return self._reply(request, grant or self.flavour.no_login, name)
        if name and not grant.may(PULL, name):
            return self._reply(request, self.flavour.not_granted, name, grant.username)
        return grant.username

    def _reply(self, request: web.Request, reply: Reply, name: str = "", user: str = "") -> web.Response:
        """Answer by the book, with the challenge that goes with it."""
        facts = {"name": name, "reference": request.match_info.get("reference", ""), "user": user}
        headers = {**reply.headers}
        if reply.asks is not Asks.NOTHING:
            headers["WWW-Authenticate"] = self._challenge(request, reply.asks, name)
        if reply.code:
            return _error(reply.status, reply.code, reply.text(**facts), headers)
        text = reply.text(**facts)
        kind = "application/json" if text.startswith("{") else "text/plain"
        return web.Response(status=reply.status, text=text, content_type=kind, headers=headers)

    def _challenge(self, request: web.Request, asks: Asks, name: str) -> str:
        """Return the challenge; asked by its own name in the world, the registry names the vendor's token server."""
        flavour = self.flavour
        if flavour.scheme == "basic":
            return f'Basic realm="{request.scheme}://{request.host}/",service="{self._service}"'
        is_by_name = bool(flavour.token_host) and request.host != self.host
        host = flavour.token_host if is_by_name else request.host
        scope = f"repository:{name}:{PULL}" if name else flavour.ping_scope
        fields = {"realm": f"{request.scheme}://{host}{flavour.token_path}", "service": self._service or request.host}
        fields |= {"scope": scope} if scope else {}
        fields |= {} if asks is Asks.LOGIN else {"error": asks.value}
        return "Bearer " + ",".join(f'{key}="{value}"' for key, value in fields.items())

    async def _ping(self, _request: web.Request, _caller: _Caller) -> web.Response:
        return web.json_response({}, headers=_VERSION)

    async def _manifest(self, request: web.Request, caller: _Caller) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        repository = self._repositories.get(name)
        if repository is None:
            missing = self.flavour.missing_repository or self.flavour.not_granted
            return self._reply(request, missing, name, caller)
        document = repository.manifest(reference)
        if document is None:
            return self._reply(request, self.flavour.missing_tag, name, caller)
        if document.media_type not in _accepted(request):
            kind = "index" if document.media_type == INDEX_TYPE else "manifest"
            message = f"this is an OCI {kind}, which the accept header does not list"
            return _error(404, "MANIFEST_UNKNOWN", message)
        return self._pull(request, document, source_of(caller, request.remote or ""))

    def _pull(self, request: web.Request, document: Document, source: str) -> web.Response:
        """Answer with a manifest, as far as the limit of pulls goes."""
        is_told = self.flavour.pulls is Pulls.GETS_TOLD
        counts = request.method == "GET" or not is_told
        is_over = counts and not self._meter.take(source)
        told = self._meter.headers(source) if is_told else {}
        if not is_over:
            return _serve(document, told)
        answer = self._reply(request, self.flavour.over_limit, request.match_info["name"])
        answer.headers.update(told)
        return answer

    async def _blob(self, request: web.Request, _caller: _Caller) -> web.Response:
        repository = self._repositories.get(request.match_info["name"], Repository())
        document = repository.blobs.get(request.match_info["digest"])
        return _error(404, "BLOB_UNKNOWN", "no such blob") if document is None else _serve(document, {})

    async def _tags(self, request: web.Request, _caller: _Caller) -> web.Response:
        name = request.match_info["name"]
        repository = self._repositories.get(name)
        if repository is None:
            return _error(404, "NAME_UNKNOWN", f"repository {name} does not exist")
        return web.json_response({"name": name, "tags": sorted(repository.tags)}, headers=_VERSION)


_PLAIN = {"bearer": BEARER, "basic": BASIC}
_VERSION = {"Docker-Distribution-Api-Version": "registry/2.0"}


async def _unsupported(request: web.Request) -> web.Response:
    return _error(404 if request.method in {"GET", "HEAD"} else 405, "UNSUPPORTED", "a pull registry has no such route")


def _serve(document: Document, headers: dict[str, str]) -> web.Response:
    described = {"Docker-Content-Digest": document.digest, "Content-Type": document.media_type}
    return web.Response(body=document.content, headers={**_VERSION, **described, **headers})


def _accepted(request: web.Request) -> set[str]:
    """Return the media types of every ``Accept`` header, without parameters and wildcards."""
    values = ",".join(request.headers.getall("Accept", []))
    return {value.partition(";")[0].strip().lower() for value in values.split(",")}


def _error(status: int, code: str, message: str, headers: dict[str, str] | None = None) -> web.Response:
    body = {"errors": [{"code": code, "message": message, "detail": None}]}
    return web.json_response(body, status=status, headers={**_VERSION, **(headers or {})})
