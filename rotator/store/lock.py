"""One daemon per state: a lock that the kernel drops when its holder dies, and a file that says who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rotator.errors import ConfigError


class StateLock:
    """An exclusive lock on one state.

    Args:
        path: The lock file; made when missing, never removed (removing it would let two daemons hold "the" lock).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self, holder: str) -> None:
        """Take the lock for ``holder``, a text that tells people which process this is.

        Raises:
            ConfigError: Another process holds it, named; or the file cannot be made.
        """
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise ConfigError(
                [f"state lock {self._path}: {error.strerror}"],
                hint="The daemon's user must be able to write in the directory of its state",
            ) from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            other = os.read(self._descriptor, 300).decode(errors="replace").strip() or "an unknown process"
            os.close(self._descriptor)
            self._descriptor = -1
            raise ConfigError(
                [f"the state {self._path.with_suffix('')} is in use by {other}"],
                hint="Only one daemon may run on one state. Stop that one first, or give this one another store.url",
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, holder.encode(), 0)

    def release(self) -> None:
        """Let go. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
