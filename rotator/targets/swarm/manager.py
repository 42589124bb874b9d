"""The calls we make to a manager's engine, and no others."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from rotator.domain.reference import parse
from rotator.errors import UnavailableError, UnsupportedError
from rotator.targets.swarm.config import SwarmConfig
from rotator.transport import Request, Response, Transport, check_status

OLDEST_API = (1, 30)
"""Older engines resolve a tag to a digest by themselves on every update, and so change the image."""
JOBS = frozenset({"ReplicatedJob", "GlobalJob"})
"""Modes of a service that runs once more whenever it is updated."""

_OUT_OF_SEQUENCE = b"out of sequence"


@dataclass(frozen=True, slots=True)
class Service:
    """One service as the manager shows it.

    Args:
        id: Its id; a service of the same name that is made anew has another one.
        name: Its name.
        version: Index of its latest change.
        registry: The canonical host that its image comes from.
        state: State of its latest update; empty when there was none.
        spec: Its specification, untouched.
    """

    id: str
    name: str
    version: int
    registry: str
    state: str = ""
    spec: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def placement(self) -> str:
        """``name/registry/id``: another image source or a new service of the same name is another placement."""
        return f"{self.name}/{self.registry}/{self.id}"


class Manager:
    """A thin client for one engine. The texts of its answers go nowhere.

    Args:
        target: The target's name, for messages.
        config: The way to the engine, and what it can select by itself.
        transport: Sends the requests.
    """

    def __init__(self, target: str, config: SwarmConfig, transport: Transport) -> None:
        self._target = target
        self._peer = config.peer(target)
        self._base = config.url or "http://docker"
        self._filters = json.dumps(_filters(config))
        self._transport = transport

    async def check_version(self) -> None:
        """Refuse an engine that would change images."""
        answer = check_status(await self._send("GET", "/_ping", "list"), f"{self._target}: ping")
        version = answer.headers.get("Api-Version", "")
        parts = version.split(".")
        if len(parts) != 2 or not all(part.isdecimal() for part in parts):  # noqa: PLR2004 (major.minor)
            raise UnavailableError(f"{self._target}: what answers is no docker engine", cause="protocol")
        if (int(parts[0]), int(parts[1])) < OLDEST_API:
            raise UnsupportedError(
                f"{self._target}: the engine speaks API {version} only",
                hint="It would resolve tags to digests and restart services; API 1.30 (Docker 17.06) is needed",
            )

    async def services(self) -> list[Service]:
        """Return all services that the engine can select by itself, but for jobs."""
        answer = await self._send("GET", f"/services?filters={quote(self._filters, safe='')}", "list")
        found = self._checked(answer, "list services").json()
        if not isinstance(found, list):
            raise UnavailableError(f"{self._target}: list services: the answer is no list", cause="protocol")
        parsed = [_parsed(one, self._target) for one in found]
        return [one for one in parsed if one is not None]

    async def service(self, service_id: str) -> Service | None:
        """Return one service; None when there is none, or none that is for us."""
        answer = await self._send("GET", f"/services/{quote(service_id, safe='')}", "read")
        return None if answer.status == 404 else _parsed(self._checked(answer, "read a service").json(), self._target)  # noqa: PLR2004

    async def update(self, service: Service, header: str) -> bool:
        """Send a login with the specification as it was read; False when the service was changed in between."""
        path = f"/services/{quote(service.id, safe='')}/update?version={service.version}"
        headers = {"Content-Type": "application/json", "X-Registry-Auth": header}
        answer = await self._send("POST", path, "apply", json.dumps(service.spec).encode(), headers)
        if answer.status in {409, 500} and _OUT_OF_SEQUENCE in answer.body:
            return False
        self._checked(answer, f"update {service.name}")
        return True

    def _checked(self, answer: Response, words: str) -> Response:
        if answer.status == 503:  # noqa: PLR2004
            hint = "Is it a manager of the swarm, and has the swarm a leader? Only managers know services"
            raise UnavailableError(f"{self._target}: {words}: HTTP 503", hint=hint, retry_after=answer.retry_after)
        return check_status(answer, f"{self._target}: {words}")

    async def _send(
        self,
        method: str,
        path: str,
        operation: str,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        request = Request(method, f"{self._base}{path}", headers, body, operation=operation)
        return await self._transport.send(self._peer, request)


def _filters(config: SwarmConfig) -> dict[str, list[str]]:
    """Return what the engine can select by itself: it takes a name for a prefix."""
    prefixes = [name.partition("*")[0].partition("?")[0].partition("[")[0] for name in config.names]
    filters = {"name": prefixes} if prefixes and all(prefixes) else {}
    labels = [f"{key}={value}" for key, value in sorted(config.labels.items())]
    return {**filters, "label": labels} if labels else filters


def _parsed(body: object, target: str) -> Service | None:
    """Return a service of the API; None for a job, and for what has no image that could be pulled from a registry.

    Raises:
        UnavailableError: It is not a service.
    """
    try:
        service = dict(body)  # type: ignore[call-overload]
        spec, identity, version = service["Spec"], service["ID"], service["Version"]["Index"]
        name, mode, image = spec["Name"], spec["Mode"], spec["TaskTemplate"].get("ContainerSpec", {}).get("Image", "")
        state = (service.get("UpdateStatus") or {}).get("State", "")
        if not (isinstance(identity, str) and isinstance(name, str) and isinstance(version, int)):
            raise TypeError  # noqa: TRY301 (one way out)
        if JOBS.intersection(mode):
            return None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UnavailableError(f"{target}: what the engine answers is no service", cause="protocol") from None
    try:
        return Service(identity, name, version, parse(image).registry, str(state), spec)
    except ValueError:
        return None
