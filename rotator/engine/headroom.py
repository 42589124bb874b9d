"""Asks registries what is left of their pull limits, keeps what they told, and foretells the end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta

from rotator.domain.events import Crashed, Event, HeadroomAsked, StoreFailed
from rotator.domain.forecast import exhaustion
from rotator.domain.headroom import ANONYMOUS, Headroom, HeadroomState, LimitStatus, Sample, fair_pause
from rotator.domain.model import Version
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.errors import AuthenticationError, RotatorError, StoreError, TemporaryError
from rotator.ports import Changes, Clock, MeasuresHeadroom

LONGEST_TICK = timedelta(seconds=15)
"""How often it is looked whom to ask: a credential whose first version just came is not kept waiting."""

AT_ONCE = 4
"""Registries asked at the same time."""

_UNKNOWN = Headroom(HeadroomState.UNKNOWN)


@dataclass(slots=True)
class _Gauge:
    """One limit that is measured.

    Args:
        host: Whose limit it is: the registry's host, or that of its vendor's API.
        name: Name of the credential that asks, or `ANONYMOUS`.
        port: Whom to ask.
        due_at: Not asked before this monotonic second.
        refused: The generation that was refused; it is not shown again. 0 for none.
    """

    host: str
    name: str
    port: MeasuresHeadroom
    due_at: float = 0.0
    refused: int = 0


class HeadroomWatch:
    """Measures each limit once an interval: one per vendor's identity, and one without a login per registry.

    Args:
        credentials: All configured ones, by name; those whose provider cannot measure are passed over.
        ledger: Knows the logins, keeps the samples.
        clock: Time.
        emit: Told of every answer.
        interval: Time between two questions about the same limit.
    """

    def __init__(
        self,
        credentials: Mapping[str, Credential],
        ledger: Ledger,
        clock: Clock,
        emit: Callable[[Event], None],
        interval: timedelta,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._emit = emit
        self._interval = interval
        self._measured_by = _measured_by(credentials)
        self._gauges = list(_gauges(credentials, self._measured_by))
        self._asking = asyncio.Semaphore(AT_ONCE)
        self._limits: tuple[LimitStatus, ...] = ()
        self._show()

    async def run(self) -> None:
        """Measure for ever; cancel to stop."""
        while True:
            await self.poll()
            await self._clock.sleep(min(self._interval, LONGEST_TICK).total_seconds())

    async def poll(self) -> None:
        """Ask about every limit that is due."""
        now = self._clock.monotonic()
        await asyncio.gather(*(self._measure(one) for one in self._gauges if one.due_at <= now))

    def limits(self) -> tuple[LimitStatus, ...]:
        """Return the last known value of each limit that was ever told. Safe in any thread."""
        return self._limits

    def limit_of(self, credential: str) -> Headroom | None:
        """Return the last known limit of a credential's login; None when none is known."""
        gauge = self._measured_by.get(credential)
        samples = self._ledger.samples(gauge.host, gauge.name) if gauge is not None else ()
        return samples[-1].headroom if samples else None

    async def _measure(self, gauge: _Gauge) -> None:
        """Ask once; one broken registry or adapter stops neither the others nor the daemon."""
        async with self._asking:
            try:
                await self._ask(gauge)
            except StoreError as error:
                self._emit(StoreFailed("probe", error.code, str(error)))
            except Exception as error:  # noqa: BLE001 (as in the watch: a defect must not stop the daemon)
                self._emit(Crashed(f"headroom of {gauge.host}", error))

    async def _ask(self, gauge: _Gauge) -> None:
        version = self._ledger.current(gauge.name)
        if gauge.name != ANONYMOUS and (version is None or _is_refused(version, gauge)):
            return
        gauge.due_at = self._clock.monotonic() + self._interval.total_seconds()
        try:
            login = None if version is None else await self._ledger.login(version)
            found = await gauge.port.headroom(login)
        except RotatorError as error:
            self._failed(gauge, version, error)
        else:
            pause = fair_pause(found, gauge.port.limit_cost).total_seconds()
            gauge.due_at = max(gauge.due_at, self._clock.monotonic() + pause)
            await self._told(gauge, found)

    def _failed(self, gauge: _Gauge, version: Version | None, error: RotatorError) -> None:
        """Keep away for as long as was asked; a version that was refused is not shown again."""
        if isinstance(error, AuthenticationError) and version is not None:
            gauge.refused = version.generation
        if isinstance(error, TemporaryError) and error.retry_after is not None:
            gauge.due_at = max(gauge.due_at, self._clock.monotonic() + error.retry_after.total_seconds())
        self._emit(HeadroomAsked(gauge.host, gauge.name, _UNKNOWN, error.code, str(error)))

    async def _told(self, gauge: _Gauge, found: Headroom) -> None:
        """Keep what was told; what is unknown leaves the last value in place."""
        if found.state is not HeadroomState.UNKNOWN:
            sample = Sample(gauge.host, gauge.name, self._clock.now(), found)
            await self._ledger.commit(Changes(samples=[sample]))
            self._show()
        self._emit(HeadroomAsked(gauge.host, gauge.name, found))

    def _show(self) -> None:
        kept = (self._ledger.samples(one.host, one.name) for one in self._gauges)
        self._limits = tuple(LimitStatus(samples[-1], exhaustion(samples)) for samples in kept if samples)


def _is_refused(version: Version, gauge: _Gauge) -> bool:
    return version.rejected_at is not None or version.generation == gauge.refused


def _measured_by(credentials: Mapping[str, Credential]) -> dict[str, _Gauge]:
    """Return what measures each credential's login: one gauge for all with the same identity, named for the first."""
    gauges: dict[str, _Gauge] = {}
    found = {}
    for name, credential in credentials.items():
        provider = credential.provider
        if isinstance(provider, MeasuresHeadroom) and provider.limit_host:
            found[name] = gauges.setdefault(provider.identity, _Gauge(provider.limit_host, name, provider))
    return found


def _gauges(credentials: Mapping[str, Credential], measured_by: Mapping[str, _Gauge]) -> Iterator[_Gauge]:
    """Yield what is measured, and each registry that tells it itself without a login, too.

    A credential that is itself called `ANONYMOUS` leaves no room for the latter.
    """
    registries = set[str]()
    for name, gauge in measured_by.items():
        if gauge.name == name:
            yield gauge
        registry = credentials[name].config.registry
        if gauge.host == registry and registry not in registries and ANONYMOUS not in credentials:
            registries.add(registry)
            yield _Gauge(registry, ANONYMOUS, gauge.port)
