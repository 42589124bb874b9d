"""The audit's second copy: a file of JSON lines that only grows, for whoever collects it."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from rotator.disk import Disk
from rotator.domain.audit import AuditRecord, render_plain
from rotator.errors import StoreError

# O_NONBLOCK: opening a FIFO that nobody reads would wait for ever.
FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
DEADLINE_SECONDS = 5.0
"""For one write: whatever the daemon wants to remember waits behind it."""


class AuditFile:
    """Appends to one file, mode 0600, and has each write on the disk before it returns.

    It is opened anew each time, so that it may be moved away while the daemon runs.

    Args:
        path: The file; its directory exists.
        disk: Where it is written; None for a thread of its own.
        seconds: Longest time for one write.
    """

    def __init__(self, path: Path, disk: Disk | None = None, seconds: float = DEADLINE_SECONDS) -> None:
        self._path = path
        self._disk = disk or Disk()
        self._seconds = seconds

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Append ``records``, all or none. See `rotator.ports.AuditCopy`.

        A write that is late may still arrive; until it has ended no other is begun.
        """
        lines = "".join(f"{render_plain(record)}\n" for record in records).encode()
        try:
            await self._disk.run(str(self._path), lambda: _append(self._path, lines), self._seconds)
        except OSError as error:
            raise StoreError(
                f"audit file {self._path} cannot be written ({error.strerror or error})",
                hint="Make room, or say audit: {on_failure: continue}; nothing begins without it",
            ) from error


def _append(path: Path, lines: bytes) -> None:
    file = os.open(path, FLAGS, 0o600)
    try:
        about = os.fstat(file)
        if not stat.S_ISREG(about.st_mode) or stat.S_IMODE(about.st_mode) & 0o077:
            raise PermissionError(0, "it is no plain file, or others than its owner can get at it")
        try:
            _write_all(file, lines)
        except OSError:
            os.ftruncate(file, about.st_size)  # half a line would spoil the next one
            raise
    finally:
        os.close(file)


def _write_all(file: int, lines: bytes) -> None:
    written = 0
    while written < len(lines):  # a disk with room for a part takes that part, and refuses the rest
        written += os.write(file, lines[written:])
    os.fsync(file)
