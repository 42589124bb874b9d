"""Stops showing logins before a registry locks us out. Everything that shows one to a registry passes here.

Vendors ban by different measures, and a host's name does not always tell whose it is, so both hold for every host:

- by account, refusals in a row: Docker Hub locks an account for ten minutes (docker/hub-feedback issue 2201);
- by address, refusals of all its users within three minutes: GitLab bans an address for an hour at 30 of them
  (docs.gitlab.com, rate limits, "Failed authentication ban"), and other machines may share our address.

What a registry says itself (locked, banned, slow down; Docker Hub's abuse limit is by address) closes at once.
All read 2026-11.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.domain.attempt import Attempt, Outcome
from rotator.errors import RateLimitedError
from rotator.ports import Clock

REFUSALS = 3
"""So many refusals in a row of one user name close it."""
PAUSE = timedelta(minutes=10)
"""For how long at first; it doubles with each further refusal."""
LONGEST_PAUSE = timedelta(hours=1)

ADDRESS_REFUSALS = 10
"""So many refusals within `ADDRESS_WINDOW` close a host for all user names: a third of what GitLab bans at."""
ADDRESS_WINDOW = timedelta(minutes=3)

BAN_PAUSE = timedelta(hours=1)
"""For how long a host is left alone that says or shows that it has banned us."""
SLOW_PAUSE = timedelta(minutes=1)
"""For how long after a bare "slow down"."""

FORGOTTEN_AFTER = timedelta(days=1)
"""A user name that was not shown for so long, and is not closed, is forgotten with its refusals."""

AT_ONCE = 4
"""Logins shown to one host at the same time: so many more than the budget may fail before the first answer is known."""


@dataclass(slots=True)
class _Account:
    """One user name at one host.

    Args:
        refusals: In a row.
        shown: How often it is being shown just now.
        closed_until: Not shown before this monotonic second.
        noted_at: When it was shown last, as a monotonic second.
    """

    refusals: int = 0
    shown: int = 0
    closed_until: float = 0.0
    noted_at: float = 0.0


@dataclass(slots=True)
class _Host:
    """One host, whatever the user name."""

    places: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    refused_at: deque[float] = field(default_factory=lambda: deque(maxlen=ADDRESS_REFUSALS))
    closed_until: float = 0.0
    why: str = ""


class Guard:
    """A `rotator.ports.LoginGuard` that counts refusals and holds back while it is closed.

    Args:
        clock: Time; only its monotonic seconds matter.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, _Host] = defaultdict(_Host)
        self._accounts: dict[tuple[str, str], _Account] = defaultdict(_Account)

    @asynccontextmanager
    async def attempt(self, host: str, username: str) -> AsyncIterator[Attempt]:
        """Let one login be shown. See `rotator.ports.LoginGuard`."""
        async with self._hosts[host].places:
            self.check(host, username)
            account, attempt = self._accounts[host, username], Attempt()
            account.shown += 1
            try:
                yield attempt
            finally:
                account.shown -= 1
                self._note(host, username, attempt)

    def check(self, host: str, username: str) -> None:
        """Return if ``username`` may be shown to ``host`` now.

        Raises:
            RateLimitedError: It may not; ``retry_after`` says when.
        """
        left, why = self._closure(host, username)
        if left > 0:
            raise RateLimitedError(
                f"{host} {why}; not asked again, so that it does not lock us out",
                hint="Mend the credential at its source; the next try comes by itself",
                retry_after=timedelta(seconds=left),
            )

    def reason(self, host: str, username: str) -> str:
        """Return why ``username`` is not shown to ``host`` now; empty when it may be."""
        left, why = self._closure(host, username)
        return f"{host} {why}; left alone for {timedelta(seconds=round(left))}" if left > 0 else ""

    def closed(self) -> frozenset[str]:
        """Return the hosts to which some login is not shown now. Safe in any thread."""
        now = self._clock.monotonic()
        hosts = {host for host, one in list(self._hosts.items()) if one.closed_until > now}
        return frozenset(hosts | {host for (host, _), one in list(self._accounts.items()) if one.closed_until > now})

    def _closure(self, host: str, username: str) -> tuple[float, str]:
        """Return the seconds left and why; after a pause one try at a time is let through."""
        now = self._clock.monotonic()
        known = self._hosts.get(host)
        if known is not None and known.closed_until > now:
            return known.closed_until - now, known.why
        account = self._accounts.get((host, username))
        if account is None or account.refusals < REFUSALS:
            return 0.0, ""
        why = f"refused {account.refusals} logins in a row"
        if account.closed_until <= now:
            return (SLOW_PAUSE.total_seconds(), f"{why}, and one is being tried") if account.shown else (0.0, "")
        return account.closed_until - now, why

    def _note(self, host: str, username: str, attempt: Attempt) -> None:
        account = self._accounts[host, username]
        account.noted_at = self._clock.monotonic()
        if attempt.outcome is Outcome.ACCEPTED:
            account.refusals, account.closed_until = 0, 0.0
        elif attempt.outcome is Outcome.REFUSED:
            self._close_account(account, account.refusals + 1, timedelta())
            self._count_against_address(host)
        elif attempt.outcome is Outcome.LOCKED_OUT:
            self._close_account(account, max(account.refusals + 1, REFUSALS), attempt.wait or timedelta())
        elif attempt.outcome is Outcome.BANNED:
            self._close_host(host, max(attempt.wait or BAN_PAUSE, BAN_PAUSE), "has banned this address")
        elif attempt.outcome is Outcome.SLOWED:
            self._close_host(host, attempt.wait or SLOW_PAUSE, "asked this address to slow down")
        if not account.refusals and not account.shown:
            del self._accounts[host, username]
        self._forget_old()

    def _forget_old(self) -> None:
        """Forget user names that nobody shows any more: there is a new one with each version at some vendors."""
        now, longest = self._clock.monotonic(), FORGOTTEN_AFTER.total_seconds()
        idle = {key: one for key, one in self._accounts.items() if not one.shown and now >= one.noted_at + longest}
        for key in [key for key, one in idle.items() if one.closed_until <= now]:
            del self._accounts[key]

    def _close_account(self, account: _Account, refusals: int, asked: timedelta) -> None:
        account.refusals = refusals
        if refusals >= REFUSALS:
            pause = min(PAUSE * int(2 ** min(refusals - REFUSALS, 4)), LONGEST_PAUSE)
            account.closed_until = self._clock.monotonic() + max(pause, asked).total_seconds()

    def _count_against_address(self, host: str) -> None:
        now, window, times = self._clock.monotonic(), ADDRESS_WINDOW.total_seconds(), self._hosts[host].refused_at
        times.append(now)
        if len(times) == ADDRESS_REFUSALS and times[0] > now - window:
            self._close_host(host, ADDRESS_WINDOW, f"refused {ADDRESS_REFUSALS} logins within {ADDRESS_WINDOW}")

    def _close_host(self, host: str, pause: timedelta, why: str) -> None:
        known = self._hosts[host]
        until = self._clock.monotonic() + pause.total_seconds()
        if until > known.closed_until:
            known.closed_until, known.why = until, why
