"""`FileSource`: secrets in files, such as systemd credentials or mounted Kubernetes Secrets."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from rotator.config.supervised import SUPERVISED_FOLDERS, forbidden_bits
from rotator.disk import Disk
from rotator.errors import (
    ConfigError,
    NotFoundError,
    PermissionDeniedError,
    RotatorError,
    ShapeError,
    UnavailableError,
)
from rotator.sources.reading import SourceReading, checked_secret

Found = TypeVar("Found")

MAX_FILE_BYTES = 1 << 20
DEADLINE = timedelta(seconds=10)
"""A local disk answers at once; a network file system that does not is an outage."""


@dataclass(frozen=True, slots=True)
class FileRules:
    """Which files are private enough.

    Args:
        allow_group_read: True accepts files that their group may read, as Kubernetes makes them with ``fsGroup``.
        readable_below: Folders whose files others may read (never write), because their owner cannot change it.
    """

    allow_group_read: bool = False
    readable_below: Sequence[Path] = SUPERVISED_FOLDERS

    def forbidden_bits(self, path: Path) -> int:
        """Return the permission bits that the file at ``path`` must not have."""
        allowed = stat.S_IRGRP if self.allow_group_read else 0
        return forbidden_bits(path, self.readable_below) & ~allowed


class FileSource:
    """Reads whole files (``/run/secrets/token``) or one key of a JSON object in a file (``/run/x.json#token``).

    Symbolic links are followed, so Kubernetes' mounts work. A revision is made of the file's time, inode and size.

    Args:
        rules: Which files are private enough.
        disk: Where the files are read; None for threads of its own.
        deadline: Longest time for one call.
    """

    def __init__(
        self, rules: FileRules | None = None, *, disk: Disk | None = None, deadline: timedelta = DEADLINE
    ) -> None:
        self._rules = rules or FileRules()
        self._disk = disk or Disk()
        self._deadline = deadline

    async def read(self, location: str) -> SourceReading:
        """Return what the file holds, without one newline at its end.

        Raises:
            NotFoundError: No such file or key. PermissionDeniedError: we may not read it, or too many others may.
            ShapeError: not a regular file, over 1 MiB, not UTF-8, not a JSON object, empty.
            UnavailableError: the file system did not answer. ConfigError: ``location`` is not a path.
        """
        path, key = parse_location(location)
        content, revision = await self._blocking(_read_file, path)
        text = _decoded(content, path)
        value = _without_newline(text) if key is None else _member(text, key, path)
        return SourceReading(checked_secret(value, location), revision)

    async def revision(self, location: str) -> str | None:
        """Return the revision without reading the file. Same errors as `read`, as far as they concern the file."""
        path, _ = parse_location(location)
        return await self._blocking(_stat_file, path)

    async def close(self) -> None:
        """Do nothing; no file stays open."""

    async def _blocking(self, act: Callable[[Path, FileRules], Found], path: Path) -> Found:
        try:
            return await self._disk.run(str(path), lambda: act(path, self._rules), self._deadline.total_seconds())
        except TimeoutError as error:
            raise UnavailableError(
                f"file {path}: the file system does not answer: {error}",
                hint="Look at the mount it is on; other files are not held up",
                cause="timeout",
            ) from error
        except OSError as error:
            raise _explained(path, error) from error


def parse_location(location: str) -> tuple[Path, str | None]:
    """Return the path and the key in ``path`` or ``path#key``; the key is None for the whole file.

    Raises:
        ConfigError: No path, a NUL in it, or nothing after ``#``.
    """
    path, mark, key = location.rpartition("#") if "#" in location else (location, "", "")
    if not path or "\0" in path or (mark and not key):
        raise ConfigError([f"file: {location!r} is not a path"], hint="Write /path/to/file or /path/to/file#key")
    return Path(path), key or None


def _read_file(path: Path, rules: FileRules) -> tuple[bytes, str]:
    # O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever.
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    try:
        status = os.fstat(handle)
        _check(path, status, rules)
        content = _content(handle)
    finally:
        os.close(handle)
    if len(content) > MAX_FILE_BYTES:
        raise _too_large(path)
    return content, _revision(status)


def _content(handle: int) -> bytes:
    """Return the content, or one byte more than is allowed: a file may grow after its size was looked at."""
    chunks, room = [], MAX_FILE_BYTES + 1
    while room and (chunk := os.read(handle, room)):
        chunks.append(chunk)
        room -= len(chunk)
    return b"".join(chunks)


def _stat_file(path: Path, rules: FileRules) -> str:
    status = path.stat()
    _check(path, status, rules)
    return _revision(status)


def _revision(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns}-{status.st_ino}-{status.st_size}"


def _check(path: Path, status: os.stat_result, rules: FileRules) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise ShapeError(f"file {path} is not a regular file", hint="Name a file; folders and pipes are not read")
    if stat.S_IMODE(status.st_mode) & rules.forbidden_bits(path):
        raise PermissionDeniedError(
            f"file {path} has mode {stat.S_IMODE(status.st_mode):04o}, so others than its owner can get at it",
            hint=f"chmod 600 {path}",
        )
    if status.st_size > MAX_FILE_BYTES:
        raise _too_large(path)


def _too_large(path: Path) -> ShapeError:
    return ShapeError(f"file {path} is larger than {MAX_FILE_BYTES} bytes", hint="That is no secret; check the path")


def _decoded(content: bytes, path: Path) -> str:
    """Return the text; the decoder's own error is left behind, since it carries the content."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        pass
    raise ShapeError(f"file {path} is not UTF-8 text", hint="Store the secret as text; encode binary as base64")


def _without_newline(text: str) -> str:
    return text.removesuffix("\r\n") if text.endswith("\r\n") else text.removesuffix("\n")


def _member(text: str, key: str, path: Path) -> object:
    members = _parsed(text)
    if not isinstance(members, dict):
        raise ShapeError(f"file {path} does not hold a JSON object", hint=f"Leave #{key} out to read the whole file")
    if key not in members:
        names = ", ".join(sorted(map(repr, members))) or "none"
        raise NotFoundError(f"file {path} has no key {key!r}; it has: {names}")
    return members[key]


def _parsed(text: str) -> object:
    """Return the JSON value, or None; the parser's own error is left behind, since it carries the content."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _explained(path: Path, error: OSError) -> RotatorError:
    reason = error.strerror or type(error).__name__
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return NotFoundError(f"file {path} does not exist")
    if isinstance(error, PermissionError):
        return PermissionDeniedError(f"file {path}: {reason}", hint="Give the daemon's user the right to read it")
    return UnavailableError(f"file {path}: {reason}", hint="Look at the file system it is on", cause="protocol")
