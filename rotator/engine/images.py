"""Looks whether the configured images still pull with the versions in use, and remembers what the registries said.

One look is a manifest HEAD, and a GET for the words of a refusal. Credentials that share a login share its looks, and
where a limit is known all looks with a login together stay below a hundredth of it, although Docker Hub says that a
HEAD costs nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from rotator.config.image import Image
from rotator.domain.events import Crashed, Event, ImageLookedAt, StoreFailed, VersionPromoted
from rotator.domain.headroom import Counted, Headroom, fair_pause
from rotator.domain.image import ImageStatus
from rotator.domain.model import Version
from rotator.domain.verdict import Finding, Verdict
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.engine.pause import pause
from rotator.engine.surroundings import Surroundings
from rotator.errors import NotFoundError, StoreError
from rotator.registry.advice import Ailment

LONGEST_TICK = timedelta(seconds=15)
"""How often it is looked what is due; a new version is looked at without waiting for that."""

AT_ONCE = 4
"""Logins with which images are looked at at the same time."""

LOOK_REQUESTS = 2
"""Requests for manifests that one look takes at most."""

SPREAD = 0.1
"""Share of the interval by which looks come earlier at random, so that they do not stay together."""

_REFUSED = Finding("", Verdict.REJECTED, "not asked, because the registry refuses the login", None, Ailment.AUTH_FAILED)

_Login = tuple[str, str, str]
"""Registry, user name and fingerprint."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What is looked at with one login.

    Args:
        key: The login.
        credential: One that has it, to ask as.
        version: The version of that one.
        images: Reference to each credential that names it, and under which id.
    """

    key: _Login
    credential: Credential
    version: Version
    images: dict[str, list[tuple[str, Image]]] = field(default_factory=dict)


class ImageWatch:
    """Looks at each image once an interval, and at once after a new version came into use.

    Args:
        credentials: All configured ones, by name.
        ledger: Knows the logins.
        world: Clock, verifier, and who is told.
        interval: Time between two looks at the same image, where no limit asks for more.
        limit_of: Returns the last known limit of a credential's login; None when none is known.
    """

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        ledger: Ledger,
        world: Surroundings,
        interval: timedelta,
        limit_of: Callable[[str], Headroom | None],
    ) -> None:
        self._credentials = credentials
        self._ledger = ledger
        self._world = world
        self._interval = interval.total_seconds()
        self._limit_of = limit_of
        self._statuses: dict[tuple[str, str], ImageStatus] = {}
        self._due_at: dict[tuple[_Login, str], float] | None = None
        self._spent_until: dict[tuple[str, ...], float] = {}
        self._refused: dict[str, tuple[_Login, datetime | None]] = {}
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._news = asyncio.Event()

    def __call__(self, event: Event) -> None:
        """Look at once after a new version came into use. A `rotator.ports.Hook`."""
        if isinstance(event, VersionPromoted):
            self._news.set()

    async def run(self) -> None:
        """Look for ever; cancel to stop."""
        while True:
            self._news.clear()
            await self.poll()
            await pause(self._world.clock, LONGEST_TICK.total_seconds(), self._news)

    def of(self, name: str) -> tuple[ImageStatus, ...]:
        """Return how each image of a credential stands, in configuration order. Safe in any thread."""
        images = self._credentials[name].config.images
        return tuple(self._statuses.get((name, one.id)) or ImageStatus(one.id, str(one)) for one in images)

    async def poll(self) -> None:
        """Look at every image that is due."""
        groups = self._groups()
        now = self._world.clock.monotonic()
        self._spent_until = {purse: until for purse, until in self._spent_until.items() if until > now}
        keys = [(group.key, reference) for group in groups for reference in group.images]
        if self._due_at is None:  # a start is no reason to look at all at once where a limit is small
            self._due_at = dict.fromkeys(keys, now)
        self._due_at = {key: due for key, due in self._due_at.items() if key in set(keys)}
        looks = [(group, self._take(group, self._due_at, now)) for group in groups]
        await asyncio.gather(*(self._look(group, references) for group, references in looks if references))

    def _groups(self) -> Sequence[_Group]:
        """Return what may be looked at now; a login that the registry refuses is not shown again for this."""
        groups: dict[_Login, _Group] = {}
        for name, credential in self._credentials.items():
            version = self._ledger.current(name)
            if version is None:
                continue
            key = (credential.config.registry, version.username, version.fingerprint)
            if version.rejected_at is not None or self._is_kept_back(name, version, key):
                self._note_refusal(name, credential.config.images)
                continue
            group = groups.setdefault(key, _Group(key, credential, version))
            for image in credential.config.images:
                group.images.setdefault(str(image), []).append((name, image))
        return list(groups.values())

    def _is_kept_back(self, name: str, version: Version, key: _Login) -> bool:
        """Return whether the login was refused, and no probe has found it accepted since, whatever the clock says."""
        return self._refused.get(name) == (key, version.verified_at)

    def _note_refusal(self, name: str, images: Sequence[Image]) -> None:
        for image in images:
            known = self._statuses.get((name, image.id))
            if known is None or known.reason != Ailment.AUTH_FAILED:
                self._keep(name, image, replace(_REFUSED, verdict=Verdict.CANNOT_TELL))

    def _take(self, group: _Group, due_at: dict[tuple[_Login, str], float], now: float) -> Sequence[str]:
        """Return the images to look at now, and note when they and the others with this login are next."""
        new = [one for one in group.images if (group.key, one) not in due_at]
        due = [one for one in group.images if due_at.get((group.key, one), now + 1) <= now]
        limit = self._limit(group)
        wait = fair_pause(limit, LOOK_REQUESTS).total_seconds()
        purse = group.key[:1] if limit is not None and limit.source is Counted.ADDRESS else group.key[:2]
        spent_until = self._spent_until.get(purse, now)
        if wait:
            due = sorted(due, key=lambda one: due_at[group.key, one])[: 1 if spent_until <= now else 0]
        taken = [*new, *due]
        if taken:
            self._spent_until[purse] = max(spent_until, now) + wait * len(taken)
        next_at = now + self._interval * (1 - SPREAD * self._world.random())
        due_at.update({(group.key, one): next_at for one in taken})
        return taken

    def _limit(self, group: _Group) -> Headroom | None:
        """Return the tightest limit that is known for the login."""
        names = {name for holders in group.images.values() for name, _ in holders}
        known = [limit for name in names if (limit := self._limit_of(name)) is not None]
        return max(known, key=lambda one: fair_pause(one, LOOK_REQUESTS), default=None)

    async def _look(self, group: _Group, references: Sequence[str]) -> None:
        """Look once; one broken registry or adapter stops neither the others nor the daemon."""
        async with self._asking:
            try:
                login = await self._ledger.login(group.version)
                found = await self._world.verifier.look(group.credential.provider, login, references)
            except NotFoundError:
                return  # replaced twice meanwhile
            except StoreError as error:
                self._world.emit(StoreFailed("probe", error.code, str(error)))
            except Exception as error:  # noqa: BLE001 (as in the watch: a defect must not stop the daemon)
                self._world.emit(Crashed(f"images of {group.credential.name}", error))
            else:
                for reference, finding in zip(references, found, strict=True):
                    self._found(group, reference, finding)

    def _found(self, group: _Group, reference: str, finding: Finding) -> None:
        if finding.retry_after is not None and self._due_at is not None:
            until = self._world.clock.monotonic() + finding.retry_after
            self._due_at[group.key, reference] = max(self._due_at.get((group.key, reference), until), until)
        for name, image in group.images[reference]:
            current = self._ledger.current(name)
            if current is not None and current.fingerprint == group.version.fingerprint:
                self._keep(name, image, finding)
        if finding.verdict is Verdict.REJECTED:
            self._keep_back(group)

    def _keep_back(self, group: _Group) -> None:
        """Have the login shown for no credential that has it, until a probe finds it accepted: by that alone."""
        for name in {name for holders in group.images.values() for name, _ in holders}:
            current = self._ledger.current(name)
            self._refused[name] = (group.key, current.verified_at if current is not None else None)

    def _keep(self, name: str, image: Image, finding: Finding) -> None:
        """Remember what was found; what could not be told leaves the last known value."""
        now = self._world.clock.now()
        before = self._statuses.get((name, image.id)) or ImageStatus(image.id, str(image))
        status = replace(before, reason=finding.reason, message=finding.evidence, looked_at=now)
        if finding.verdict is not Verdict.CANNOT_TELL:
            status = replace(status, is_pullable=finding.verdict is Verdict.ACCEPTED, told_at=now)
        self._statuses[name, image.id] = status
        is_news = (before.is_pullable, before.reason) != (status.is_pullable, status.reason)
        self._world.emit(ImageLookedAt(name, image.id, finding.verdict, finding.reason, finding.evidence, is_news))
