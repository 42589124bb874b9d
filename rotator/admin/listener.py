"""Sockets to listen on, bound so that nobody is let in by mistake and nothing is left behind."""

from __future__ import annotations

import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from rotator.errors import ConfigError

BACKLOG = 128

_WORDS = {
    errno.EADDRINUSE: "is in use by another program; choose another port, or stop that program",
    errno.EACCES: "may not be bound by this user; choose a port above 1023, or grant CAP_NET_BIND_SERVICE",
    errno.EADDRNOTAVAIL: "is not an address of this machine; name one that is, or 0.0.0.0",
}


@dataclass(frozen=True, slots=True)
class UnixSocket:
    """A bound UNIX socket and its file.

    Args:
        socket: Bound and listening.
        path: Where it is.
        inode: Device and number of the file that was made.
    """

    socket: socket.socket
    path: Path
    inode: tuple[int, int]

    def remove(self) -> None:
        """Close it, and remove its file unless somebody else's is there by now. Safe to repeat."""
        self.socket.close()
        try:
            if _inode(self.path) == self.inode:
                self.path.unlink()
        except OSError:
            return  # the directory is gone or not ours any more: nothing of ours is left in it


def bind_unix(path: Path, mode: int) -> UnixSocket:
    """Return a socket bound to ``path`` with file mode ``mode``; at no moment is it laxer.

    Its directory is made if it is missing; what a crashed daemon left there is replaced.

    Raises:
        ConfigError: Somebody listens there, something else is there, or the place may not be written.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _make_directory(path.parent, mode)
        _remove_stale(path)
        _bind_closed(listener, path)
        path.chmod(mode)
        listener.listen(BACKLOG)
        return UnixSocket(listener, path, _inode(path))
    except OSError as error:
        listener.close()
        words = error.strerror or str(error)
        raise ConfigError([f"admin.socket: {path} cannot be made ({words}); choose another path"]) from error
    except ConfigError:
        listener.close()
        raise


def bind_tcp(listen: str, key: str) -> socket.socket:
    """Return a TCP socket bound to ``host:port``; port 0 takes a free one.

    Args:
        listen: ``host:port`` or ``[v6]:port``; a host name is looked up, its first address is taken.
        key: The configuration key that names it, for the message.

    Raises:
        ConfigError: It cannot be bound; says which address, which key, and what to do.
    """
    host, _, port = listen.rpartition(":")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=BACKLOG)
    except socket.gaierror as error:
        raise ConfigError([f"{key}: {host} does not resolve; write an IP address"]) from error
    except OSError as error:
        words = _WORDS.get(error.errno or 0, f"cannot be bound ({error.strerror})")
        raise ConfigError([f"{key}: {listen} {words}"]) from error


def _make_directory(directory: Path, mode: int) -> None:
    """Make ``directory`` so that exactly those who may use the socket can pass."""
    if not directory.exists():
        directory.mkdir(parents=True, mode=0o700)
        if stat.S_IMODE(mode) & 0o077:
            directory.chmod(0o711)


def _remove_stale(path: Path) -> None:
    """Remove a socket that nobody listens on.

    Raises:
        ConfigError: Somebody does, or it is no socket.
    """
    try:
        about = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(about.st_mode):
        raise ConfigError([f"admin.socket: {path} is there and is not a socket; remove it, or choose another path"])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            path.unlink(missing_ok=True)
            return
        except OSError:
            pass  # it is listened to, but does not take one more right now
    raise ConfigError([f"admin.socket: another program listens on {path}; stop it, or choose another path"])


def _bind_closed(listener: socket.socket, path: Path) -> None:
    before = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(before)


def _inode(path: Path) -> tuple[int, int]:
    about = path.lstat()
    return about.st_dev, about.st_ino
