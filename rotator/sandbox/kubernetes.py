"""A small Kubernetes API server: namespaces, Secrets, ServiceAccounts, RBAC, server-side apply; others by merge patch.

It answers what the daemon asks and refuses everything else with 404. Known by bearer tokens only. What it knows of
the real one is from the reference documentation of Kubernetes and from ``k8s.io/apiserver`` (read 2026-07); there
the ``create`` that an apply needs is authorised with the name of the object, so that ``resourceNames`` limits it.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web

from rotator.sandbox.kubernetes_apply import (
    Applied,
    ApplyConflictError,
    Manager,
    apply,
    leaves_of,
    update,
)
from rotator.sandbox.kubernetes_objects import OtherObjects
from rotator.sandbox.kubernetes_rbac import (
    EVERYTHING,
    Attributes,
    Rule,
    forbidden_message,
    is_allowed,
    parse_rule,
)
from rotator.sandbox.kubernetes_requests import (
    answer_refusals,
    check_apply,
    check_version,
    conflict_of,
    json_of,
    json_patched,
    manager_of,
    reply,
    unknown,
    wanted,
)
from rotator.sandbox.kubernetes_secret_watch import SecretFeed, watched_name
from rotator.sandbox.kubernetes_status import RefusedError, bad_request, not_found
from rotator.sandbox.kubernetes_store import Namespace, Objects, StoredSecret, check_secret
from rotator.sandbox.kubernetes_watch import NamespaceFeed
from rotator.sandbox.server import SandboxServer

MAX_REQUEST_BYTES = 3 << 20
APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
_NEW = Applied({}, {})
_SECRET = "/api/v1/namespaces/{namespace}/secrets/{name}"  # noqa: S105 (a route)
_ACCOUNT = "/api/v1/namespaces/{namespace}/serviceaccounts/{name}"
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class SandboxKubernetes(SandboxServer):
    """A Kubernetes API server on loopback. Nobody is known to it until `add_token`.

    Args:
        tls: Server-side TLS context; None for plain HTTP.
        bookmark_seconds: After how many quiet seconds a watch gets a bookmark; a real server takes about 60.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None, bookmark_seconds: float = 60.0) -> None:
        app = web.Application(middlewares=[answer_refusals], client_max_size=MAX_REQUEST_BYTES)
        super().__init__(app, tls=tls)
        self._objects = Objects()
        self.others = OtherObjects(self._objects.next_version, self._authorize)
        """Objects of other API groups."""
        self._feed = NamespaceFeed(self._objects, bookmark_seconds)
        self._secret_feed = SecretFeed(self._objects, bookmark_seconds)
        self._tokens: dict[str, tuple[Rule, ...]] = {}
        self._used: set[tuple[str, str]] = set()
        app.router.add_patch(_SECRET, self._patch_secret)
        app.router.add_get(_SECRET, self._get_secret)
        app.router.add_put(_SECRET, self._put_secret)
        app.router.add_delete(_SECRET, self._delete_secret)
        app.router.add_post("/api/v1/namespaces/{namespace}/secrets", self._post_secret)
        app.router.add_get("/api/v1/secrets", self._watch_secrets)
        app.router.add_get(_ACCOUNT, self._get_account)
        app.router.add_patch(_ACCOUNT, self._patch_account)
        self.others.add_routes(app.router)
        app.router.add_get("/api/v1/namespaces", self._list_namespaces)
        app.router.add_get("/api/v1/namespaces/{name}", self._get_namespace)
        app.router.add_post(_REVIEWS, self._review)
        app.router.add_get("/version", self._version)
        app.router.add_route("*", "/{rest:.*}", unknown)

    @property
    def watchers(self) -> int:
        """Return how many watches are open."""
        return self._feed.watchers

    @property
    def secret_watchers(self) -> int:
        """Return how many watches of Secrets are open."""
        return self._secret_feed.watchers

    def add_token(self, token: str, rules: Iterable[Mapping[str, Any]] = EVERYTHING) -> None:
        """Let whoever shows ``token`` do what ``rules`` grant: RBAC rules, each optionally with a ``namespace``."""
        self._tokens[token] = tuple(parse_rule(rule) for rule in rules)

    def remove_token(self, token: str) -> None:
        """Answer ``token`` with 401 from now on."""
        self._tokens.pop(token, None)

    def verbs_used(self) -> set[tuple[str, str]]:
        """Return every (verb, resource) that was asked for and granted."""
        return set(self._used)

    def add_namespace(
        self, name: str, labels: Mapping[str, str] | None = None, *, accounts: Sequence[str] = ("default",)
    ) -> None:
        """Create a namespace with its ServiceAccounts, or set the labels of one that exists."""
        known = name in self._objects.namespaces
        self._objects.put_namespace(name, labels or {}, "Active")
        if not known:
            for account in accounts:
                self._objects.put_account(name, account)

    def add_service_account(self, namespace: str, name: str) -> None:
        """Create a ServiceAccount without pull secrets."""
        self._objects.put_account(namespace, name)

    def terminate_namespace(self, name: str) -> None:
        """Begin to delete a namespace: nothing can be created in it any more."""
        self._objects.put_namespace(name, self._objects.namespaces[name].labels, "Terminating")

    def delete_namespace(self, name: str) -> None:
        """Remove a namespace and all that is in it."""
        self._objects.drop_namespace(name)

    def secret(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a Secret as the API shows it, None when there is none."""
        found = self._objects.find_secret(namespace, name)
        return found.body() if found else None

    def set_secret(self, namespace: str, body: Mapping[str, Any], *, manager: str = "helm") -> None:
        """Create or replace a Secret on behalf of ``manager``, past every check but validation."""
        name = body["metadata"]["name"]
        stored = self._objects.find_secret(namespace, name)
        state = update(stored.state if stored else _NEW, wanted(body), Manager(manager, "Update"))
        self._store(namespace, name, stored, state)

    def service_account(self, namespace: str, name: str) -> dict[str, Any] | None:
        """Return a ServiceAccount as the API shows it, None when there is none."""
        return self._objects.accounts.get(namespace, {}).get(name)

    def compact(self) -> None:
        """Forget the history of namespaces: a watch or page from before is answered with 410."""
        self._objects.compact()

    def close_watches(self) -> None:
        """End every open watch, as a server does that restarts."""
        self._feed.close_watches()
        self._secret_feed.close_watches()

    # -- who may do what ---------------------------------------------------------------------------------------------

    def _rules(self, request: web.Request) -> tuple[Rule, ...]:
        rules = self._tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if rules is None:
            raise RefusedError(401, "Unauthorized")
        return rules

    def _authorize(self, request: web.Request, verb: str, resource: str, group: str = "") -> tuple[str, str]:
        """Check the right to ``verb`` and return namespace and name as in the path."""
        namespace, name = request.match_info.get("namespace", ""), request.match_info.get("name", "")
        if resource == "namespaces":
            namespace = name
        if verb == "watch" and resource == "secrets":
            name = watched_name(request.query)
        asked = Attributes(verb, group, resource, namespace, name)
        if not is_allowed(self._rules(request), asked):
            raise RefusedError(403, forbidden_message("sandbox", asked), about=(resource, name))
        self._used.add((verb, resource))
        return namespace, name

    async def _review(self, request: web.Request) -> web.Response:
        rules = self._rules(request)
        body = await json_of(request)
        wanted = (body.get("spec") or {}).get("resourceAttributes") or {}
        asked = Attributes(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            wanted.get("resource", ""),
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        )
        self._used.add(("create", "selfsubjectaccessreviews"))
        return reply({**body, "status": {"allowed": is_allowed(rules, asked)}}, 201)

    async def _version(self, _: web.Request) -> web.Response:
        return reply({"major": "1", "minor": "35", "gitVersion": "v1.35.0+sandbox", "platform": "linux/amd64"})

    # -- namespaces --------------------------------------------------------------------------------------------------

    async def _list_namespaces(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in {"true", "1"}:
            self._authorize(request, "watch", "namespaces")
            return await self._feed.watch(request)
        self._authorize(request, "list", "namespaces")
        return reply(self._feed.list_page(request.query))

    async def _get_namespace(self, request: web.Request) -> web.Response:
        _, name = self._authorize(request, "get", "namespaces")
        found: Namespace | None = self._objects.namespaces.get(name)
        if found is None:
            raise not_found("namespaces", name)
        return reply(found.body())

    # -- secrets -----------------------------------------------------------------------------------------------------

    async def _get_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "get", "secrets")
        return reply(self._objects.get_secret(namespace, name).body())

    async def _watch_secrets(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") not in {"true", "1"}:
            raise not_found("secrets", "")
        self._authorize(request, "watch", "secrets")
        return await self._secret_feed.watch(request)

    async def _post_secret(self, request: web.Request) -> web.Response:
        namespace, _ = self._authorize(request, "create", "secrets")
        body = await json_of(request)
        name = (body.get("metadata") or {}).get("name", "")
        self._objects.require_open(namespace)
        if not name or self._objects.find_secret(namespace, name):
            raise RefusedError(409, f'secrets "{name}" already exists', about=("secrets", name), reason="AlreadyExists")
        state = update(_NEW, wanted(body), manager_of(request, "Update"))
        return self._saved(request, (namespace, name), None, state)

    async def _put_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "update", "secrets")
        body = await json_of(request)
        stored = self._objects.get_secret(namespace, name)
        check_version(body, stored)
        state = update(stored.state, wanted(body), manager_of(request, "Update"))
        return self._saved(request, (namespace, name), stored, state)

    async def _delete_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "delete", "secrets")
        stored = self._objects.get_secret(namespace, name)
        del self._objects.secrets[namespace][name]
        self._secret_feed.publish("DELETED", stored)
        details = {"name": name, "kind": "secrets", "uid": stored.uid}
        return reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

    async def _patch_secret(self, request: web.Request) -> web.Response:
        place = self._authorize(request, "patch", "secrets")
        kind = request.content_type
        if kind == APPLY:
            return await self._apply_secret(request, *place)
        if kind != JSON_PATCH:
            raise RefusedError(
                415, f"the body of the request was in an unknown format - accepted: {APPLY}, {JSON_PATCH}"
            )
        stored = self._objects.get_secret(*place)
        body = json_patched(stored.body(), await request.read())
        check_version(body, stored)
        return self._saved(request, place, stored, update(stored.state, wanted(body), manager_of(request, "Update")))

    async def _apply_secret(self, request: web.Request, namespace: str, name: str) -> web.Response:
        body = await json_of(request)
        check_apply(request, body, namespace, name)
        stored = self._objects.find_secret(namespace, name)
        if stored is None:
            self._authorize(request, "create", "secrets")
            self._objects.require_open(namespace)
        check_version(body, stored)
        force = request.query.get("force") == "true"
        try:
            state = apply(stored.state if stored else _NEW, leaves_of(body), manager_of(request, "Apply"), force=force)
        except ApplyConflictError as error:
            raise conflict_of(error) from None
        return self._saved(request, (namespace, name), stored, state)

    def _saved(
        self, request: web.Request, place: tuple[str, str], stored: StoredSecret | None, state: Applied
    ) -> web.Response:
        """Validate, keep unless this is a dry run, and answer with the object."""
        dry_run = request.query.get("dryRun")
        if dry_run not in {None, "All"}:
            raise bad_request(f"invalid dryRun {dry_run!r}")
        if stored is not None and state is stored.state:
            return reply(stored.body())
        check_secret(place[1], state.leaves, stored.state.leaves if stored else None)
        if dry_run:
            version = stored.version if stored else self._objects.version
            kept = StoredSecret(*place, stored.uid if stored else "", version, state)
        else:
            kept = self._store(*place, stored, state)
        return reply(kept.body(), 200 if stored else 201)

    def _store(self, namespace: str, name: str, stored: StoredSecret | None, state: Applied) -> StoredSecret:
        if stored is None:
            uid = self._objects.new_uid()
            stored = StoredSecret(namespace, name, uid, self._objects.next_version(), state)
            self._objects.secrets[namespace][name] = stored
            self._secret_feed.publish("ADDED", stored)
        elif state is not stored.state:
            stored.state, stored.version = state, self._objects.next_version()
            self._secret_feed.publish("MODIFIED", stored)
        return stored

    # -- service accounts --------------------------------------------------------------------------------------------

    async def _get_account(self, request: web.Request) -> web.Response:
        return reply(self._account(*self._authorize(request, "get", "serviceaccounts")))

    async def _patch_account(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "patch", "serviceaccounts")
        if request.content_type != JSON_PATCH:
            raise RefusedError(415, f"accepted media types: {JSON_PATCH}")
        found = self._account(namespace, name)
        patched = json_patched(found, await request.read())
        if patched != found:
            patched["metadata"]["resourceVersion"] = str(self._objects.next_version())
        self._objects.accounts[namespace][name] = patched
        return reply(patched)

    def _account(self, namespace: str, name: str) -> dict[str, Any]:
        found = self.service_account(namespace, name)
        if found is None:
            raise not_found("serviceaccounts", name)
        return found
