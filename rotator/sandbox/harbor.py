"""A Harbor: its registry, and as much of its API as setting the secrets of robots needs.

Behaviour: goharbor/harbor, ``src/server/v2.0/handler/robot.go`` (``GetRobotByID``, ``RefreshSec``, ``updateV2Robot``)
and ``api/v2.0/swagger.yaml``, read 2026-11-28. Not imitated: roles
(there is one user, who may do everything) and sessions.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.flavours.harbor import HARBOR
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.registry_auth import parse_basic

NEVER_DAYS = -1


@dataclass(slots=True)
class SandboxRobot:
    """A project's robot.

    Args:
        number: Its id.
        project: The project that it may pull from.
        short: Its name without prefix and project.
        created_at: When it was made, aware UTC.
        days: Its ``duration``; -1 for ever.
        expires_at: When it stops working; None for never.
        secret: What works for it. Secret.
        is_disabled: Whether it is refused whatever its secret.
    """

    number: int
    project: str
    short: str
    created_at: datetime
    days: int
    expires_at: datetime | None
    secret: str
    is_disabled: bool = False

    @property
    def name(self) -> str:
        """Its user name, with the default prefix."""
        return f"robot${self.project}+{self.short}"

    def render(self) -> dict[str, Any]:
        """Return it as the API does: without its secret."""
        pull = {"resource": "repository", "action": "pull"}
        return {
            "id": self.number,
            "name": self.name,
            "level": "project",
            "duration": self.days,
            "editable": True,
            "disable": self.is_disabled,
            "expires_at": -1 if self.expires_at is None else int(self.expires_at.timestamp()),
            "permissions": [{"kind": "project", "namespace": self.project, "access": [pull]}],
            "creation_time": f"{self.created_at:%Y-%m-%dT%H:%M:%S}.000Z",
        }


class SandboxHarbor(SandboxRegistry):
    """The registry, with the API beside it.

    Args:
        clock: Decides what has expired.
        username: The one user of the API.
        password: That user's password.
    """

    def __init__(self, clock: Clock, *, username: str = "admin", password: str) -> None:
        self._admin = (username, password)
        self._time = clock
        self.robots: dict[int, SandboxRobot] = {}
        super().__init__(clock, auth=HARBOR)

    def add_robot(self, project: str, short: str, *, days: int = 30) -> SandboxRobot:
        """Make a robot that may pull from ``project``, with a secret nobody has seen."""
        now = self._time.now()
        expires_at = None if days == NEVER_DAYS else now + timedelta(days=days)
        number = len(self.robots) + 1
        robot = SandboxRobot(number, project, short, now, days, expires_at, secrets.token_hex(16))
        self.robots[robot.number] = robot
        self.refresh(robot)
        return robot

    def refresh(self, robot: SandboxRobot) -> None:
        """Let the registry know what became of ``robot``: its one secret works unless it is disabled or expired."""
        self.revoke(robot.name)
        if not robot.is_disabled:
            self.add_login(robot.name, robot.secret, expires_at=robot.expires_at, repositories=f"{robot.project}/")

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        router.add_get("/api/v2.0/robots/{number}", self._get)
        router.add_patch("/api/v2.0/robots/{number}", self._patch)
        router.add_put("/api/v2.0/robots/{number}", self._put)
        super()._add_routes(router)

    async def _get(self, request: web.Request) -> web.Response:
        robot = self._find(request)
        return robot if isinstance(robot, web.Response) else web.json_response(robot.render())

    async def _patch(self, request: web.Request) -> web.Response:
        robot = self._find(request)
        if isinstance(robot, web.Response):
            return robot
        secret = (await request.json()).get("secret") or ""
        if secret and not _is_valid_secret(secret):
            return _error(400, "BAD_REQUEST", "the secret must longer than 8 chars with at least 1 uppercase letter")
        robot.secret = secret or secrets.token_urlsafe(24)
        self.refresh(robot)
        return web.json_response({"secret": "" if secret else robot.secret})

    async def _put(self, request: web.Request) -> web.Response:
        robot = self._find(request)
        if isinstance(robot, web.Response):
            return robot
        asked = await request.json()
        if not asked.get("permissions"):
            return _error(400, "BAD_REQUEST", "bad request empty permission")
        if (asked.get("name"), asked.get("level")) != (robot.name, "project"):
            return _error(400, "BAD_REQUEST", "cannot update the level or name of robot")
        if asked["duration"] != robot.days:
            robot.days = asked["duration"]
            robot.expires_at = None if robot.days == NEVER_DAYS else robot.created_at + timedelta(days=robot.days)
        robot.is_disabled = bool(asked.get("disable"))
        self.refresh(robot)
        return web.Response()

    def _find(self, request: web.Request) -> SandboxRobot | web.Response:
        if parse_basic(request.headers.get("Authorization", "")) != self._admin:
            return _error(401, "UNAUTHORIZED", "unauthorized")
        number = request.match_info["number"]
        robot = self.robots.get(int(number)) if number.isdecimal() else None
        return robot or _error(404, "NOT_FOUND", f"robot {number} not found")


def _is_valid_secret(text: str) -> bool:
    """Return whether Harbor would take it; the upper bound is that of its documentation."""
    return 8 <= len(text) <= 128 and all(re.search(kind, text) for kind in ("[a-z]", "[A-Z]", "[0-9]"))  # noqa: PLR2004


def _error(status: int, code: str, message: str) -> web.Response:
    return web.json_response({"errors": [{"code": code, "message": message}]}, status=status)
