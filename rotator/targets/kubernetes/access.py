"""How the API server is reached: an address, trust, and something to show. Files are read again when they change."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from rotator.errors import ConfigError
from rotator.transport import Peer

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
"""Where a pod finds its token and its cluster's authority."""
MAX_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Connection:
    """Everything a request needs.

    Args:
        server: Base URL without a slash at the end.
        peer: For the transport.
        headers: The ``Authorization``; empty with a client certificate. Secret.
    """

    server: str
    peer: Peer
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Access(Protocol):
    """A way to one API server."""

    async def connect(self) -> Connection:
        """Return the current connection; cheap when nothing changed.

        Raises:
            ConfigError: A file cannot be read or says something impossible. AuthenticationError: an exec plugin
                gave no credential. UnavailableError: it did not end in time.
        """
        ...

    def reject(self, connection: Connection) -> None:
        """Take note that the server refused what ``connection`` shows: get another one, unless that was done."""
        ...

    def close(self) -> None:
        """Let go of what is held in memory. Safe to repeat."""
        ...


class WatchedFile:
    """A small file that is read again when it changes; a rename onto it counts as a change.

    Args:
        path: The file.
        words: What it is and whose, for messages (``prod: token file``).
    """

    def __init__(self, path: Path, words: str) -> None:
        self.path = path
        self._words = words
        self._stamp: tuple[int, int, int] | None = None
        self._content = b""

    def read(self) -> bytes:
        """Return the content; what was read last when the file is gone or unreadable just now.

        Raises:
            ConfigError: It could never be read.
        """
        try:
            stat = os.stat(self.path)  # noqa: PTH116 (called per request; Path.stat costs twice as much)
            stamp = (stat.st_mtime_ns, stat.st_ino, stat.st_size)
            if stamp != self._stamp:
                self._content = _read_capped(self.path)
                self._stamp = stamp
        except OSError as error:
            if self._stamp is None:
                reason = error.strerror or "not a small file"
                raise ConfigError([f"{self._words} {self.path} cannot be read: {reason}"]) from error
        return self._content


class MemoryFiles:
    """Gives PEM data a path without ever writing it to a disk: TLS contexts are made from paths.

    Equal data has one path, so that an unchanged certificate keeps its connections.
    """

    def __init__(self) -> None:
        self._descriptors: dict[str, int] = {}

    def path_for(self, data: bytes) -> str:
        """Return a path at which this process reads ``data`` until `close`."""
        digest = hashlib.sha256(data).hexdigest()
        descriptor = self._descriptors.get(digest)
        if descriptor is None:
            descriptor = self._descriptors[digest] = os.memfd_create("pem")
            os.write(descriptor, data)
        return f"/proc/self/fd/{descriptor}"

    def close(self) -> None:
        """Forget all data. Safe to repeat."""
        descriptors, self._descriptors = self._descriptors, {}
        for descriptor in descriptors.values():
            os.close(descriptor)


class InClusterAccess:
    """The way of a pod: the token and the authority that the kubelet mounts and renews.

    Args:
        peer: Settings of the peer; its ``ca_file`` is replaced.
        environ: Where ``KUBERNETES_SERVICE_HOST`` and ``KUBERNETES_SERVICE_PORT`` are read.
        root: Folder of ``token`` and ``ca.crt``.

    Source: https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/ (reference documentation).
    """

    def __init__(self, peer: Peer, environ: Mapping[str, str], root: Path = SERVICE_ACCOUNT) -> None:
        self._peer = peer
        self._environ = environ
        self._token = WatchedFile(root / "token", f"{peer.name}: the service account's token")
        self._authority = WatchedFile(root / "ca.crt", f"{peer.name}: the cluster's authority")
        self._memory = MemoryFiles()
        self._read: tuple[bytes, bytes] | None = None
        self._connection: Connection | None = None

    async def connect(self) -> Connection:
        """Return the connection with the token as it is now."""
        content = self._token.read(), self._authority.read()
        if self._connection is None or content != self._read:
            self._read, self._connection = content, self._connected(*content)
        return self._connection

    def reject(self, connection: Connection) -> None:
        """Do nothing: the file is looked at before every request anyway."""

    def close(self) -> None:
        """Let go of the authority's copy."""
        self._memory.close()
        self._connection = None

    def _connected(self, token: bytes, authority: bytes) -> Connection:
        host = self._environ.get("KUBERNETES_SERVICE_HOST")
        if not host:
            raise ConfigError(
                [f"{self._peer.name}: not in a cluster: KUBERNETES_SERVICE_HOST is not set"],
                hint="Write `kubeconfig: PATH` for a daemon that runs outside",
            )
        host = f"[{host}]" if ":" in host else host
        server = f"https://{host}:{self._environ.get('KUBERNETES_SERVICE_PORT', '443')}"
        ca_file = self._memory.path_for(authority)
        return Connection(server, peer_with(self._peer, ca_file=ca_file), bearer(token.decode("ascii", "ignore")))


def peer_with(
    peer: Peer,
    *,
    ca_file: str | None = None,
    client_cert: tuple[str, str] | None = None,
    proxy: str | None = None,
) -> Peer:
    """Return ``peer`` with its trust, identity and proxy replaced."""
    return Peer(
        name=peer.name,
        ca_file=ca_file,
        insecure=peer.insecure,
        proxy=proxy,
        client_cert=client_cert,
        connections=peer.connections,
    )


def bearer(token: str) -> dict[str, str]:
    """Return the header that shows ``token``. Secret."""
    return {"Authorization": f"Bearer {token.strip()}"}


def decode_pem(data: str, words: str) -> bytes:
    """Return the PEM text in base64 ``data``.

    Raises:
        ConfigError: It is not base64; ``words`` says what and where.
    """
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        pass
    raise ConfigError([f"{words} is not base64"])


def _read_capped(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise OSError
    return content
