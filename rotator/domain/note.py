"""What a destination was told of that needs a person, and what is news to it. Pure: time comes in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.domain.attention import Need, Severity

CLEAR_AFTER = timedelta(minutes=2)
"""What comes and goes within this is told once, and not as resolved: a flapping registry must not fill a channel."""

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a destination was told of and that it has not been told is over. Not secret.

    Args:
        destination: The destination's name.
        kind: As `rotator.domain.attention.Need`; the others, too.
        credential: The credential's name.
        about: The target, image or registry; empty where it is the credential itself.
        severity: As it was told.
        what: How it stood then, in a sentence.
        noticed_at: When it was first seen, aware UTC.
    """

    destination: str
    kind: str
    credential: str
    about: str
    severity: str
    what: str
    noticed_at: datetime

    @property
    def key(self) -> Key:
        """As `Need.key`."""
        return self.kind, self.credential, self.about


@dataclass(frozen=True, slots=True)
class Opened:
    """A need that the destination does not know of, or knows of as less severe.

    Args:
        need: The need.
        noticed_at: When it was first seen.
    """

    need: Need
    noticed_at: datetime


@dataclass(frozen=True, slots=True)
class News:
    """What a destination is to be told.

    Args:
        opened: What needs a person, worst first.
        resolved: What does not any more.
    """

    opened: tuple[Opened, ...] = ()
    resolved: tuple[Note, ...] = ()

    def __bool__(self) -> bool:
        """Return whether there is anything."""
        return bool(self.opened or self.resolved)


class Notebook:
    """What one destination was told. Not larger than what needs a person, so nothing queues up.

    Args:
        destination: Its name.
        least: The least severe need that it is told of.
        told: What it was told of before a restart.
    """

    def __init__(self, destination: str, least: Severity, told: Iterable[Note] = ()) -> None:
        self._destination = destination
        self._least = least
        self._told = {note.key: note for note in told}
        self._open: dict[Key, Opened] = {}
        self._gone: dict[Key, datetime] = {}

    def see(self, needs: Iterable[Need], now: datetime) -> None:
        """Take note of all that needs a person ``now``, worst first."""
        wanted = [need for need in needs if self._least is Severity.WARNING or need.severity is Severity.CRITICAL]
        known = {key: opened.noticed_at for key, opened in self._open.items()}
        known.update({key: note.noticed_at for key, note in self._told.items()})
        self._open = {need.key: Opened(need, known.get(need.key, now)) for need in wanted}
        self._gone = {key: self._gone.get(key, now) for key in self._told if key not in self._open}

    def news(self, now: datetime) -> News:
        """Return what the destination is to be told ``now``."""
        opened = tuple(one for key, one in self._open.items() if self._is_news(key, one.need))
        over = (self._told[key] for key, since in self._gone.items() if now - since >= CLEAR_AFTER)
        return News(opened, tuple(over))

    def tell(self, news: News) -> None:
        """Take note that the destination was told of ``news``."""
        for note in news.resolved:
            self._told.pop(note.key, None)
            self._gone.pop(note.key, None)
        for one in news.opened:
            need = one.need
            self._told[need.key] = Note(
                self._destination, need.kind, need.credential, need.about, need.severity, need.what, one.noticed_at
            )

    @property
    def told(self) -> tuple[Note, ...]:
        """All that the destination was told of and not told to be over."""
        return tuple(self._told.values())

    def _is_news(self, key: Key, need: Need) -> bool:
        note = self._told.get(key)
        return note is None or (need.severity is Severity.CRITICAL and note.severity != Severity.CRITICAL)
