"""Quay's API, as far as the tokens of robots go."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from rotator.config.ref import SecretRef
from rotator.errors import NotFoundError, RotatorError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.providers.vendor_api import Question, checked, fields_of, read_secret, registry_api, text_of
from rotator.secret import Secret
from rotator.transport import Response

Owner = Literal["organization", "user"]

_HINTS = {
    400: "Look whether the robot is there, and whose it is (owner)",
    401: "Make a new token for an OAuth application of the organization, and put it where api_token is read",
    403: "The token behind api_token needs the scope org:admin, or user:admin for a user's robots",
    404: "Look whether the robot is there, and whose it is (owner)",
}
_MISSING = frozenset({400, 404})
"""How Quay answers about a robot that is not there: 400 in some versions."""


class QuayRobots:
    """Robots of one Quay. Whoever may call this may read the token of each robot of the organization.

    Source: quay/quay, ``endpoints/api/robot.py`` and ``robot_models_interface.py`` (read 2026-11-28).

    Args:
        owner: Whether robots belong to an organization, or to the user whose token it is.
        api_token: Where an OAuth token with ``org:admin`` or ``user:admin`` is read.
        context: Reaches the registry's host.
    """

    def __init__(self, owner: Owner, api_token: SecretRef, context: ProviderContext) -> None:
        self._owner = owner
        self._token = api_token
        self._context = context
        self._api = registry_api(context)

    async def token(self, robot: str) -> Secret:
        """Return the token that works for ``robot`` now. Changes nothing.

        Raises:
            NotFoundError: There is no such robot. RotatorError: As `rotator.ports.Provider.issue`.
        """
        answer = await self._send(Question("GET", self._path(robot), operation="robot"))
        if answer.status in _MISSING and await self._is_missing(robot):
            raise NotFoundError(f"{self._subject(robot)} does not exist", hint="Make it in Quay, or name another")
        return self._token_in(answer, robot)

    async def regenerate(self, robot: str) -> Secret:
        """Return a new token of ``robot``; the one before is refused from now on.

        Raises:
            RotatorError: As `rotator.ports.Provider.issue`. After UnavailableError it may have happened: see `token`.
        """
        question = Question("POST", f"{self._path(robot)}/regenerate", body={}, operation="regenerate")
        return self._token_in(await self._send(question), robot)

    async def scopes(self, robot: str) -> frozenset[str] | None:
        """Return what ``robot`` may do: ``app:read`` for a repository, ``team dev`` for a team; None on any failure.

        Asks twice: the rights on repositories do not hold those that come with a team.
        """
        try:
            rights = await self._fields(Question("GET", f"{self._path(robot)}/permissions", operation="robot"), robot)
            teams = await self._listed(robot)
        except RotatorError:
            return None
        repositories = [
            f"{text_of(_object(right.get('repository')), 'name')}:{text_of(right, 'role')}"
            for right in _objects(rights.get("permissions"))
        ]
        found = [f"team {text_of(team, 'name')}" for team in _objects((teams or {}).get("teams"))]
        return frozenset([*repositories, *found])

    async def _is_missing(self, robot: str) -> bool:
        return await self._listed(robot) is None

    async def _listed(self, robot: str) -> dict[str, Any] | None:
        """Return what the list of all robots says of ``robot``; None when it is not in it."""
        path = f"{self._path(robot).rpartition('/')[0]}?permissions=true&token=false"
        fields = await self._fields(Question("GET", path, operation="robots"), robot)
        if not isinstance(fields.get("robots"), list):
            raise UnavailableError(f"{self._subject(robot)}: the answer lists no robots", cause="protocol")
        return next((one for one in _objects(fields["robots"]) if one.get("name") == robot), None)

    async def _fields(self, question: Question, robot: str) -> dict[str, Any]:
        return fields_of(checked(await self._send(question), self._subject(robot), _HINTS), self._subject(robot))

    async def _send(self, question: Question) -> Response:
        return await self._api.send(replace(question, bearer=await read_secret(self._token, self._context)))

    def _token_in(self, answer: Response, robot: str) -> Secret:
        fields = fields_of(checked(answer, self._subject(robot), _HINTS), self._subject(robot))
        token = text_of(fields, "token")
        if not token:
            raise UnavailableError(f"{self._subject(robot)}: the answer holds no token", cause="protocol")
        return Secret(token)

    def _path(self, robot: str) -> str:
        organization, _, short = robot.partition("+")
        owner = "user" if self._owner == "user" else f"organization/{organization}"
        return f"/api/v1/{owner}/robots/{short}"

    def _subject(self, robot: str) -> str:
        return f"{self._context.registry.host}: robot {robot}"


def _objects(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
