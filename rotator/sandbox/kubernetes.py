"""A small Kubernetes API server: namespaces, Secrets, ServiceAccounts, RBAC, server-side apply; others by merge patch.

It answers what the daemon asks and refuses everything else with 404. Known by bearer tokens only. What it knows of
the real one is from the reference documentation of Kubernetes and from ``k8s.io/apiserver`` (read 2026-07); there
the ``create`` that an apply needs is authorised with the name of the object, so that ``resourceNames`` limits it.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from rotator.sandbox.json_patch import PatchError, apply_json_patch
from rotator.sandbox.kubernetes_apply import (
    Applied,
    ApplyConflictError,
    Leaves,
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
from rotator.sandbox.kubernetes_secret_watch import SecretFeed, watched_name
from rotator.sandbox.kubernetes_status import Cause, RefusedError, bad_request, not_found
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
        app = web.Application(middlewares=[_answer_refusals], client_max_size=MAX_REQUEST_BYTES)
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
        app.router.add_route("*", "/{rest:.*}", _unknown)

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
        state = update(stored.state if stored else _NEW, _wanted(body), Manager(manager, "Update"))
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
        body = await _json(request)
        wanted = (body.get("spec") or {}).get("resourceAttributes") or {}
        asked = Attributes(
            wanted.get("verb", ""),
            wanted.get("group", ""),
            wanted.get("resource", ""),
            wanted.get("namespace", ""),
            wanted.get("name", ""),
        )
        self._used.add(("create", "selfsubjectaccessreviews"))
        return _reply({**body, "status": {"allowed": is_allowed(rules, asked)}}, 201)

    async def _version(self, _: web.Request) -> web.Response:
        return _reply({"major": "1", "minor": "35", "gitVersion": "v1.35.0+sandbox", "platform": "linux/amd64"})

    # -- namespaces --------------------------------------------------------------------------------------------------

    async def _list_namespaces(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") in {"true", "1"}:
            self._authorize(request, "watch", "namespaces")
            return await self._feed.watch(request)
        self._authorize(request, "list", "namespaces")
        return _reply(self._feed.list_page(request.query))

    async def _get_namespace(self, request: web.Request) -> web.Response:
        _, name = self._authorize(request, "get", "namespaces")
        found: Namespace | None = self._objects.namespaces.get(name)
        if found is None:
            raise not_found("namespaces", name)
        return _reply(found.body())

    # -- secrets -----------------------------------------------------------------------------------------------------

    async def _get_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "get", "secrets")
        return _reply(self._objects.get_secret(namespace, name).body())

    async def _watch_secrets(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("watch") not in {"true", "1"}:
            raise not_found("secrets", "")
        self._authorize(request, "watch", "secrets")
        return await self._secret_feed.watch(request)

    async def _post_secret(self, request: web.Request) -> web.Response:
        namespace, _ = self._authorize(request, "create", "secrets")
        body = await _json(request)
        name = (body.get("metadata") or {}).get("name", "")
        self._objects.require_open(namespace)
        if not name or self._objects.find_secret(namespace, name):
            raise RefusedError(409, f'secrets "{name}" already exists', about=("secrets", name), reason="AlreadyExists")
        state = update(_NEW, _wanted(body), _manager(request, "Update"))
        return self._saved(request, (namespace, name), None, state)

    async def _put_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "update", "secrets")
        body = await _json(request)
        stored = self._objects.get_secret(namespace, name)
        _check_version(body, stored)
        state = update(stored.state, _wanted(body), _manager(request, "Update"))
        return self._saved(request, (namespace, name), stored, state)

    async def _delete_secret(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "delete", "secrets")
        stored = self._objects.get_secret(namespace, name)
        del self._objects.secrets[namespace][name]
        self._secret_feed.publish("DELETED", stored)
        details = {"name": name, "kind": "secrets", "uid": stored.uid}
        return _reply({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details})

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
        body = _json_patched(stored.body(), await request.read())
        _check_version(body, stored)
        return self._saved(request, place, stored, update(stored.state, _wanted(body), _manager(request, "Update")))

    async def _apply_secret(self, request: web.Request, namespace: str, name: str) -> web.Response:
        body = await _json(request)
        _check_apply(request, body, namespace, name)
        stored = self._objects.find_secret(namespace, name)
        if stored is None:
            self._authorize(request, "create", "secrets")
            self._objects.require_open(namespace)
        _check_version(body, stored)
        force = request.query.get("force") == "true"
        try:
            state = apply(stored.state if stored else _NEW, leaves_of(body), _manager(request, "Apply"), force=force)
        except ApplyConflictError as error:
            raise _conflict(error) from None
        return self._saved(request, (namespace, name), stored, state)

    def _saved(
        self, request: web.Request, place: tuple[str, str], stored: StoredSecret | None, state: Applied
    ) -> web.Response:
        """Validate, keep unless this is a dry run, and answer with the object."""
        dry_run = request.query.get("dryRun")
        if dry_run not in {None, "All"}:
            raise bad_request(f"invalid dryRun {dry_run!r}")
        if stored is not None and state is stored.state:
            return _reply(stored.body())
        check_secret(place[1], state.leaves, stored.state.leaves if stored else None)
        if dry_run:
            version = stored.version if stored else self._objects.version
            kept = StoredSecret(*place, stored.uid if stored else "", version, state)
        else:
            kept = self._store(*place, stored, state)
        return _reply(kept.body(), 200 if stored else 201)

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
        return _reply(self._account(*self._authorize(request, "get", "serviceaccounts")))

    async def _patch_account(self, request: web.Request) -> web.Response:
        namespace, name = self._authorize(request, "patch", "serviceaccounts")
        if request.content_type != JSON_PATCH:
            raise RefusedError(415, f"accepted media types: {JSON_PATCH}")
        found = self._account(namespace, name)
        patched = _json_patched(found, await request.read())
        if patched != found:
            patched["metadata"]["resourceVersion"] = str(self._objects.next_version())
        self._objects.accounts[namespace][name] = patched
        return _reply(patched)

    def _account(self, namespace: str, name: str) -> dict[str, Any]:
        found = self.service_account(namespace, name)
        if found is None:
            raise not_found("serviceaccounts", name)
        return found


@web.middleware
async def _answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except RefusedError as refusal:
        return web.Response(status=refusal.code, body=refusal.body(), content_type="application/json")


async def _unknown(_: web.Request) -> web.Response:
    raise RefusedError(404, "the server could not find the requested resource")


async def _json(request: web.Request) -> dict[str, Any]:
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise bad_request("the body of the request is not JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    return body


def _json_patched(body: dict[str, Any], patch: bytes) -> dict[str, Any]:
    try:
        patched = apply_json_patch(body, json.loads(patch))
    except PatchError as error:
        raise RefusedError(422, f"the server rejected our request due to an error in our request: {error}") from None
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not isinstance(patched, dict):
        raise bad_request("the patched object is not an object")
    return patched


def _wanted(body: Mapping[str, Any]) -> Leaves:
    return {("type",): "Opaque", **leaves_of(body)}


def _manager(request: web.Request, operation: str) -> Manager:
    given = request.query.get("fieldManager") or request.headers.get("User-Agent", "").partition("/")[0]
    return Manager(given or "unknown", operation)


def _check_apply(request: web.Request, body: Mapping[str, Any], namespace: str, name: str) -> None:
    if not request.query.get("fieldManager"):
        cause = Cause("FieldValueRequired", "Required value: is required for apply patch", "fieldManager")
        raise RefusedError(422, 'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value', causes=(cause,))
    metadata = body.get("metadata") or {}
    if body.get("apiVersion") != "v1" or body.get("kind") != "Secret":
        raise bad_request("the object provided is not a v1 Secret")
    if metadata.get("name", name) != name or metadata.get("namespace", namespace) != namespace:
        raise bad_request("the name or namespace of the object does not match the URL")
    if metadata.get("managedFields"):
        raise bad_request("metadata.managedFields must be nil")


def _check_version(body: Mapping[str, Any], stored: StoredSecret | None) -> None:
    wanted = (body.get("metadata") or {}).get("resourceVersion")
    if wanted is None or (stored is not None and wanted == str(stored.version)):
        return
    name = (body.get("metadata") or {}).get("name", "")
    message = (
        f'Operation cannot be fulfilled on secrets "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    raise RefusedError(409, message, about=("secrets", name))


def _conflict(error: ApplyConflictError) -> RefusedError:
    causes = tuple(
        Cause("FieldManagerConflict", f'conflict with "{conflict.manager.name}" using v1', conflict.field)
        for conflict in error.conflicts
    )
    listed = ", ".join(f"{cause.message}: {cause.field}" for cause in causes)
    return RefusedError(
        409, f"Apply failed with {len(causes)} conflict{'s' * (len(causes) > 1)}: {listed}", causes=causes
    )


def _reply(body: Mapping[str, Any], status: int = 200) -> web.Response:
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
