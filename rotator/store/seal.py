"""Seals secrets before they reach a disk: AES-256-GCM, bound to the version they belong to."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rotator.config.supervised import forbidden_bits
from rotator.errors import ConfigError, PermanentError
from rotator.secret import Secret

KEY_BYTES = 32
NONCE_BYTES = 12
_LARGEST_FILE_BYTES = 64 << 10
OTHER_KEY = (
    "The seal key is another one than when it was sealed. Put the old key back as a further line of the key file, or "
    "move the state file aside; every credential is then issued anew"
)
"""What to do about a secret that does not open."""

_TEXT = ("utf-8", "surrogatepass")
"""A secret is text as Python holds it: half a surrogate pair, as a JSON escape may leave it, survives too."""


class Sealer:
    """Seals with the first key, opens with whichever fits, so that keys can be rotated.

    Args:
        keys: 32 bytes each, at least one, newest first.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, secret: Secret, label: str) -> bytes:
        """Return ``secret`` sealed for ``label``: it opens under that label only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret.reveal().encode(*_TEXT), label.encode())

    def resealed(self, sealed: bytes, label: str) -> bytes | None:
        """Return the text sealed with the first key; None where that is so already, or where no key opens it."""
        secret = _first_of(self._ciphers[1:], sealed, label)
        return None if secret is None else self.seal(secret, label)

    def relabelled(self, sealed: bytes, label: str, new_label: str) -> bytes | None:
        """Return the text sealed for another label; None where no key opens it: then it does not under that either."""
        secret = _first_of(self._ciphers, sealed, label)
        return None if secret is None else self.seal(secret, new_label)

    def open(self, sealed: bytes, label: str) -> Secret:
        """Return the secret that was sealed for ``label``.

        Raises:
            PermanentError: No key fits, or the text was changed.
        """
        secret = _first_of(self._ciphers, sealed, label)
        if secret is None:
            raise PermanentError(f"the sealed secret of {label} does not open", hint=OTHER_KEY)
        return secret


def _first_of(ciphers: Sequence[AESGCM], sealed: bytes, label: str) -> Secret | None:
    """Return the secret that one of the ciphers opens; None when none does."""
    nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
    for cipher in ciphers if len(nonce) == NONCE_BYTES else ():
        try:
            return Secret(cipher.decrypt(nonce, text, label.encode()).decode(*_TEXT))
        except InvalidTag:
            continue
    return None


def label_of(credential: str, generation: int) -> str:
    """Return what the secret of a version is sealed for."""
    return f"{credential}:{generation}"


def load_keys(path: Path) -> list[bytes]:
    """Return the keys in ``path``, newest first: one base64 text of 32 bytes a line.

    Raises:
        ConfigError: Unreadable, readable by others, empty, or a line that is no key.
    """
    lines = _read(path).split()
    if not lines:
        raise ConfigError([f"seal key {path}: holds no key"], hint=_MAKE)
    return [_decode(line, path) for line in lines]


def make_key(path: Path, key: bytes) -> None:
    """Write ``key`` to a new file, mode 0600; the file is there whole or not at all. Does nothing when it exists.

    Raises:
        ConfigError: It cannot be written.
    """
    if path.exists():
        return
    part = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}")
    try:
        _write_whole(part, path, base64.b64encode(key) + b"\n")
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(
            [f"seal key {path}: {error.strerror}"],
            hint="The daemon's user must be able to write in that directory, or seal_key_file must name a key",
        ) from error
    finally:
        part.unlink(missing_ok=True)


_MAKE = f"Make one with: openssl rand -base64 {KEY_BYTES}"


def _write_whole(part: Path, path: Path, content: bytes) -> None:
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    path.hardlink_to(part)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _read(path: Path) -> bytes:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError([f"seal key {path}: not a regular file"], hint=_MAKE)
            if status.st_mode & forbidden_bits(path):
                mode = stat.S_IMODE(status.st_mode)
                raise ConfigError(
                    [f"seal key {path}: others may read it (mode {mode:04o})"], hint=f"Run: chmod 600 {path}"
                )
            return file.read(_LARGEST_FILE_BYTES)
    except OSError as error:
        raise ConfigError([f"seal key {path}: {error.strerror}"], hint=_MAKE) from error


def _decode(line: bytes, path: Path) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            [f"seal key {path}: a line is not the base64 text of {KEY_BYTES} bytes"],
            hint=_MAKE,
        )
    return key
