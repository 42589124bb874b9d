"""Azure Resource Manager, as far as a registry's passwords need it: one question, and one order that takes its time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from rotator.errors import UnavailableError
from rotator.ports import Clock
from rotator.providers.vendor_api import Question, VendorApi, checked, fields_of
from rotator.secret import Secret
from rotator.transport import Response

PATIENCE = timedelta(minutes=2)
"""How long an order may take."""

PAUSE = timedelta(seconds=2)
"""Between two looks at an order, where Azure does not say."""

_ACCEPTED = 202
_HINTS = {
    401: "Look at tenant and identity: Azure does not know them",
    403: "The identity needs a role at the registry that may do this; docs/security.md lists the actions",
    404: "Look at subscription, resource_group, registry_name and token: Azure knows no such thing",
}


@dataclass(frozen=True, slots=True)
class Arm:
    """Azure Resource Manager, asked with one access token.

    Args:
        api: Its address, and how it is reached.
        version: API version.
        bearer: Entra's access token for it. Secret.
        clock: Time.
    """

    api: VendorApi
    version: str
    bearer: Secret
    clock: Clock

    async def get(self, path: str, subject: str) -> dict[str, Any]:
        """Return what is at ``path``.

        Raises:
            RotatorError: As `rotator.transport.check_status`; UnavailableError: it is no JSON object.
        """
        return fields_of(checked(await self._send("GET", path), subject, _HINTS), subject)

    async def order(self, path: str, body: dict[str, object], subject: str) -> dict[str, Any]:
        """Have something done, wait until it is, and return what came of it. May hold secrets.

        Raises:
            UnavailableError: It was not done in time, or Azure's answer makes no sense: it may be done all the same.
            RotatorError: As `get`.

        Source: https://learn.microsoft.com/azure/azure-resource-manager/management/async-operations (read 2026-11-28):
        after a 202 the address in ``Location`` answers 202 until it is done.
        """
        answer = await self._send("POST", path, body)
        until = self.clock.monotonic() + PATIENCE.total_seconds()
        place = ""
        while answer.status == _ACCEPTED:
            place = self._place(answer, subject) or place
            if not place:
                raise UnavailableError(f"{subject}: Azure does not say where to look", cause="protocol")
            if self.clock.monotonic() >= until:
                raise UnavailableError(f"{subject}: not done within {PATIENCE.seconds} s", cause="timeout")
            await self.clock.sleep(min(answer.retry_after or PAUSE, PATIENCE).total_seconds())
            answer = await self.api.send(Question("GET", place, bearer=self.bearer, operation="poll"))
        return fields_of(checked(answer, subject, _HINTS), subject)

    async def _send(self, method: str, path: str, body: dict[str, object] | None = None) -> Response:
        question = Question(method, f"{path}?api-version={self.version}", bearer=self.bearer)
        return await self.api.send(replace(question, body=body))

    def _place(self, answer: Response, subject: str) -> str:
        """Return the path to look at; the access token goes to no other host."""
        location = answer.headers.get("Location", "")
        if location and not location.startswith(f"{self.api.url}/"):
            raise UnavailableError(f"{subject}: Azure points to another host, which is not asked", cause="protocol")
        return location.removeprefix(self.api.url)
