"""Objects of other API groups in the Kubernetes sandbox: workloads, Flux's sources.

They can be read and merge-patched. As the real ones do they get a new ``metadata.generation`` when their ``spec``
changes, which for a workload means new pods. Source: API conventions of Kubernetes (``metadata.generation``), RFC 7386.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from rotator.sandbox.kubernetes_apply import EPOCH
from rotator.sandbox.kubernetes_status import RefusedError, bad_request, not_found

MERGE_PATCH = "application/merge-patch+json"
_PATH = "/apis/{group}/{version}/namespaces/{namespace}/{resource}/{name}"
Authorize = Callable[[web.Request, str, str, str], tuple[str, str]]
"""Checks the right of a request to a verb on a resource of a group."""
Place = tuple[str, str, str, str, str]
"""Group, version, namespace, resource (plural) and name."""


class OtherObjects:
    """Every object that is neither a namespace, a Secret nor a ServiceAccount.

    Args:
        next_version: Returns a new resource version.
        authorize: Checks a right.
    """

    def __init__(self, next_version: Callable[[], int], authorize: Authorize) -> None:
        self._next_version = next_version
        self._authorize = authorize
        self._bodies: dict[Place, dict[str, Any]] = {}

    def add_routes(self, router: web.UrlDispatcher) -> None:
        """Serve the objects."""
        router.add_get(_PATH, self._get)
        router.add_patch(_PATH, self._patch)

    def put(self, place: Place, spec: Mapping[str, Any]) -> None:
        """Create an object, or make it anew."""
        group, version, namespace, _, name = place
        metadata = {
            "name": name,
            "namespace": namespace,
            "resourceVersion": str(self._next_version()),
            "generation": 1,
            "creationTimestamp": EPOCH,
        }
        self._bodies[place] = {"apiVersion": f"{group}/{version}", "metadata": metadata, "spec": dict(spec)}

    def get(self, place: Place) -> dict[str, Any]:
        """Return an object.

        Raises:
            RefusedError: 404, for a resource that is not served as for an object that is not there.
        """
        found = self._bodies.get(place)
        if found is not None:
            return found
        if not any(known[:2] == place[:2] and known[3] == place[3] for known in self._bodies):
            raise RefusedError(404, "the server could not find the requested resource")
        raise not_found(place[3], place[4])

    def patch(self, place: Place, patch: Mapping[str, Any]) -> dict[str, Any]:
        """Return an object after a merge patch.

        Raises:
            RefusedError: 404.
        """
        before = self.get(place)
        after: dict[str, Any] = merge_patched(before, patch)
        if after != before:
            is_new = after["spec"] != before["spec"]
            after["metadata"]["generation"] = before["metadata"]["generation"] + is_new
            after["metadata"]["resourceVersion"] = str(self._next_version())
        self._bodies[place] = after
        return after

    async def _get(self, request: web.Request) -> web.Response:
        return web.json_response(self.get(self._place(request, "get")))

    async def _patch(self, request: web.Request) -> web.Response:
        place = self._place(request, "patch")
        if request.content_type != MERGE_PATCH:
            raise RefusedError(415, f"accepted media types: {MERGE_PATCH}")
        patch = await request.json()
        if not isinstance(patch, dict):
            raise bad_request("the patch is not an object")
        return web.json_response(self.patch(place, patch))

    def _place(self, request: web.Request, verb: str) -> Place:
        path = request.match_info
        namespace, name = self._authorize(request, verb, path["resource"], path["group"])
        return path["group"], path["version"], namespace, path["resource"], name


def merge_patched(document: Any, patch: Any) -> Any:
    """Return ``document`` with a JSON merge patch applied; ``document`` stays as it is."""
    if not isinstance(patch, Mapping):
        return patch
    merged = dict(document) if isinstance(document, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge_patched(merged.get(key), value)
    return merged
