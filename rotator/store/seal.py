"""Seals secrets before they reach a disk: AES-256-GCM, bound to the version they belong to."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from rotator.errors import ConfigError, PermanentError
from rotator.secret import Secret

KEY_BYTES = 32
NONCE_BYTES = 12


class Sealer:
    """Seals with the first key, opens with whichever fits, so that keys can be rotated.

    Args:
        keys: 32 bytes each, at least one, newest first.
    """

    def __init__(self, keys: list[bytes]) -> None:
        self._ciphers = [AESGCM(key) for key in keys]

    def seal(self, secret: Secret, label: str) -> bytes:
        """Return ``secret`` sealed for ``label``: it opens under that label only."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._ciphers[0].encrypt(nonce, secret.reveal().encode(), label.encode())

    def open(self, sealed: bytes, label: str) -> Secret:
        """Return the secret that was sealed for ``label``.

        Raises:
            PermanentError: No key fits, or the text was changed.
        """
        nonce, text = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        for cipher in self._ciphers:
            try:
                return Secret(cipher.decrypt(nonce, text, label.encode()).decode())
            except InvalidTag:
                continue
        raise PermanentError(
            f"the sealed secret of {label} does not open",
            hint="The seal key is another one than when it was sealed. Put the old key back as a further line of the "
            "key file, or move the state file aside; every credential is then issued anew",
        )


def load_keys(path: Path) -> list[bytes]:
    """Return the keys in ``path``, newest first: one base64 text of 32 bytes a line.

    Raises:
        ConfigError: Unreadable, readable by others, empty, or a line that is no key.
    """
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
        lines = path.read_text(encoding="ascii").split()
    except (OSError, ValueError) as error:
        raise ConfigError([f"seal key {path}: cannot be read"], hint="It is made on the first run") from error
    if mode & 0o077:
        raise ConfigError([f"seal key {path}: others may read it (mode {mode:04o})"], hint=f"Run: chmod 600 {path}")
    keys = [_decode(line, path) for line in lines]
    if not keys:
        raise ConfigError([f"seal key {path}: holds no key"])
    return keys


def make_key(path: Path, key: bytes) -> None:
    """Write ``key`` to a new file, mode 0600 from its first moment. Does nothing when the file exists."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _decode(line: str, path: Path) -> bytes:
    try:
        key = base64.b64decode(line, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigError(
            [f"seal key {path}: a line is not the base64 text of {KEY_BYTES} bytes"],
            hint=f"Make one with: openssl rand -base64 {KEY_BYTES}",
        )
    return key
