"""`Sessions`: who is logged in to the status page, and proof that a form came from it. In memory only."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from rotator.admin.access import Caller
from rotator.ports import Clock

LIFETIME_SECONDS = 8 * 3600.0
"""A shift. Used or not, it ends then."""
MAX_SESSIONS = 256
"""More are not kept; the one that was opened longest ago is closed first."""


@dataclass(frozen=True, slots=True)
class _Session:
    caller: Caller
    until: float


class Sessions:
    """Sessions by the digest of their id; the ids themselves are not kept. A restart and a reload close all.

    Args:
        clock: Time.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._open: OrderedDict[bytes, _Session] = OrderedDict()

    def open(self, caller: Caller) -> str:
        """Return the id of a new session of ``caller``. Secret: whoever shows it is taken for them."""
        session = secrets.token_urlsafe(32)
        self._open[_digest(session)] = _Session(caller, self._clock.monotonic() + LIFETIME_SECONDS)
        if len(self._open) > MAX_SESSIONS:
            self._open.popitem(last=False)
        return session

    def find(self, shown: str) -> Caller | None:
        """Return whose session ``shown`` is; None when it is none, or not any more."""
        found = self._open.get(_digest(shown))
        return found.caller if found is not None and found.until > self._clock.monotonic() else None

    def close(self, shown: str) -> None:
        """End a session; of an unknown one nothing is left to end."""
        self._open.pop(_digest(shown), None)


class Seals:
    """Proves that a form was made by this page, for this caller, in this session, and for this one path."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def seal(self, caller: Caller, session: str, path: str) -> str:
        """Return what the form must carry. Tells nothing about the session."""
        text = f"{caller.via}\0{caller.name}\0{session}\0{path}"
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def is_sealed(self, shown: str, caller: Caller, session: str, path: str) -> bool:
        """Return whether ``shown`` is what `seal` returned for the same."""
        return hmac.compare_digest(shown.encode(), self.seal(caller, session, path).encode())


def _digest(session: str) -> bytes:
    return hashlib.sha256(session.encode()).digest()
