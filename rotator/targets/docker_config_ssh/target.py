"""The target itself: one file on each of many hosts."""

from __future__ import annotations

import asyncio
import importlib.util
import posixpath
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.model import Entry, Held, Login
from rotator.domain.pull_secret import dump, held
from rotator.errors import ConfigError, ConflictError, FencedError, NotFoundError, UnavailableError
from rotator.targets.context import TargetContext
from rotator.targets.docker_config_ssh.config import DockerConfigSshConfig, split_host
from rotator.targets.docker_document import merged, parse_content, raised_fence, refuse_shadowed

if TYPE_CHECKING:
    from rotator.targets.docker_config_ssh.remote import RemoteFiles

WRITE_ATTEMPTS = 5
"""How often a write is redone because somebody else wrote in between."""
FILE_MODE = 0o600


class DockerConfigSshTarget:
    """Files on other hosts. A placement is a host, as configured.

    How many hosts are written at once is what ``concurrency`` of every target says.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.

    Raises:
        ConfigError: asyncssh is not installed.
    """

    Config = DockerConfigSshConfig
    kind = "docker_config_ssh"
    declares = Declares(readback=Proof.VALUE, effect=Effect.NEXT_PULL, concurrency=Concurrency.SERIALISED)

    def __init__(self, name: str, config: DockerConfigSshConfig, context: TargetContext) -> None:
        if importlib.util.find_spec("asyncssh") is None:
            mistake = f"targets.{name}: needs the Python package asyncssh, which is not installed"
            raise ConfigError([mistake], hint="Install rotator[ssh]")
        self.name = name
        self._config = config
        self._context = context

    async def placements(self) -> Sequence[str]:
        """Return the configured hosts. Asks nobody."""
        return self._config.hosts

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make the file on a host hold ``entries`` and read it back. Safe to repeat; unchanged is not written.

        Takes at most ``timeout``. A cancelled call leaves the old file or the new one.

        Raises:
            FencedError: A newer generation is there. ConflictError: Somebody keeps writing the file.
            UnsupportedError: A credential helper answers instead of the file; not a regular file; too large; no SFTP.
            ShapeError: The file is not what docker could read, or the key is none. PermanentError: The host's key is
            not the known one. AuthenticationError, PermissionDeniedError, NotFoundError, UnavailableError, ConfigError:
            As `remote.connected` and its files say. RotatorError: As the source of the key.
        """
        async with self._files(placement) as files:
            return await self._converge(files, placement, entries)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what the file on a host holds under the keys of ``entries``. Nothing when there is no file.

        Raises:
            As `apply`.
        """
        async with self._files(placement) as files:
            found = await files.read(self._config.path)
            document = parse_content(found.content if found else None, self._subject(placement))
            refuse_shadowed(document, self._subject(placement), entries, self._config.convention)
            return Held(held(document, entries, self._config.convention), changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every host. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: no connection outlives a call."""

    def _subject(self, placement: str) -> str:
        return f"{placement}:{self._config.path}"

    @asynccontextmanager
    async def _files(self, placement: str) -> AsyncIterator[RemoteFiles]:
        from rotator.targets.docker_config_ssh.remote import Host, connected  # noqa: PLC0415 (asyncssh is an extra)

        if placement not in self._config.hosts:
            raise NotFoundError(f"{placement} is not a host of target {self.name}")
        name, port = split_host(placement)
        seconds = self._config.timeout.total_seconds()
        try:
            async with asyncio.timeout(seconds):
                key = await self._context.sources[self._config.key.source].read(self._config.key.location)
                host = Host(name, port, self._config.user, key.secret, self._config.known_hosts)
                async with connected(host, self._subject(placement)) as files:
                    yield files
        except TimeoutError as error:
            raise UnavailableError(
                f"{self._subject(placement)}: nothing done in {seconds:g} s", cause="timeout"
            ) from error

    async def _converge(self, files: RemoteFiles, placement: str, entries: Sequence[Entry]) -> Held:
        path = await files.locate(self._config.path)
        for _ in range(WRITE_ATTEMPTS):
            try:
                return await self._once(files, path, self._subject(placement), entries)
            except FencedError:
                raise
            except ConflictError:
                continue
        raise ConflictError(f"{self._subject(placement)} was changed by somebody else, {WRITE_ATTEMPTS} times in a row")

    async def _once(self, files: RemoteFiles, path: str, subject: str, entries: Sequence[Entry]) -> Held:
        before = await files.read(path)
        document = parse_content(before.content if before else None, subject)
        refuse_shadowed(document, subject, entries, self._config.convention)
        wanted = merged(document, entries, self._config.convention)
        logins = held(document, entries, self._config.convention)
        await self._raise_fence(files, path, subject, logins, entries)
        if wanted == document:
            if before is not None and before.mode != FILE_MODE:
                await files.tighten(path)
            return Held(logins, changed=False)
        await files.replace(path, dump(wanted).encode("ascii"), before, self._unique())
        found = await files.read(path)
        return Held(held(parse_content(found.content if found else None, subject), entries, self._config.convention))

    async def _raise_fence(
        self, files: RemoteFiles, path: str, subject: str, logins: Mapping[str, Login], entries: Sequence[Entry]
    ) -> None:
        """Refuse what is older than the record beside the file says, else record ``entries`` before the file."""
        directory, name = posixpath.split(path)
        record = f"{directory}/.{name}.rotator.json"
        before = await files.read(record)
        content = raised_fence(before.content if before else None, subject, logins, entries)
        if content is not None:
            await files.replace(record, content, before, self._unique())

    def _unique(self) -> str:
        return f"{int(self._context.random() * (1 << 48)):012x}"
