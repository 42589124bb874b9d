"""Tells listeners what happened. A listener that fails is cut off from nothing but its own event."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from rotator.domain.events import Event
from rotator.ports import Hook


class Hooks:
    """Hands each event to every listener, in the order in which they were added."""

    def __init__(self) -> None:
        self._hooks: list[Hook] = []
        self.failures = 0

    def __call__(self, event: Event) -> None:
        """Tell every listener of ``event``. Never raises."""
        for hook in tuple(self._hooks):
            try:
                hook(event)
            except Exception:  # noqa: BLE001 (a broken metric or log line must not stop a rotation)
                self.failures += 1
                sys.stderr.write(f"a listener failed on {type(event).__name__}\n")

    def add(self, *hooks: Hook) -> None:
        """Have ``hooks`` told of everything from now on, in this order."""
        self._hooks.extend(hooks)

    @contextmanager
    def listening(self, hook: Hook) -> Iterator[None]:
        """Have ``hook`` told of everything while the block runs."""
        self._hooks.append(hook)
        try:
            yield
        finally:
            self._hooks.remove(hook)
