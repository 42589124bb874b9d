"""Whom we talk to, and the TLS settings that follow from it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass, field

from rotator.errors import ConfigError
from rotator.transport.reach import Reach

CONNECTIONS_PER_PEER = 64


@dataclass(frozen=True, slots=True)
class Peer:
    """One party we talk to, and how.

    Args:
        name: Word for metrics and messages from a closed set: configuration ids (``vault``, ``prod``), vendors
            (``github``), hosts of configured registries.
        ca_file: PEM file of the only authorities trusted for this peer; None for the system's.
        insecure: True allows plain HTTP and unverified TLS. Only ever set by ``insecure: true`` in the configuration.
        proxy: Proxy URL, may hold the proxy's password; None for a direct connection, whatever the environment says.
        unix_socket: Path of a UNIX socket to connect to instead of the URL's host; None for TCP.
        client_cert: Paths of a PEM certificate and its key for mutual TLS; None for none.
        connections: How many connections may be open to it at once, > 0.
        reach: The addresses it may be at; None for any. Says nothing about what a proxy connects to.
    """

    name: str
    ca_file: str | None = None
    insecure: bool = False
    proxy: str | None = field(default=None, repr=False)
    unix_socket: str | None = None
    client_cert: tuple[str, str] | None = None
    connections: int = CONNECTIONS_PER_PEER
    reach: Reach | None = None


Signature = tuple[tuple[int, int, int] | None, ...]


def signature_of(peer: Peer) -> Signature:
    """Return what changes when one of the peer's certificate files is replaced: inode, size, time of each.

    A file that cannot be looked at counts as None; opening it says why.
    """
    paths = [path for path in (peer.ca_file, *(peer.client_cert or ())) if path is not None]
    return tuple(_look(path) for path in paths)


def tls_context(peer: Peer) -> ssl.SSLContext:
    """Return the TLS settings for ``peer``: 1.2 or newer, verified unless it is insecure.

    Raises:
        ConfigError: A certificate file is missing or is not PEM; it is named.
    """
    try:
        context = ssl.create_default_context(cafile=peer.ca_file)
    except (OSError, ssl.SSLError) as error:
        raise _unusable(peer, str(peer.ca_file), error) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if peer.client_cert is not None:
        try:
            # The empty password keeps OpenSSL from asking for one on the terminal.
            context.load_cert_chain(*peer.client_cert, password="")
        except (OSError, ssl.SSLError) as error:
            raise _unusable(peer, " with ".join(peer.client_cert), error) from error
    if peer.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def _unusable(peer: Peer, files: str, error: OSError) -> ConfigError:
    reason = "not PEM, or not a pair" if isinstance(error, ssl.SSLError) else error.strerror
    return ConfigError([f"{peer.name}: {files} cannot be used for TLS ({reason})"])


def _look(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)  # noqa: PTH116 (once a call: half the price of a Path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns
