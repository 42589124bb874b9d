"""Secrets in files."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.disk import Disk
from rotator.errors import ConfigError, NotFoundError, PermissionDeniedError, ShapeError, UnavailableError
from rotator.secret import Secret
from rotator.sources.file import MAX_FILE_BYTES, FileRules, FileSource

CANARY = "canary-9b2e-secret"


def private(path: Path, content: str | bytes = CANARY, mode: int = 0o600) -> Path:
    """Write a file that only its owner may read."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("a", "a"),
        ("a\n", "a"),
        ("a\r\n", "a"),
        ("a\n\n", "a\n"),
        (" a ", " a "),
        ("a\r", "a\r"),
        ("\u00fc\n", "\u00fc"),
    ],
    ids=["none", "newline", "crlf", "two newlines", "spaces", "lone cr", "umlaut"],
)
async def test_one_newline_at_the_end_is_not_part_of_the_value(tmp_path: Path, content: str, value: str) -> None:
    """Editors add one newline; everything else is kept."""
    path = private(tmp_path / "token", content)
    assert (await FileSource().read(str(path))).secret == Secret(value)


@pytest.mark.parametrize("ask", ["read", "revision"])
@pytest.mark.parametrize("mode", [0o640, 0o644, 0o604, 0o620, 0o602, 0o666, 0o660], ids=oct)
async def test_file_that_others_can_get_at_is_refused(tmp_path: Path, mode: int, ask: str) -> None:
    """Any right of group or others is refused, with the command that heals it."""
    path = private(tmp_path / "token", mode=mode)
    with pytest.raises(PermissionDeniedError, match=f"chmod 600 {path}"):
        await getattr(FileSource(), ask)(str(path))


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o640, 0o440], ids=oct)
async def test_group_may_read_where_the_configuration_allows_it(tmp_path: Path, mode: int) -> None:
    """`allow_group_read` accepts what Kubernetes makes with fsGroup."""
    path = private(tmp_path / "token", mode=mode)
    assert (await FileSource(FileRules(allow_group_read=True)).read(str(path))).secret == Secret(CANARY)


@pytest.mark.parametrize("mode", [0o660, 0o644, 0o641, 0o642], ids=oct)
async def test_group_read_allows_nothing_more(tmp_path: Path, mode: int) -> None:
    """Even with `allow_group_read` no group may write and nobody else may read."""
    path = private(tmp_path / "token", mode=mode)
    with pytest.raises(PermissionDeniedError):
        await FileSource(FileRules(allow_group_read=True)).read(str(path))


async def test_kubelets_own_tokens_may_be_readable_but_not_writable(tmp_path: Path) -> None:
    """Below the kubelet's folder mode 0644 is accepted, 0666 is not."""
    source = FileSource(FileRules(readable_below=(tmp_path,)))
    path = private(tmp_path / "token", mode=0o644)
    assert (await source.read(str(path))).secret == Secret(CANARY)
    path.chmod(0o666)
    with pytest.raises(PermissionDeniedError):
        await source.read(str(path))


async def test_dots_do_not_lead_into_the_kubelets_folder(tmp_path: Path) -> None:
    """A path that only starts in a readable folder does not get its rules."""
    (tmp_path / "kubelet").mkdir()
    private(tmp_path / "token", mode=0o644)
    source = FileSource(FileRules(readable_below=(tmp_path / "kubelet",)))
    with pytest.raises(PermissionDeniedError):
        await source.read(f"{tmp_path}/kubelet/../token")


async def test_kubernetes_mount_is_followed_to_its_new_version(tmp_path: Path) -> None:
    """The kubelet swaps a link to a folder; value and revision follow it."""
    for name, value in (("..1", "old-value"), ("..2", "new-value")):
        (tmp_path / name).mkdir()
        private(tmp_path / name / "token", value)
    (tmp_path / "..data").symlink_to("..1")
    (tmp_path / "token").symlink_to("..data/token")
    source, location = FileSource(), str(tmp_path / "token")
    before = await source.read(location)
    (tmp_path / "..data_tmp").symlink_to("..2")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")
    after = await source.read(location)
    assert (before.secret, after.secret) == (Secret("old-value"), Secret("new-value"))
    assert before.revision != await source.revision(location) == after.revision


async def test_revision_does_not_read_the_content(tmp_path: Path) -> None:
    """A file of a million zero bytes that is no text still has a revision."""
    path = private(tmp_path / "token", b"\xff" * MAX_FILE_BYTES)
    assert await FileSource().revision(str(path)) is not None


async def test_json_key_is_read(tmp_path: Path) -> None:
    """`path#key` reads one member of a JSON object, to the letter."""
    path = private(tmp_path / "creds.json", '{"username": "u", "token": "t\\n"}')
    assert (await FileSource().read(f"{path}#token")).secret == Secret("t\n")


async def test_absent_json_key_names_those_present(tmp_path: Path) -> None:
    """The error names the keys, not the values."""
    path = private(tmp_path / "creds.json", f'{{"b": "{CANARY}", "a": 1}}')
    with pytest.raises(NotFoundError, match=r"no key 'token'; it has: 'a', 'b'") as caught:
        await FileSource().read(f"{path}#token")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (f'{{"token": {CANARY}', "does not hold a JSON object"),
        (f'["{CANARY}"]', "does not hold a JSON object"),
        ("[" * 200_000, "does not hold a JSON object"),
        ('{"token": 5}', "is a number, not text"),
        ('{"token": null}', "is null, not text"),
        ('{"token": {"a": 1}}', "is an object, not text"),
        ('{"token": "\\ud800"}', "is not valid UTF-8 text"),
    ],
    ids=["broken", "list", "deep", "number", "null", "object", "surrogate"],
)
async def test_json_that_holds_no_secret_is_refused(tmp_path: Path, content: str, words: str) -> None:
    """Bad JSON is ShapeError; neither the text nor the error's history holds the content."""
    path = private(tmp_path / "creds.json", content)
    with pytest.raises(ShapeError, match=words) as caught:
        await FileSource().read(f"{path}#token")
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


async def test_bytes_that_are_no_text_are_refused_without_being_kept(tmp_path: Path) -> None:
    """The decoder's error carries the bytes, so it is not part of ours."""
    path = private(tmp_path / "token", CANARY.encode() + b"\xff")
    with pytest.raises(ShapeError, match="not UTF-8") as caught:
        await FileSource().read(str(path))
    assert caught.value.__context__ is None


async def test_large_file_is_refused(tmp_path: Path) -> None:
    """More than 1 MiB is no secret."""
    path = private(tmp_path / "token", b"x" * (MAX_FILE_BYTES + 1))
    with pytest.raises(ShapeError, match="larger than 1048576 bytes"):
        await FileSource().read(str(path))


def _folder(path: Path) -> None:
    path.mkdir(mode=0o700)


def _pipe(path: Path) -> None:
    os.mkfifo(path, 0o600)


@pytest.mark.parametrize("make", [_folder, _pipe], ids=["folder", "pipe"])
@pytest.mark.parametrize("ask", ["read", "revision"])
async def test_only_regular_files_are_read(tmp_path: Path, make: Callable[[Path], None], ask: str) -> None:
    """A folder is refused, and a pipe that nobody writes to as well, without waiting for a writer."""
    make(tmp_path / "token")
    with pytest.raises(ShapeError, match="not a regular file"):
        await getattr(FileSource(), ask)(str(tmp_path / "token"))


async def test_socket_and_endless_device_are_refused(tmp_path: Path) -> None:
    """A UNIX socket and /dev/zero end in an error at once."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "token"))
        with pytest.raises(UnavailableError):
            await FileSource().read(str(tmp_path / "token"))
    with pytest.raises(ShapeError, match="not a regular file"):
        await FileSource().read("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_unreadable_file_is_permission_denied(tmp_path: Path) -> None:
    """What the system refuses is PermissionDeniedError, not a missing file."""
    path = private(tmp_path / "token", mode=0o000)
    with pytest.raises(PermissionDeniedError):
        await FileSource().read(str(path))


async def test_loop_of_links_is_an_error(tmp_path: Path) -> None:
    """Links that lead nowhere end in an error."""
    (tmp_path / "token").symlink_to("token")
    with pytest.raises(UnavailableError, match="symbolic links"):
        await FileSource().read(str(tmp_path / "token"))


async def test_file_below_a_file_does_not_exist(tmp_path: Path) -> None:
    """A path through a regular file is NotFoundError."""
    path = private(tmp_path / "token")
    with pytest.raises(NotFoundError):
        await FileSource().read(f"{path}/below")


@pytest.mark.parametrize("location", ["", "#key", "/a#", "/a\0b"], ids=["empty", "key only", "no key", "nul"])
async def test_location_that_is_no_path_is_a_configuration_error(location: str) -> None:
    """What can be no path is refused before the file system is asked."""
    with pytest.raises(ConfigError, match="Write /path/to/file"):
        await FileSource().read(location)


async def test_deadline_is_kept(tmp_path: Path) -> None:
    """A call that is not over within its deadline is UnavailableError with cause `timeout`."""
    path = private(tmp_path / "token")
    with pytest.raises(UnavailableError, match="does not answer") as caught:
        await FileSource(deadline=timedelta(0)).read(str(path))
    assert caught.value.cause == "timeout"


async def test_a_dead_file_system_stops_only_what_is_on_it(tmp_path: Path) -> None:
    """While a file is held fast, it is refused at once, with the reason, and another one is read."""
    dead, fine = private(tmp_path / "dead"), private(tmp_path / "fine")
    disk, gate = Disk(), threading.Event()
    source = FileSource(disk=disk)
    try:
        with pytest.raises(TimeoutError):
            await disk.run(str(dead), gate.wait, 0.01)
        for ask in (source.revision, source.read):
            with pytest.raises(UnavailableError, match="does not answer: an earlier call has not come back yet"):
                await ask(f"{dead}#token")
        assert (await source.read(str(fine))).secret == Secret(CANARY)
    finally:
        gate.set()
