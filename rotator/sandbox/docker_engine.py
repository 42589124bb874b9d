"""A manager of a Docker Swarm, as far as its services' registry logins go, on a UNIX socket or on loopback.

Behaves as moby does (``daemon/server/router/swarm``, ``daemon/cluster/services.go``, swarmkit's
``manager/orchestrator/task.go`` and the Engine API's reference, read 2026-11-28):

- An update names the version it is based on; another one is answered with 500 and "update out of sequence".
- ``X-Registry-Auth`` is base64url of a JSON object. Without it the login that is there is kept. It is in no answer.
- A running task is replaced when the rest of its specification changed, not when only the login did. One whose image
  has not been pulled yet is replaced for the login, too.
- A job runs once more whenever its service is updated.
- Before API 1.30 the engine itself resolves a tag to a digest, which changes the image.
"""

from __future__ import annotations

import base64
import binascii
import json
from copy import deepcopy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rotator.sandbox.server import SandboxServer

if TYPE_CHECKING:
    import ssl

API_VERSION = "1.48"
DIGEST = f"sha256:{'ab' * 32}"
OUT_OF_SEQUENCE = "rpc error: code = Unknown desc = update out of sequence"
NO_MANAGER = 'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node.'
_TAKES_OVER_DIGESTS = (1, 30)


@dataclass(slots=True)
class Service:
    """One service as the manager keeps it.

    Args:
        id: Its id.
        spec: Its specification, without the login.
        version: Index of its latest change.
        login: The decoded ``X-Registry-Auth``; None for none. Secret.
        tasks: Ids of its tasks; a task that is replaced gets a new one.
        is_pulled: Whether the tasks have their image.
        runs: How often it ran, for a job.
        update_state: ``UpdateStatus.State``; empty for none.
    """

    id: str
    spec: dict[str, Any]
    version: int
    login: dict[str, Any] | None = field(default=None, repr=False)
    tasks: list[str] = field(default_factory=list)
    is_pulled: bool = True
    runs: int = 1
    update_state: str = ""

    def shown(self) -> dict[str, Any]:
        """Return what the API shows of it."""
        status = {"UpdateStatus": {"State": self.update_state}} if self.update_state else {}
        return {"ID": self.id, "Version": {"Index": self.version}, "Spec": deepcopy(self.spec), **status}


class SandboxDockerEngine(SandboxServer):
    """The API of one manager.

    Args:
        api_version: The newest API version it speaks.
        tls: Server-side TLS context; None for a socket or plain HTTP.
    """

    def __init__(self, *, api_version: str = API_VERSION, tls: ssl.SSLContext | None = None) -> None:
        app = web.Application()
        for prefix in ("", r"/v{version:1\.\d+}"):
            app.router.add_get(f"{prefix}/_ping", self._ping)
            app.router.add_get(f"{prefix}/services", self._list)
            app.router.add_get(f"{prefix}/services/{{id}}", self._show)
            app.router.add_post(f"{prefix}/services/{{id}}/update", self._update)
        super().__init__(app, tls=tls)
        self.services: dict[str, Service] = {}
        self.is_manager = True
        self._api_version = api_version
        self._index = 10
        self._made = 0

    def add(self, name: str, image: str, *, labels: dict[str, str] | None = None, mode: str = "Replicated") -> Service:
        """Make a service with two tasks and without a login."""
        self._made += 1
        spec = {
            "Name": name,
            "Labels": labels or {},
            "TaskTemplate": {
                "ContainerSpec": {"Image": image, "Isolation": "default"},
                "Resources": {"Limits": {"NanoCPUs": 500_000_000, "MemoryBytes": (1 << 62) + 1}},
                "ForceUpdate": 0,
                "Runtime": "container",
            },
            "Mode": {mode: {"Replicas": 2} if mode == "Replicated" else {}},
            "UpdateConfig": {"Parallelism": 1, "MaxFailureRatio": 0.1, "FailureAction": "rollback"},
        }
        service = Service(f"{self._made:02}{'svc' * 7}id"[:25], spec, self._next())
        service.tasks = self._new_tasks()
        self.services[service.id] = service
        return service

    def touch(self, service: Service) -> None:
        """Change something small about ``service``, as somebody else's update does."""
        service.spec["Labels"]["touched"] = str(self._next())
        service.version = self._index

    def _next(self) -> int:
        self._index += 1
        return self._index

    def _new_tasks(self) -> list[str]:
        return [f"task-{self._next()}" for _ in range(2)]

    async def _ping(self, _: web.Request) -> web.Response:
        return web.Response(text="OK", headers={"Api-Version": self._api_version, "Ostype": "linux"})

    async def _list(self, request: web.Request) -> web.Response:
        if not self.is_manager:
            return _error(503, NO_MANAGER)
        filters = json.loads(request.query.get("filters", "{}"))
        unknown = set(filters).difference({"name", "label"})
        if unknown:
            return _error(400, f"invalid filter '{unknown.pop()}'")
        return web.json_response([one.shown() for one in self.services.values() if _passes(one, filters)])

    async def _show(self, request: web.Request) -> web.Response:
        service = self.services.get(request.match_info["id"])
        if not self.is_manager:
            return _error(503, NO_MANAGER)
        if service is None:
            return _error(404, f"service {request.match_info['id']} not found")
        return web.json_response(service.shown())

    async def _update(self, request: web.Request) -> web.Response:
        service = self.services.get(request.match_info["id"])
        if service is None:
            return _error(404, f"service {request.match_info['id']} not found")
        spec = await request.json()
        if int(request.query["version"]) != service.version:
            return _error(500, OUT_OF_SEQUENCE)
        header = request.headers.get("X-Registry-Auth", "")
        login = _decoded(header) if header else service.login
        if self._resolves_digests(request) and "@" not in spec["TaskTemplate"]["ContainerSpec"]["Image"]:
            spec["TaskTemplate"]["ContainerSpec"]["Image"] += f"@{DIGEST}"
        self._replace(service, spec, login)
        return web.json_response({"Warnings": None})

    def _replace(self, service: Service, spec: dict[str, Any], login: dict[str, Any] | None) -> None:
        is_dirty = spec["TaskTemplate"] != service.spec["TaskTemplate"]
        if is_dirty or service.update_state == "paused" or (login != service.login and not service.is_pulled):
            service.tasks = self._new_tasks()
        if "ReplicatedJob" in spec["Mode"] or "GlobalJob" in spec["Mode"]:
            service.runs += 1
        service.spec, service.login, service.version, service.update_state = spec, login, self._next(), ""

    def _resolves_digests(self, request: web.Request) -> bool:
        version = request.match_info.get("version", self._api_version)
        return tuple(int(part) for part in version.split(".")) < _TAKES_OVER_DIGESTS


def _passes(service: Service, filters: dict[str, Any]) -> bool:
    """Return whether a service passes: a name is a prefix, any of several; labels must all be there."""
    names = list(filters.get("name", []))
    if names and not any(service.spec["Name"].startswith(name) for name in names):
        return False
    wanted = [label.partition("=") for label in filters.get("label", [])]
    labels = service.spec["Labels"]
    return all(key in labels and (not has_value or labels[key] == value) for key, has_value, value in wanted)


def _decoded(header: str) -> dict[str, Any] | None:
    """Return the login in a header. One that cannot be read is kept as it is and of no use: here None."""
    if set(header) & {"+", "/"}:  # Python takes both alphabets, Go's decoder one
        return None
    try:
        login = json.loads(base64.b64decode(header, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError):
        return None
    return login if isinstance(login, dict) else None


def _error(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
