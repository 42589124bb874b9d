"""One daemon per state: a lock that the kernel drops when its holder dies, and a file that says who holds it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from rotator.errors import ConfigError

_LONGEST_HOLDER_BYTES = 300


class StateLock:
    """An exclusive lock on one state.

    Args:
        path: The lock file; made when missing, never removed (removing it would let two daemons hold "the" lock).
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = -1

    def take(self, holder: str) -> None:
        """Take the lock for ``holder``, a text that tells people which process this is. Safe to repeat.

        Raises:
            ConfigError: Another process holds it, named; or the file cannot be made.
        """
        if self._descriptor >= 0:
            return
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise self._unusable(error) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, holder.encode(), 0)
        except BlockingIOError as error:
            other = os.read(descriptor, _LONGEST_HOLDER_BYTES).decode(errors="replace").strip()
            os.close(descriptor)
            raise ConfigError(
                [f"the state {self._path.with_suffix('')} is in use by {other or 'an unknown process'}"],
                hint="Only one daemon may run on one state. Stop that one first, or give this one another store.url",
            ) from error
        except OSError as error:  # a full disk, a file system without locks
            os.close(descriptor)
            raise self._unusable(error) from error
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go. Safe to repeat."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _unusable(self, error: OSError) -> ConfigError:
        return ConfigError(
            [f"state lock {self._path}: {error.strerror}"],
            hint="The daemon's user must be able to write in the directory of its state, which must be on a local disk",
        )
