"""Which placements policy keeps credentials from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from rotator.domain.events import DeliveryRefused, Event
from rotator.engine.credential import DeliveryTarget


class Refusals:
    """Remembers what policy refused when placements were listed last. Follows from the configuration: not stored.

    Args:
        emit: Told once of each credential and placement.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._known: dict[str, Mapping[tuple[str, str], str]] = {}

    def note(self, target: DeliveryTarget, placements: Sequence[str]) -> None:
        """Take note of the placements that ``target`` has now."""
        before, now = self._known.get(target.name, {}), dict(_refused(target, placements))
        self._known[target.name] = now
        for credential, placement in now.keys() - before.keys():
            why = now[credential, placement]
            self._emit(DeliveryRefused(target.name, target.port.kind, placement, credential, why))

    def of(self, target: str, credential: str) -> tuple[str, ...]:
        """Return the placements of ``target`` that ``credential`` is kept from."""
        return tuple(placement for name, placement in self._known.get(target, {}) if name == credential)


def _refused(target: DeliveryTarget, placements: Sequence[str]) -> Iterator[tuple[tuple[str, str], str]]:
    for credential in target.only_in:
        for placement in placements:
            why = target.refusal(credential, placement)
            if why:
                yield (credential, placement), why
