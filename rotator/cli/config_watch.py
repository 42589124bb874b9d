"""`ConfigWatch`: notices that the configuration's files changed, or that somebody asks to read them again."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rotator.ports import Clock

POLL_SECONDS = 5.0

Signature = tuple[tuple[str, int, int, int], ...]
"""Name, modification time in nanoseconds, inode and size of each file."""


def signature(path: Path) -> Signature:
    """Return what changes whenever the file, or a file of the directory, does. Empty when it cannot be read."""
    try:
        files = sorted(file for file in path.iterdir() if file.name[0] != ".") if path.is_dir() else [path]
        about = [(file.name, file.stat()) for file in files]
    except OSError:
        return ()
    return tuple((name, one.st_mtime_ns, one.st_ino, one.st_size) for name, one in about)


class ConfigWatch:
    """Looks at the files every few seconds.

    Args:
        path: File or directory.
        clock: For the pauses.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._asked = asyncio.Event()
        self._known = signature(path)

    def ask(self) -> None:
        """Have `changed` return now, whether anything changed or not."""
        self._asked.set()

    async def changed(self) -> None:
        """Return once the files differ from when this last returned, and have been quiet for one look.

        A file that is being written is thus not read half-way. Files that are gone are not a change.
        """
        before = self._known
        while not self._asked.is_set():
            await self._pause()
            seen = await asyncio.to_thread(signature, self._path)
            if seen and seen != self._known and seen == before:
                break
            before = seen
        self._asked.clear()
        self._known = await asyncio.to_thread(signature, self._path)

    async def _pause(self) -> None:
        asked = asyncio.create_task(self._asked.wait())
        pause = asyncio.create_task(self._clock.sleep(POLL_SECONDS))
        try:
            await asyncio.wait({asked, pause}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            asked.cancel()
            pause.cancel()
