"""`StepTimes`: remembers how long the steps of the latest rotations took; the journal keeps only how far they came."""

from __future__ import annotations

from collections import OrderedDict

from rotator.domain.events import Event, StepFinished

MAX_ROTATIONS = 500
"""More are not remembered; the one that began longest ago is forgotten first."""


class StepTimes:
    """A hook that notes durations. What was before it began to listen, it does not know."""

    def __init__(self) -> None:
        self._seconds: OrderedDict[str, dict[str, float]] = OrderedDict()

    def __call__(self, event: Event) -> None:
        """Note a step that ended; a step that was done again after a restart counts with its last duration."""
        if not isinstance(event, StepFinished):
            return
        self._seconds.setdefault(event.rotation, {})[event.step] = event.seconds
        if len(self._seconds) > MAX_ROTATIONS:
            self._seconds.popitem(last=False)

    def of(self, rotation: str) -> dict[str, float]:
        """Return the seconds of each step of ``rotation`` that ended well; empty when nothing is known of it."""
        return dict(self._seconds.get(rotation, {}))
