"""A small OCI pull registry on loopback, which logs in like Docker Hub (``bearer``) or like ECR (``basic``).

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
from rotator.sandbox.registry_auth import PULL, Access, Bearers, Grant, Logins, parse_basic, parse_scope
from rotator.sandbox.registry_images import INDEX_TYPE, Document, Repository, build_image
from rotator.sandbox.registry_pulls import PullMeter, source_of
from rotator.sandbox.server import SandboxServer

EXPIRED_TEXT = "Sorry: this authorization token has expired. Fetch another one and log in again."
"""Plain text, not JSON, as ECR answers an expired password."""

_Caller = str
"""Who is asking: a user name, or empty without a login."""
_Handler = Callable[[web.Request, _Caller], Awaitable[web.Response]]


class SandboxRegistry(SandboxServer):
    """The registry. What it holds and whom it knows is arranged through its methods, also while it runs.

    Args:
        clock: Decides what has expired.
        auth: ``bearer``: a token server at ``/token``, anonymous pulls of public repositories. ``basic``: every
            request carries the password itself, nothing is public.
        service: The service named in challenges and tokens.
        bearer_seconds: Lifetime of a bearer token, > 0; revoking a login does not shorten it.
        rate_limit: Manifest GETs per source and window; None for no limit and no headers.
        window_seconds: Length of the window, > 0.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        auth: Literal["bearer", "basic"] = "bearer",
        service: str = "sandbox-registry",
        bearer_seconds: int = 300,
        rate_limit: int | None = None,
        window_seconds: int = 21_600,
    ) -> None:
        app = web.Application()
        super().__init__(app)
        self._clock = clock
        self._auth = auth
        self._service = service
        self._logins = Logins(clock)
        self._bearers = Bearers(clock, service=service, lifetime=timedelta(seconds=bearer_seconds))
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
        if self._auth == "bearer":
            router.add_get("/token", self._token, allow_head=False)
        router.add_get("/v2/", self._guarded(self._ping))
        router.add_get("/v2/{name:.+}/manifests/{reference}", self._guarded(self._manifest))
        router.add_get("/v2/{name:.+}/blobs/{digest}", self._guarded(self._blob))
        router.add_get("/v2/{name:.+}/tags/list", self._guarded(self._tags))
        router.add_route("*", "/{rest:.*}", _unsupported)

    def _guarded(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        identify = self._identify_bearer if self._auth == "bearer" else self._identify_basic

        async def guarded(request: web.Request) -> web.Response:
            caller = identify(request, request.match_info.get("name", ""))
            if isinstance(caller, web.Response):
                return caller
            return await handler(request, caller)

        return guarded

    async def _token(self, request: web.Request) -> web.Response:
        header = request.headers.get("Authorization")
        grant = None
        if header is not None:
            login = parse_basic(header)
            grant = self._logins.valid(*login) if login else None
            if grant is None:
                return web.json_response({"details": "incorrect username or password"}, status=401)
        scopes = [parse_scope(part) for text in request.query.getall("scope", []) for part in text.split()]
        access = [self._narrow(scope, grant) for scope in scopes if scope is not None]
        granted = [entry for entry in access if entry.actions]
        return web.json_response(self._bearers.mint(grant.username if grant else "", granted))

    def _narrow(self, asked: Access, grant: Grant | None) -> Access:
        """Return the part of ``asked`` that is granted, by the login or because the repository is public."""
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
            return self._challenge_bearer(request, name, "")
        claims = self._bearers.read(token)
        if claims is None:
            return self._challenge_bearer(request, name, "invalid_token")
        if name and not claims.may(PULL, name):
            return self._challenge_bearer(request, name, "insufficient_scope")
        return claims.subject

    def _challenge_bearer(self, request: web.Request, name: str, error: str) -> web.Response:
        fields = {"realm": f"{request.scheme}://{request.host}/token", "service": self._service}
        if name:
            fields["scope"] = f"repository:{name}:{PULL}"
        if error:
            fields["error"] = error
        text = ",".join(f'{key}="{value}"' for key, value in fields.items())
        return _error(401, "UNAUTHORIZED", "authentication required", {"WWW-Authenticate": f"Bearer {text}"})

    def _identify_basic(self, request: web.Request, name: str) -> _Caller | web.Response:
        login = parse_basic(request.headers.get("Authorization", ""))
        grant = self._logins.known(*login) if login else None
        if grant is None:
            challenge = f'Basic realm="{self.url}/",service="{self._service}"'
            return web.Response(status=401, text="Not Authorized\n", headers={"WWW-Authenticate": challenge})
        if grant.is_expired(self._clock.now()):
            return web.Response(status=403, text=EXPIRED_TEXT)
        if name and not grant.may(PULL, name):
            return _error(403, "DENIED", f"User: {grant.username} is not authorized to perform: pull on {name}")
        return grant.username

    async def _ping(self, _request: web.Request, _caller: _Caller) -> web.Response:
        return web.json_response({}, headers=_VERSION)

    async def _manifest(self, request: web.Request, caller: _Caller) -> web.Response:
        name, reference = request.match_info["name"], request.match_info["reference"]
        repository = self._repositories.get(name)
        if repository is None:
            return _error(404, "NAME_UNKNOWN", f"repository {name} does not exist")
        document = repository.manifest(reference)
        if document is None:
            return _error(404, "MANIFEST_UNKNOWN", f"{reference} does not exist")
        if document.media_type not in _accepted(request):
            kind = "index" if document.media_type == INDEX_TYPE else "manifest"
            message = f"this is an OCI {kind}, which the accept header does not list"
            return _error(404, "MANIFEST_UNKNOWN", message)
        return self._pull(request, document, source_of(caller, request.remote or ""))

    def _pull(self, request: web.Request, document: Document, source: str) -> web.Response:
        """Answer with a manifest; only a GET counts against the limit."""
        if request.method == "GET" and not self._meter.take(source):
            message = "the pull rate limit is reached"
            return _error(429, "TOOMANYREQUESTS", message, self._meter.headers(source))
        return _serve(document, self._meter.headers(source))

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
