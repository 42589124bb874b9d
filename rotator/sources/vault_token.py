"""`TokenKeeper`: the daemon's own Vault token. Renewed in time, replaced when refused, never in a hot loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any, TypeVar

import hvac
import structlog

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import (
    AuthenticationError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    TemporaryError,
    UnavailableError,
)
from rotator.ports import Clock
from rotator.sources.vault_login import Door, Lease
from rotator.sources.vault_wire import VaultWire

Answer = TypeVar("Answer")
Jitter = Callable[[], float]
"""Draws from [0, 1)."""

FIRST_STEP_SECONDS = 1.0
LONGEST_STEP_SECONDS = 60.0
SHORTEST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE = timedelta(seconds=30)
"""A lease is looked at this often at least: it may have been replaced by a shorter one meanwhile."""

_log: Any = structlog.get_logger(__name__)


class Gate:
    """Lets one attempt through per back-off step: 1 s, doubling to 60 s, each shortened by up to half.

    Args:
        clock: Measures the steps.
        jitter: Draws from [0, 1).
    """

    def __init__(self, clock: Clock, jitter: Jitter) -> None:
        self._clock = clock
        self._jitter = jitter
        self._failures = 0
        self._opens_at = float("-inf")

    @property
    def wait(self) -> float:
        """Return the seconds until it opens; 0 when it is open."""
        return max(0.0, self._opens_at - self._clock.monotonic())

    def shut(self) -> None:
        """Count a failure and stay shut for the next step."""
        step = min(LONGEST_STEP_SECONDS, FIRST_STEP_SECONDS * 2.0 ** min(self._failures, 10))
        self._failures += 1
        self._opens_at = self._clock.monotonic() + step * (1 - self._jitter() / 2)

    def reset(self) -> None:
        """Forget the failures and open."""
        self._failures = 0
        self._opens_at = float("-inf")


class TokenKeeper:
    """Holds one lease and asks questions with it.

    Args:
        door: Logs in and renews.
        wire: Carries the questions.
        clock: Decides what is due.
        jitter: Draws from [0, 1) for back-off.
    """

    def __init__(self, door: Door, *, wire: VaultWire, clock: Clock, jitter: Jitter) -> None:
        self._door = door
        self._wire = wire
        self._clock = clock
        self._lease: Lease | None = None
        self._failure: RotatorError | None = None
        self._changing = asyncio.Lock()
        self._logins = Gate(clock, jitter)
        self._renewals = Gate(clock, jitter)
        self._refusals = Gate(clock, jitter)

    def expiry(self) -> Expiry:
        """Return when the token ends; unknown before the first login."""
        return self._lease.expiry() if self._lease else UNKNOWN

    async def ask(self, question: Callable[[hvac.Client], Answer]) -> Answer:
        """Ask with a live token; after a 403 ask once more with a fresh one, if the back-off allows a login.

        Raises:
            PermissionDeniedError: Refused, also with a fresh token where one was due.
            AuthenticationError: The login itself was refused. UnavailableError: Vault does not answer.
        """
        client = await self._client()
        try:
            return await self._wire.call(question, client)
        except PermissionDeniedError as error:
            client = await self._replacement(client, error)
        answer = await self._wire.call(question, client)
        self._refusals.reset()
        return answer

    async def renew_forever(self) -> None:
        """Keep the token alive, also while nobody asks anything; ends only by being cancelled."""
        while True:
            await self._clock.sleep(self._pause())
            try:
                await self.renew_if_due()
            except RotatorError as error:
                _log.warning("vault_token_renewal_failed", code=error.code, reason=str(error))

    async def renew_if_due(self) -> None:
        """Renew the token when 2/3 of its life are over; log in where it cannot be renewed. Safe to repeat.

        Raises:
            AuthenticationError: Neither worked. TemporaryError: Vault does not answer; the old token stays in use.
        """
        async with self._changing:
            lease = self._lease
            if lease is None or lease.is_dead(self._clock):
                await self._log_in()
                return
            due_in = lease.due_in(self._clock)
            if due_in is not None and due_in <= timedelta(0):
                await self._prolong(lease)

    async def _client(self) -> hvac.Client:
        lease = self._lease
        if lease is not None and not lease.is_dead(self._clock):
            return lease.client  # without the lock: whoever renews a living token holds up nobody
        async with self._changing:
            if self._lease is None or self._lease.is_dead(self._clock):
                await self._log_in()
            return self._live().client

    async def _replacement(self, refused: hvac.Client, error: PermissionDeniedError) -> hvac.Client:
        """Return a client with another token than ``refused``, or raise ``error`` when it is too early for a login."""
        async with self._changing:
            lease = self._live()
            if lease.client is not refused:
                return lease.client
            if self._refusals.wait:
                raise error
            # Shut before it is known whether a login helps: a path that stays forbidden must not cost one per read.
            self._refusals.shut()
            await self._log_in()
            return self._live().client

    async def _prolong(self, lease: Lease) -> None:
        if not lease.renewable:
            await self._log_in()
            return
        if self._renewals.wait:
            return
        try:
            renewed = await self._door.renew(lease)
        except PermanentError:
            await self._log_in()
            return
        except TemporaryError:
            self._renewals.shut()
            raise
        self._renewals.reset()
        self._lease = renewed
        if renewed.has_shrunk():
            await self._log_in()

    async def _log_in(self) -> None:
        """Replace the lease; between back-off steps repeat the last failure without asking Vault."""
        if self._failure is not None and self._logins.wait:
            raise self._failure.with_traceback(None)
        try:
            self._lease = await self._door.log_in()
        except RotatorError as error:
            self._fail(error)
            raise
        except asyncio.CancelledError:
            # The caller's own deadline came first. That too is a failed attempt, or it would be repeated per read.
            self._fail(UnavailableError("vault: the login took too long", cause="timeout"))
            raise
        self._failure = None
        self._logins.reset()

    def _fail(self, error: RotatorError) -> None:
        self._failure = error
        self._logins.shut()

    def _live(self) -> Lease:
        if self._lease is None:
            raise AuthenticationError("vault: there is no token yet")
        return self._lease

    def _pause(self) -> float:
        due_in = self._lease.due_in(self._clock) if self._lease else timedelta(0)
        rest = LONGEST_PAUSE if due_in is None else min(due_in, LONGEST_PAUSE)
        return max(rest.total_seconds(), self._logins.wait, self._renewals.wait, SHORTEST_PAUSE_SECONDS)
