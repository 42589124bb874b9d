"""Asks vendors about the versions in use: until when they work, what they may do, whose they are.

An answer that says less than what is known changes nothing: an expiry never turns from known into unknown because
somebody could not be asked. What a login may do beyond pulling is judged by `rotator.domain.privilege`.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from rotator.domain.events import Crashed, Event, StoreFailed, VersionInspected, VersionPromoted
from rotator.domain.inspection import Inspection, learned
from rotator.domain.lint import Lint
from rotator.domain.model import Version
from rotator.domain.privilege import NOT_JUDGED, Privilege, password_lints, privilege_of, vendor_word
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.pause import pause
from rotator.engine.surroundings import Surroundings
from rotator.errors import NotFoundError, StoreError
from rotator.ports import Changes
from rotator.registry.advice import vendor_of

LONGEST_TICK = timedelta(minutes=1)
"""How often it is looked whom to ask; a new version is asked about without waiting for that."""

AT_ONCE = 4
"""Vendors asked at the same time."""

SPREAD = 0.1
"""Share of the interval by which questions come earlier at random, so that they do not stay together."""

_Group = tuple[str, str, tuple[str, ...]]
"""What the answer depends on: the vendor's identity, the login's fingerprint, the images."""


class Inspector:
    """Asks about each version in use once an interval, after a start, and after it came into use.

    Args:
        credentials: All configured ones, by name.
        ledger: Knows the logins, keeps what was learnt.
        world: Clock, random numbers, and who is told.
        interval: Time between two questions about the same version.
    """

    def __init__(
        self, credentials: Mapping[str, Credential], ledger: Ledger, world: Surroundings, interval: timedelta
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._world = world
        self._interval = interval.total_seconds()
        self._asked: dict[str, tuple[int, float]] = {}
        self._habits: dict[str, tuple[str, tuple[Lint, ...]]] = {}
        self._said: dict[str, Privilege] = {}
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Ask at once after a new version came into use. A `rotator.ports.Hook`."""
        if isinstance(event, VersionPromoted):
            self._news.set()

    async def run(self, wake: Callable[[], None]) -> None:
        """Ask for ever; cancel to stop. ``wake`` is called when another expiry is known, so that what is due moves."""
        while True:
            self._news.clear()
            if await self.poll():
                wake()
            await pause(self._world.clock, LONGEST_TICK.total_seconds(), self._news)

    async def poll(self) -> bool:
        """Ask about every version that is due for it; return whether any expiry changed."""
        groups: dict[_Group, list[tuple[Credential, Version]]] = defaultdict(list)
        for credential, version in self._take():
            key = (credential.provider.identity, version.fingerprint, tuple(credential.config.images))
            groups[key].append((credential, version))
        return any(await asyncio.gather(*(self._inspect(holders) for holders in groups.values())))

    def of(self, name: str) -> Privilege:
        """Return whether the version in use of a credential may do more than pull. Safe in any thread."""
        version, config = self._ledger.current(name), self._credentials[name].config
        if version is None:
            return NOT_JUDGED
        vendor = vendor_word(config.provider, vendor_of(config.registry))
        found = privilege_of(vendor, version.scopes, version.username, config.registry)
        fingerprint, lints = self._habits.get(name, ("", ()))
        return Privilege(found.is_excessive, (*found.lints, *(lints if fingerprint == version.fingerprint else ())))

    def _take(self) -> Sequence[tuple[Credential, Version]]:
        """Return what is due, and note when it is next. A version that the registry refuses is not shown for this."""
        now, taken = self._world.clock.monotonic(), []
        for name, credential in self._credentials.items():
            version = self._ledger.current(name)
            generation, due_at = self._asked.get(name, (0, now))
            if (
                version is None
                or version.rejected_at is not None
                or (version.generation == generation and now < due_at)
            ):
                continue
            next_at = now + self._interval * (1 - SPREAD * self._world.random())
            self._asked[name] = (version.generation, next_at)
            taken.append((credential, version))
        return taken

    async def _inspect(self, holders: Sequence[tuple[Credential, Version]]) -> bool:
        """Ask once for all who hold the same login; one broken adapter stops neither the others nor the daemon."""
        credential, version = holders[0]
        async with self._asking:
            try:
                login = await self._ledger.login(version)
                found = await credential.provider.inspect(login)
                for holder, held in holders:
                    vendor = vendor_word(holder.config.provider, vendor_of(holder.config.registry))
                    self._habits[holder.name] = (held.fingerprint, tuple(password_lints(vendor, login)))
                return any([await self._learn(holder, held, found) for holder, held in holders])
            except NotFoundError:
                return False  # replaced twice meanwhile
            except StoreError as error:
                self._world.emit(StoreFailed("probe", error.code, str(error)))
            except Exception as error:  # noqa: BLE001 (as in the watch: a defect must not stop the daemon)
                self._world.emit(Crashed(f"inspection of {credential.name}", error))
        return False

    async def _learn(self, credential: Credential, version: Version, found: Inspection) -> bool:
        """Keep what was found out, unless the version was replaced meanwhile; return whether its expiry changed."""
        await self._ledger.amend(lambda: self._changes(credential, version, found))
        current = self._ledger.current(credential.name)
        if current is None or current.generation != version.generation:
            return False
        privilege = self.of(credential.name)
        is_news = current.expiry != version.expiry or privilege != self._said.get(credential.name)
        self._said[credential.name] = privilege
        text = "; ".join(lint.text for lint in privilege.lints)
        self._world.emit(VersionInspected(credential.name, current.generation, current.expiry, text, is_news))
        return current.expiry != version.expiry

    def _changes(self, credential: Credential, version: Version, found: Inspection) -> Changes:
        current = self._ledger.current(credential.name)
        if current is None or current.generation != version.generation:
            return Changes()
        known = learned(current, found, credential.provider.strategy)
        return Changes(versions=[known]) if known != current else Changes()
