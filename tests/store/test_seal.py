"""What is sealed opens under its own key and label only, and a key file is no one else's to read."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.errors import ConfigError, PermanentError
from rotator.secret import Secret
from rotator.store.seal import KEY_BYTES, NONCE_BYTES, Sealer, load_keys, make_key

OLD, NEW = bytes(32), bytes(range(32))
SEALED = Sealer([OLD]).seal(Secret("canary-91"), "ecr:1")


@settings(deadline=None, max_examples=50)
@given(st.text(st.characters()), st.text())
def test_any_text_is_opened_as_it_was_sealed(value: str, label: str) -> None:
    """Sealing and opening gives the text back, whatever it is."""
    assert Sealer([NEW]).open(Sealer([NEW]).seal(Secret(value), label), label).reveal() == value


def test_half_a_surrogate_pair_survives() -> None:
    """Text that is not valid Unicode, as a JSON escape can make it, is sealed too."""
    assert Sealer([NEW]).open(Sealer([NEW]).seal(Secret("\ud800"), "a"), "a").reveal() == "\ud800"


def test_sealing_twice_looks_different() -> None:
    """Equal secrets cannot be told from their sealed form."""
    seal = Sealer([NEW]).seal

    assert seal(Secret("a"), "x") != seal(Secret("a"), "x")
    assert b"canary" not in SEALED


@pytest.mark.parametrize(
    ("sealer", "sealed", "label"),
    [
        (Sealer([NEW]), SEALED, "ecr:1"),
        (Sealer([OLD]), SEALED, "ecr:2"),
        (Sealer([OLD]), SEALED, "ecr2:1"),
        (Sealer([OLD]), SEALED[:-1] + bytes([SEALED[-1] ^ 1]), "ecr:1"),
        (Sealer([OLD]), bytes([SEALED[0] ^ 1]) + SEALED[1:], "ecr:1"),
        (Sealer([OLD]), SEALED[:20], "ecr:1"),
        (Sealer([OLD]), SEALED[: NONCE_BYTES - 8], "ecr:1"),
        (Sealer([OLD]), b"", "ecr:1"),
        (Sealer([]), SEALED, "ecr:1"),
    ],
    ids=[
        "other key",
        "other generation",
        "other credential",
        "text changed",
        "nonce changed",
        "cut",
        "stub",
        "empty",
        "no key",
    ],
)
def test_nothing_else_opens_it(sealer: Sealer, sealed: bytes, label: str) -> None:
    """Another key, a swapped row or a changed byte is an error that says what to do, and quotes nothing."""
    with pytest.raises(PermanentError, match=r"the sealed secret of ecr.* does not open") as raised:
        sealer.open(sealed, label)

    assert "Put the old key back" in raised.value.hint
    assert "canary" not in str(raised.value)


def test_new_key_seals_and_the_old_one_still_opens() -> None:
    """After a new first line, old secrets open, and new ones are sealed with the new key alone."""
    rotated = Sealer([NEW, OLD])
    fresh = rotated.seal(Secret("b"), "ecr:2")

    assert rotated.open(SEALED, "ecr:1").reveal() == "canary-91"
    assert Sealer([NEW]).open(fresh, "ecr:2").reveal() == "b"
    with pytest.raises(PermanentError):
        Sealer([OLD]).open(fresh, "ecr:2")


def key_file(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    """Return a key file."""
    path = folder / "seal.key"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def test_made_key_is_loaded(tmp_path: Path) -> None:
    """The file that is made is closed to others and gives the key back; nothing else is left in the folder."""
    path = tmp_path / "seal.key"
    make_key(path, NEW)

    assert load_keys(path) == [NEW]
    assert path.stat().st_mode & 0o777 == 0o600
    assert [item.name for item in tmp_path.iterdir()] == ["seal.key"]


def test_existing_key_is_kept(tmp_path: Path) -> None:
    """Making a key where there is one changes nothing, not even a broken one."""
    path = key_file(tmp_path, b"")
    make_key(path, NEW)

    assert path.read_bytes() == b""


def test_key_without_a_folder_is_a_mistake(tmp_path: Path) -> None:
    """A key that cannot be made is a mistake with the system's reason."""
    with pytest.raises(ConfigError, match="No such file or directory"):
        make_key(tmp_path / "none" / "seal.key", NEW)


def test_several_keys_are_loaded_newest_first(tmp_path: Path) -> None:
    """Each line is a key, the first one seals; blank lines do not matter."""
    lines = b"\n\n".join(base64.b64encode(key) for key in (NEW, OLD))

    assert load_keys(key_file(tmp_path, lines + b"\r\n")) == [NEW, OLD]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o622])
def test_open_key_file_is_refused(tmp_path: Path, mode: int) -> None:
    """A key file that others may use is refused, with the command that mends it."""
    path = key_file(tmp_path, base64.b64encode(NEW), mode)
    with pytest.raises(ConfigError) as raised:
        load_keys(path)

    assert str(raised.value) == f"seal key {path}: others may read it (mode {mode:04o})\nRun: chmod 600 {path}"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "holds no key"),
        (b" \n\n", "holds no key"),
        (b"canary", "a line is not the base64 text of 32 bytes"),
        (base64.b64encode(bytes(31)), "a line is not the base64 text of 32 bytes"),
        (base64.b64encode(bytes(33)), "a line is not the base64 text of 32 bytes"),
        (base64.b64encode(NEW) + b"\ncanary!", "a line is not the base64 text of 32 bytes"),
        (b"\xff\xfe\x00canary", "a line is not the base64 text of 32 bytes"),
        (b"canary" * 100_000, "a line is not the base64 text of 32 bytes"),
        (b"-----BEGIN PRIVATE KEY-----\n", "a line is not the base64 text of 32 bytes"),
    ],
    ids=["empty", "blank", "word", "short", "long", "second line", "binary", "huge", "pem"],
)
def test_garbage_is_refused_unquoted(tmp_path: Path, content: bytes, words: str) -> None:
    """A file that holds no key is refused with the command that makes one; its content is not repeated."""
    with pytest.raises(ConfigError) as raised:
        load_keys(key_file(tmp_path, content))

    assert words in str(raised.value)
    assert f"openssl rand -base64 {KEY_BYTES}" in raised.value.hint
    assert "canary" not in str(raised.value)


def nothing(path: Path) -> None:
    """Leave nothing there."""


@pytest.mark.parametrize(
    ("make", "words"),
    [(nothing, "No such file"), (Path.mkdir, "not a regular file|Is a directory"), (os.mkfifo, "not a regular file")],
    ids=["missing", "directory", "fifo"],
)
def test_no_file_is_refused(tmp_path: Path, make: Callable[[Path], None], words: str) -> None:
    """What is not a file is told as such, at once."""
    path = tmp_path / "key"
    make(path)
    if path.exists():
        path.chmod(0o700)
    with pytest.raises(ConfigError, match=words):
        load_keys(path)
