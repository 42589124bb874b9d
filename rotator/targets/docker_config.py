"""Keep logins in docker's ``config.json`` or podman's ``auth.json`` on this machine.

Read, merge, write, read back; under a lock, in a thread, atomically. Everything else in the file stays. The record of
generations beside it (``.config.json.rotator.json``) keeps an older daemon from undoing the work of a newer one.

Facts about the files: docker/cli ``cli/config`` (read 2026-08-20) and containers-auth.json(5).
"""

from __future__ import annotations

import asyncio
import grp
import os
import pwd
import threading
from typing import TYPE_CHECKING, Any, Literal

from pydantic import field_validator, model_validator

from rotator.config.target import TargetConfig
from rotator.disk import Disk
from rotator.domain.declares import Declares
from rotator.domain.model import Held
from rotator.domain.pull_secret import Convention, dump, held, parse_document
from rotator.domain.site import DOCKER_FILE, Site
from rotator.errors import (
    ConfigError,
    ConflictError,
    NotFoundError,
    ShapeError,
    UnavailableError,
)
from rotator.targets.atomic_file import Snapshot, heal, overwrite, read, replace, tighten
from rotator.targets.directory import Place, file_errors, locate, locked, make_directory, opened
from rotator.targets.docker_document import merged, parse_content, raised_fence, refuse_shadowed

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from rotator.domain.model import Entry, Login
    from rotator.targets.context import TargetContext

WRITE_ATTEMPTS = 5
"""How often a write is redone because somebody who does not lock (``docker login``) wrote in between."""
DEADLINE_SECONDS = 30.0
"""For one call once it is its turn, lock included: a dead network file system must not hold up a delivery."""

CLOSE_SECONDS = 5.0
"""For a write that was begun; the process may end after it."""


class DockerConfigConfig(TargetConfig):
    """Options of a ``docker_config`` target: files on this machine that hold registry logins."""

    type: Literal["docker_config"]
    """Docker and podman configuration files."""

    path: str | None = None
    """The file, absolute or beginning with ``~``. Give either this or ``paths``."""

    paths: tuple[str, ...] = ()
    """Several files that hold the same logins; each is a placement of its own."""

    convention: Convention = Convention.DOCKER
    """Who reads the files: ``docker`` (also nerdctl, watchtower, Nomad) or ``podman`` (also skopeo, buildah, CRI-O)."""

    inplace: bool = False
    """Rewrite the file in place instead of renaming over it. For a single file that is bind-mounted into a container:
    the container keeps the old file after a rename. Readers may see a half-written file for a moment. A file that is
    itself a mount point is found out without this."""

    owner: str | None = None
    """Owner of the files, ``user:group``, names or numbers; takes root. Without it the owner stays as it is, and a new
    file belongs to the owner of its directory."""

    roots: tuple[str, ...] = ()
    """Directories the files may really be in once every link is followed. Without it: each file's own directory, as
    it was when the daemon started."""

    @field_validator("path", "paths")
    @classmethod
    def _expand(cls, value: str | tuple[str, ...] | None) -> str | tuple[str, ...] | None:
        if value is None:
            return None
        return _absolute(value) if isinstance(value, str) else tuple(_absolute(path) for path in value)

    @field_validator("roots")
    @classmethod
    def _expand_roots(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple("/" if root == "/" else _absolute(root.removesuffix("/")) for root in value)

    @field_validator("owner")
    @classmethod
    def _check_owner(cls, value: str | None) -> str | None:
        if value is not None and not all(value.partition(":")):
            raise ValueError(f"{value!r} is not an owner; write user:group, for example deploy:docker or 1000:1000")
        return value

    @model_validator(mode="after")
    def _check_paths(self) -> DockerConfigConfig:
        if (self.path is None) == (not self.paths):
            raise ValueError("write either path, for one file, or paths, for several")
        if len(set(self.paths)) != len(self.paths):
            raise ValueError("paths names a file twice; remove one")
        return self

    def files(self) -> tuple[str, ...]:
        """Return every file, absolute, in configuration order."""
        return (self.path,) if self.path is not None else self.paths

    def sites(self) -> tuple[Site, ...]:
        """Return the files, each by where its links lead now."""
        option = "path" if self.path is not None else "paths"
        real = dict.fromkeys(os.path.realpath(path) for path in self.files())
        return tuple(Site(option, ("file", path), f"the file {path}", DOCKER_FILE) for path in real)


class DockerConfigTarget:
    """Files on this machine. A placement is the path of one file, as configured.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: Not needed: nothing here is reached over a network.
        disk: Where the files are written; None for threads of its own.

    Raises:
        ConfigError: ``owner`` names nobody on this machine.
    """

    Config = DockerConfigConfig
    kind = "docker_config"
    declares = Declares()

    def __init__(
        self,
        name: str,
        config: DockerConfigConfig,
        context: TargetContext,  # noqa: ARG002 - one signature for all targets
        disk: Disk | None = None,
    ) -> None:
        self.name = name
        self._config = config
        self._owner = _resolved(name, config.owner)
        self._roots = tuple(os.path.realpath(root) for root in config.roots) or tuple(
            os.path.realpath(os.path.dirname(path))  # noqa: PTH120 - text, as everything with dir_fd
            for path in config.files()
        )
        self._disk = disk or Disk()

    async def placements(self) -> Sequence[str]:
        """Return the configured paths. Asks nobody."""
        return self._config.files()

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make the file at ``placement`` hold ``entries`` and read it back. Safe to repeat; unchanged is not written.

        Takes at most `DEADLINE_SECONDS` from its turn on. A cancelled call may still finish its write, whole.

        Raises:
            FencedError: A newer generation is there. ConflictError: Somebody keeps writing the file.
            UnsupportedError: A credential helper answers instead of the file; not a regular file; too large.
            ShapeError: The file is not what docker could read; it is left as it is.
            PermissionDeniedError, NotFoundError, UnavailableError: As the operating system says, or locked.
        """
        return await self._in_thread(placement, lambda stop: self._apply(placement, entries, stop))

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what the file at ``placement`` holds under the keys of ``entries``. Nothing when there is no file.

        Raises:
            UnsupportedError: A credential helper answers instead of the file.
            ShapeError, PermissionDeniedError, UnavailableError: As `apply`.
        """
        return await self._in_thread(placement, lambda _: self._read(placement, entries))

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every file. Ends when it is cancelled or closed."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Wait a moment for a write whose caller went away, so that it is whole."""
        await self._disk.settle(CLOSE_SECONDS)

    async def _in_thread(self, placement: str, job: Callable[[threading.Event], Held]) -> Held:
        if placement not in self._config.files():
            raise NotFoundError(f"{placement} is not a file of target {self.name}")
        stop = threading.Event()
        try:
            return await self._disk.run(placement, lambda: job(stop), DEADLINE_SECONDS)
        except TimeoutError as error:
            hint = "is it on a network file system that does not answer?"
            raise UnavailableError(f"{placement}: nothing done in time: {error}", hint=hint, cause="timeout") from error
        finally:
            stop.set()

    def _apply(self, placement: str, entries: Sequence[Entry], stop: threading.Event) -> Held:
        place = locate(placement, self._roots)
        with file_errors(place.path):
            make_directory(place, self._owner)
            with opened(place) as directory, locked(directory, place, stop):
                heal(directory, place, _is_whole)
                return self._converge(directory, place, entries)

    def _read(self, placement: str, entries: Sequence[Entry]) -> Held:
        place = locate(placement, self._roots)
        try:
            with file_errors(place.path), opened(place) as directory:
                document = _document(read(directory, place.name), place)
        except NotFoundError:
            document = {}
        refuse_shadowed(document, place.path, entries, self._config.convention)
        return Held(self._held(document, entries), changed=False)

    def _converge(self, directory: int, place: Place, entries: Sequence[Entry]) -> Held:
        for _ in range(WRITE_ATTEMPTS):
            before = read(directory, place.name)
            document = _document(before, place)
            refuse_shadowed(document, place.path, entries, self._config.convention)
            self._raise_fence(directory, place, self._held(document, entries), entries)
            wanted = merged(document, entries, self._config.convention)
            if wanted == document:
                if before is not None:
                    tighten(directory, place.name, self._owner)
                return Held(self._held(document, entries), changed=False)
            try:
                self._write(directory, place, dump(wanted).encode("ascii"), before)
            except ConflictError:
                continue
            return Held(self._held(_document(read(directory, place.name), place), entries))
        raise ConflictError(f"{place.path} was changed by somebody else, {WRITE_ATTEMPTS} times in a row")

    def _write(self, directory: int, place: Place, content: bytes, before: Snapshot | None) -> None:
        if self._config.inplace and before is not None:
            overwrite(directory, place, content, before, self._owner)
        else:
            replace(directory, place, content, before, self._owner)

    def _raise_fence(self, directory: int, place: Place, logins: dict[str, Login], entries: Sequence[Entry]) -> None:
        """Refuse what is older than the record says, else record ``entries`` before they are written."""
        fence = Place(place.directory, place.sidecar("json"))
        before = read(directory, fence.name)
        record = raised_fence(before.content if before else None, place.path, logins, entries)
        if record is not None:
            replace(directory, fence, record, before)

    def _held(self, document: dict[str, Any], entries: Sequence[Entry]) -> dict[str, Login]:
        return held(document, entries, self._config.convention)


def _absolute(path: str) -> str:
    expanded = os.path.expanduser(path)  # noqa: PTH111 - text, as everything with dir_fd
    parts = expanded.split("/")
    if not expanded.startswith("/") or ".." in parts or "\0" in expanded or expanded.endswith("/"):
        raise ValueError(
            f"{path!r} is not a path of a file; write it from / or ~ on, without '..' and a '/' at its end"
        )
    return expanded


def _resolved(target: str, owner: str | None) -> tuple[int, int] | None:
    if owner is None:
        return None
    user, _, group = owner.partition(":")
    try:
        uid = int(user) if user.isdecimal() else pwd.getpwnam(user).pw_uid
        gid = int(group) if group.isdecimal() else grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise ConfigError([f"target {target}: owner {owner!r} names nobody on this machine"]) from error
    return uid, gid


def _document(snapshot: Snapshot | None, place: Place) -> dict[str, Any]:
    return parse_content(snapshot.content if snapshot else None, place.path)


def _is_whole(content: bytes) -> bool:
    """Return whether ``content`` is a complete document; an empty file is the first moment of a rewrite."""
    try:
        return bool(content.strip()) and isinstance(parse_document(content.decode()), dict)
    except (UnicodeDecodeError, ShapeError):
        return False
