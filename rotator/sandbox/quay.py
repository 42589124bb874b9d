"""A Quay: its registry, and as much of its API as regenerating robots' tokens needs.

Behaviour: quay/quay, ``endpoints/api/robot.py``, ``robot_models_interface.py`` and ``robot_models_pre_oci.py``, read
2026-11-28. Not imitated: users, and tokens with fewer rights.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.flavours.quay import QUAY
from rotator.sandbox.registry import SandboxRegistry


@dataclass(slots=True)
class SandboxQuayRobot:
    """A robot.

    Args:
        name: ``organization+short``.
        token: What works for it. Secret.
        rights: Repository, without its organization, to role.
        teams: Names of the teams it is in.
    """

    name: str
    token: str
    rights: dict[str, str]
    teams: tuple[str, ...] = ()

    def render(self) -> dict[str, Any]:
        """Return it as the API does, with its token."""
        return {**self.describe(), "token": self.token}

    def describe(self) -> dict[str, Any]:
        """Return it as the API does, without its token."""
        created = "Mon, 23 Nov 2026 12:00:00 -0000"
        return {"name": self.name, "created": created, "last_accessed": None, "description": ""}


_Handler = Callable[[web.Request, SandboxQuayRobot], Awaitable[web.Response]]


class SandboxQuay(SandboxRegistry):
    """The registry, with the API beside it.

    Args:
        clock: Time.
        api_token: The one OAuth token that the API knows; its bearer may do everything.
    """

    def __init__(self, clock: Clock, *, api_token: str) -> None:
        self._token_of_api = api_token
        self.robots: dict[str, SandboxQuayRobot] = {}
        super().__init__(clock, auth=QUAY)

    def add_robot(self, name: str) -> SandboxQuayRobot:
        """Make a robot that may read ``app`` in its organization, with a token nobody has seen."""
        robot = self.robots[name] = SandboxQuayRobot(name, "", {"app": "read"})
        self.regenerate(robot)
        return robot

    def regenerate(self, robot: SandboxQuayRobot) -> None:
        """Give ``robot`` a new token; the one before is refused from now on."""
        self.revoke(robot.name)
        robot.token = secrets.token_hex(32).upper()
        self.add_login(robot.name, robot.token, repositories=f"{robot.name.partition('+')[0]}/")

    def _add_routes(self, router: web.UrlDispatcher) -> None:
        for base in ("/api/v1/organization/{organization}/robots", "/api/v1/user/robots"):
            router.add_get(base, self._list)
            router.add_get(f"{base}/{{short}}", self._about(_show))
            router.add_get(f"{base}/{{short}}/permissions", self._about(_permissions))
            router.add_post(f"{base}/{{short}}/regenerate", self._about(self._regenerate))
        super()._add_routes(router)

    async def _list(self, request: web.Request) -> web.Response:
        if not self._is_known(request):
            return _unknown()
        namespace = request.match_info.get("organization", "")
        robots = [robot for robot in self.robots.values() if robot.name.startswith(f"{namespace}+") or not namespace]
        return web.json_response(
            {
                "robots": [
                    {
                        **robot.describe(),
                        "teams": [{"name": name, "avatar": {}} for name in robot.teams],
                        "repositories": list(robot.rights),
                    }
                    for robot in robots
                ]
            }
        )

    def _about(self, handler: _Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            if not self._is_known(request):
                return _unknown()
            robot = self._find(request)
            if robot is None:
                message = f"Could not find robot with specified username: {request.match_info['short']}"
                return web.json_response({"message": message, "error_message": message}, status=400)
            return await handler(request, robot)

        return handle

    async def _regenerate(self, _: web.Request, robot: SandboxQuayRobot) -> web.Response:
        self.regenerate(robot)
        return web.json_response(robot.render())

    def _find(self, request: web.Request) -> SandboxQuayRobot | None:
        short, namespace = request.match_info["short"], request.match_info.get("organization")
        names = [name for name in self.robots if name.partition("+")[2] == short]
        return next((self.robots[name] for name in names if namespace in {None, name.partition("+")[0]}), None)

    def _is_known(self, request: web.Request) -> bool:
        return request.headers.get("Authorization") == f"Bearer {self._token_of_api}"


async def _show(_: web.Request, robot: SandboxQuayRobot) -> web.Response:
    return web.json_response({**robot.render(), "unstructured_metadata": {}})


async def _permissions(_: web.Request, robot: SandboxQuayRobot) -> web.Response:
    rights = [{"repository": {"name": name, "is_public": False}, "role": role} for name, role in robot.rights.items()]
    return web.json_response({"permissions": rights})


def _unknown() -> web.Response:
    return web.json_response({"error_type": "invalid_token", "title": "invalid_token", "status": 401}, status=401)
