"""What a request to the small Kubernetes API server says, and how it is answered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web
from aiohttp.typedefs import Handler

from rotator.sandbox.json_patch import PatchError, apply_json_patch
from rotator.sandbox.kubernetes_apply import ApplyConflictError, Leaves, Manager, leaves_of
from rotator.sandbox.kubernetes_status import Cause, RefusedError, bad_request
from rotator.sandbox.kubernetes_store import StoredSecret


@web.middleware
async def answer_refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer what was refused as the real server does."""
    try:
        return await handler(request)
    except RefusedError as refusal:
        return web.Response(status=refusal.code, body=refusal.body(), content_type="application/json")


async def unknown(_: web.Request) -> web.Response:
    """Refuse what this server does not know."""
    raise RefusedError(404, "the server could not find the requested resource")


async def json_of(request: web.Request) -> dict[str, Any]:
    """Return the object in the body; RefusedError where there is none."""
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise bad_request("the body of the request is not JSON") from None
    if not isinstance(body, dict):
        raise bad_request("the body of the request is not an object")
    return body


def json_patched(body: dict[str, Any], patch: bytes) -> dict[str, Any]:
    """Return ``body`` after a JSON patch; RefusedError where that cannot be done."""
    try:
        patched = apply_json_patch(body, json.loads(patch))
    except PatchError as error:
        raise RefusedError(422, f"the server rejected our request due to an error in our request: {error}") from None
    except ValueError as error:
        raise bad_request(str(error)) from None
    if not isinstance(patched, dict):
        raise bad_request("the patched object is not an object")
    return patched


def wanted(body: Mapping[str, Any]) -> Leaves:
    """Return the fields that a Secret is to have, what is filled in for it included."""
    return {("type",): "Opaque", **leaves_of(body)}


def manager_of(request: web.Request, operation: str) -> Manager:
    """Return who manages the fields that a request sets: as it says, or its user agent."""
    given = request.query.get("fieldManager") or request.headers.get("User-Agent", "").partition("/")[0]
    return Manager(given or "unknown", operation)


def check_apply(request: web.Request, body: Mapping[str, Any], namespace: str, name: str) -> None:
    """Refuse an apply that says not who applies, or is about something else."""
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


def check_version(body: Mapping[str, Any], stored: StoredSecret | None) -> None:
    """Refuse a write that was meant for another version than the stored one."""
    wanted = (body.get("metadata") or {}).get("resourceVersion")
    if wanted is None or (stored is not None and wanted == str(stored.version)):
        return
    name = (body.get("metadata") or {}).get("name", "")
    message = (
        f'Operation cannot be fulfilled on secrets "{name}": the object has been modified; '
        "please apply your changes to the latest version and try again"
    )
    raise RefusedError(409, message, about=("secrets", name))


def conflict_of(error: ApplyConflictError) -> RefusedError:
    """Return the refusal that names whose fields an apply would take."""
    causes = tuple(
        Cause("FieldManagerConflict", f'conflict with "{conflict.manager.name}" using v1', conflict.field)
        for conflict in error.conflicts
    )
    listed = ", ".join(f"{cause.message}: {cause.field}" for cause in causes)
    return RefusedError(
        409, f"Apply failed with {len(causes)} conflict{'s' * (len(causes) > 1)}: {listed}", causes=causes
    )


def reply(body: Mapping[str, Any], status: int = 200) -> web.Response:
    """Return ``body`` as JSON."""
    return web.Response(status=status, body=json.dumps(body).encode(), content_type="application/json")
