"""Small secret files on another host: read, and replaced in one step.

Source: SFTP as OpenSSH speaks it (draft-ietf-secsh-filexfer-02, its PROTOCOL for ``posix-rename@openssh.com`` and
``fsync@openssh.com``; tried with OpenSSH 9.2 on 2026-11-28). Plain SFTP refuses to rename over a file that exists.
"""

from __future__ import annotations

import posixpath
import stat
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field

import asyncssh

from rotator.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.secret import Secret

MAX_BYTES = 1 << 20
"""A configuration file is a few kilobytes; whatever is larger is not one."""
FILE_MODE = 0o600
DIRECTORY_MODE = 0o700


@dataclass(frozen=True, slots=True)
class Host:
    """A host, and how to get in.

    Args:
        name: Name or address.
        port: Its SSH port.
        user: As whom.
        key: The private key. Secret.
        known_hosts: Path of the file with the hosts' keys.
    """

    name: str
    port: int
    user: str
    key: Secret
    known_hosts: str

    def __str__(self) -> str:
        """Return ``user@name`` for messages."""
        return f"{self.user}@{self.name}"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file as it was read; two are equal when nobody wrote it in between, as far as SFTP shows that.

    Args:
        content: All its bytes. Secret.
        written_at: Seconds since 1970 of the latest write, by the host's clock.
        owner: User and group ID; None where the host does not tell.
        mode: Permissions.
    """

    content: bytes = field(repr=False)
    written_at: int | None
    owner: tuple[int, int] | None
    mode: int


@asynccontextmanager
async def connected(host: Host, subject: str) -> AsyncIterator[RemoteFiles]:
    """Log in on ``host`` and hand over its files. Nothing of the daemon's own SSH configuration or agent is used.

    Raises:
        PermanentError: The host's key is not the known one, or no key of it is known.
        AuthenticationError: It does not let us in. ShapeError: What was read is no private key.
        ConfigError: ``known_hosts`` cannot be read. UnavailableError: It is not reached, or the connection breaks.
        UnsupportedError: It offers no SFTP.
    """
    with _errors(subject, host):
        known = _known_hosts(host)
        async with (
            asyncssh.connect(
                host.name,
                host.port,
                username=host.user,
                client_keys=[_private_key(host, subject)],
                known_hosts=known,
                config=None,
                agent_path=None,
                preferred_auth="publickey",
                gss_host=None,
            ) as connection,
            connection.start_sftp_client() as client,
        ):
            yield RemoteFiles(client, subject)


class RemoteFiles:
    """Files of one host, during one connection.

    Args:
        client: The SFTP session.
        subject: What is written where, for messages.
    """

    def __init__(self, client: asyncssh.SFTPClient, subject: str) -> None:
        self._client = client
        self._subject = subject

    async def locate(self, path: str) -> str:
        """Return where ``path`` really ends, every link followed. Its directory is made when it alone is missing.

        Raises:
            NotFoundError: More than the directory is missing.
            PermissionDeniedError: Everybody may write in the directory.
        """
        above, name = posixpath.split(path)
        directory = await self._directory(above or ".")
        real = await self._real(f"{directory}/{name}")
        inside = posixpath.dirname(real)
        mode = (await self._client.stat(inside)).permissions or 0
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            raise PermissionDeniedError(
                f"{self._subject}: {inside} may be written by everybody, who could replace the file",
                hint=f"chmod o-w {inside}",
            )
        return real

    async def read(self, path: str) -> Snapshot | None:
        """Return the file; None when there is none.

        Raises:
            UnsupportedError: It is not a regular file, or larger than `MAX_BYTES`.
        """
        try:
            async with self._client.open(path, "rb", encoding=None) as file:
                facts = await file.stat()
                if not stat.S_ISREG(facts.permissions or 0):
                    raise UnsupportedError(f"{self._subject}: {path} is not a regular file")
                content = bytes(await file.read(MAX_BYTES + 1))  # type: ignore[arg-type]  # bytes, without an encoding
        except asyncssh.SFTPNoSuchFile:
            return None
        if len(content) > MAX_BYTES:
            raise UnsupportedError(f"{self._subject}: {path} is larger than {MAX_BYTES} bytes")
        mode = stat.S_IMODE(facts.permissions or 0)
        owner = None if facts.uid is None or facts.gid is None else (facts.uid, facts.gid)
        return Snapshot(content, facts.mtime, owner, mode)

    async def replace(self, path: str, content: bytes, before: Snapshot | None, unique: str) -> None:
        """Put ``content`` in the place of ``path``, mode 0600, in one step; durably where the host can promise that.

        Args:
            path: The file.
            content: Its new bytes. Secret.
            before: What was read; None when there was no file.
            unique: A few letters or digits that no other writer uses.

        Raises:
            ConflictError: Somebody wrote the file since it was read; nothing was changed.
            UnsupportedError: The host cannot rename over a file. PermissionDeniedError: The file is somebody else's.
        """
        await self._sweep(path)
        temporary = _temporary(path, unique)
        try:
            await self._create(temporary, content, before)
            if await self.read(path) != before:
                raise ConflictError(f"{self._subject} was changed by somebody else in between")
            await self._client.posix_rename(temporary, path)
        except asyncssh.SFTPOpUnsupported as error:
            raise UnsupportedError(
                f"{self._subject}: the host cannot rename over a file",
                hint="posix-rename@openssh.com is needed; OpenSSH has it",
            ) from error
        except asyncssh.SFTPNoSuchFile as error:
            raise ConflictError(f"{self._subject}: another writer took the temporary file away") from error
        finally:
            with suppress(asyncssh.Error, OSError):
                await self._client.remove(temporary)

    async def tighten(self, path: str) -> None:
        """Give the file mode 0600. Safe to repeat."""
        await self._client.chmod(path, FILE_MODE)

    async def _directory(self, path: str) -> str:
        """Return where a directory really is; it is made when it alone is missing."""
        try:
            real = await self._real(path)
            if not await self._client.exists(real):
                await self._client.mkdir(real, asyncssh.SFTPAttrs(permissions=DIRECTORY_MODE))
        except asyncssh.SFTPNoSuchFile as error:
            raise NotFoundError(
                f"{self._subject}: the directories above {path} do not exist",
                hint="create them; only the last one is made for you",
            ) from error
        return real

    async def _real(self, path: str) -> str:
        return str(await self._client.realpath(path)).rstrip("/") or "/"

    async def _create(self, path: str, content: bytes, before: Snapshot | None) -> None:
        """Create ``path`` with ``content``, closed to others before the first byte is in it."""
        closed = asyncssh.SFTPAttrs(permissions=FILE_MODE)
        async with self._client.open(path, "xb", closed, encoding=None) as file:
            await file.chmod(FILE_MODE)
            await self._settle_owner(file, before)
            await file.write(content)
            with suppress(asyncssh.SFTPOpUnsupported):
                await file.fsync()

    async def _settle_owner(self, file: asyncssh.SFTPClientFile, before: Snapshot | None) -> None:
        """Keep the owner of the file that is replaced; the group does not matter at mode 0600."""
        facts = await file.stat()
        if before is None or before.owner is None or before.owner[0] == facts.uid:
            return
        try:
            await file.chown(*before.owner)
        except asyncssh.SFTPError as error:
            raise PermissionDeniedError(
                f"{self._subject}: the file belongs to user {before.owner[0]}, who could no longer read it",
                hint="Log in as that user",
            ) from error

    async def _sweep(self, path: str) -> None:
        """Remove what a writer that was interrupted left. One that is at work takes that for a conflict."""
        directory, name = posixpath.split(path)
        for found in await self._client.listdir(directory):
            if str(found).startswith(f".{name}.rotator.") and str(found).endswith(".tmp"):
                with suppress(asyncssh.SFTPNoSuchFile):
                    await self._client.remove(f"{directory}/{found}")


def _temporary(path: str, unique: str) -> str:
    directory, name = posixpath.split(path)
    return f"{directory}/.{name}.rotator.{unique}.tmp"


def _known_hosts(host: Host) -> asyncssh.SSHKnownHosts:
    try:
        return asyncssh.read_known_hosts(host.known_hosts)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no file of host keys"
        raise ConfigError([f"{host.known_hosts} cannot be used ({reason})"]) from None


def _private_key(host: Host, subject: str) -> asyncssh.SSHKey:
    try:
        return asyncssh.import_private_key(host.key.reveal())
    except (asyncssh.KeyImportError, asyncssh.KeyEncryptionError):
        pass
    # Raised here, outside of the handler: the importer's error may quote what it choked on.
    raise ShapeError(
        f"{subject}: what was read is no private key of SSH without a passphrase",
        hint="ssh-keygen -t ed25519 -N '' -f key makes one; take the file without .pub",
    )


@contextmanager
def _errors(subject: str, host: Host) -> Iterator[None]:
    """Translate what asyncssh says about ``host``. Texts of the host go nowhere but into the chain of known classes."""
    try:
        yield
    except asyncssh.HostKeyNotVerifiable as error:
        raise PermanentError(
            f"{subject}: the host's key is not in {host.known_hosts}, or is another one; nothing was sent",
            hint=f"ssh-keyscan -p {host.port} {host.name} shows it; compare it with the host's own before you add it",
        ) from error
    except asyncssh.PermissionDenied:
        raise AuthenticationError(
            f"{subject}: {host} does not accept our key", hint="Is its public half in authorized_keys there?"
        ) from None
    except asyncssh.SFTPPermissionDenied:
        raise PermissionDeniedError(
            f"{subject}: permission denied", hint="check the owner and mode of the file and its directory"
        ) from None
    except (asyncssh.ChannelOpenError, asyncssh.SFTPOpUnsupported):
        raise UnsupportedError(
            f"{subject}: {host} offers no SFTP", hint="sshd needs: Subsystem sftp internal-sftp"
        ) from None
    except asyncssh.SFTPError as error:
        raise UnavailableError(
            f"{subject}: the host could not do it (SFTP code {error.code})",
            hint="Is its disk full, or the file a mount point? The file was left as it was",
            cause="io",
        ) from None
    except asyncssh.Error:
        raise UnavailableError(f"{subject}: the SSH connection to {host} broke or was refused", cause="reset") from None
    except OSError as error:
        raise UnavailableError(
            f"{subject}: cannot connect to {host} ({error.strerror or type(error).__name__})", cause="refused"
        ) from None
