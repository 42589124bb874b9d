"""Everything that happens, as server-sent events that say what to look at again.

Wire format: WHATWG HTML, section 9.2 "Server-sent events". Each event has a name and one JSON object: ``ready`` (first;
whatever was known before may be old), ``change`` (see `rotator.admin.changes`), ``lost`` (last; the reader was too slow
and is cut off: connect again). The same change many times within a moment is told once, so that ten thousand
deliveries to a target are a few lines.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import asdict, dataclass, field

from rotator import __version__
from rotator.admin.changes import Change, changes_of
from rotator.admin.progress import sse
from rotator.admin.surface import AdminSurface
from rotator.domain.events import Event

BEAT_SECONDS = 15.0
"""How often a silent stream says that it lives; proxies cut what is silent for a minute."""
PAUSE_SECONDS = 0.25
"""Between two tellings; what happens in between is told together."""
MAX_WAITING = 1000
"""Different changes that a reader may be behind; beyond it the reader is cut off."""
MAX_STREAM_SECONDS = 3600.0
"""A browser connects again by itself, and whoever lost their right is noticed."""

_RETRY = b"retry: 2000\n\n"
_BEAT = b": still here\n\n"


@dataclass(slots=True)
class Watcher:
    """One reader: what it was not told yet.

    Args:
        surface: The daemon.
        closing: Set when the server closes.
    """

    surface: AdminSurface
    closing: asyncio.Event
    _waiting: dict[Change, None] = field(default_factory=dict, init=False)
    _woken: asyncio.Event = field(default_factory=asyncio.Event, init=False)
    _is_lost: bool = field(default=False, init=False)

    def hear(self, event: Event) -> None:
        """Note what ``event`` may have changed. Does not block, and holds bounded memory however slow the reader is."""
        for change in changes_of(event):
            if len(self._waiting) >= MAX_WAITING and change not in self._waiting:
                self._is_lost = True
                self._waiting.clear()
            if not self._is_lost:
                self._waiting[change] = None
        self._woken.set()

    async def events(self) -> AsyncGenerator[bytes, None]:
        """Yield lines until the reader is too slow, the server closes, or an hour has passed."""
        clock = self.surface.clock
        with self.surface.listening(self.hear):
            yield _RETRY + sse("ready", {"version": __version__, "now": clock.now().isoformat()})
            until = clock.monotonic() + MAX_STREAM_SECONDS
            while clock.monotonic() < until:
                await self._wait(self._woken, BEAT_SECONDS)
                if self.closing.is_set():
                    return
                if self._is_lost:
                    yield sse("lost", {})
                    return
                yield self._take()
                await self._wait(self.closing, PAUSE_SECONDS)

    def _take(self) -> bytes:
        """Return what waits, in the order in which it came up first; a comment when nothing does."""
        self._woken.clear()
        told, self._waiting = self._waiting, {}
        return b"".join(sse("change", asdict(change)) for change in told) or _BEAT

    async def _wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait for ``event``, at most that long, and no longer than the server is open."""
        waits = [asyncio.create_task(one.wait()) for one in (event, self.closing)]
        try:
            await asyncio.wait(waits, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
