"""Logins get into docker's and podman's files, everything else stays, and every accident leaves old or new."""

from __future__ import annotations

import asyncio
import base64
import fcntl
import json
import os
import random
import stat
import subprocess
import sys
import threading
import traceback
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.clock import SystemClock
from rotator.disk import Disk
from rotator.domain.model import Entry, Login
from rotator.errors import (
    ConfigError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.secret import Secret
from rotator.targets.context import TargetContext
from rotator.targets.docker_config import DockerConfigConfig, DockerConfigTarget
from rotator.transport import Transport

CANARY = "c4n4ry-v4lue"
DELIVER = str(Path(__file__).with_name("deliver_docker_config.py"))
OTHERS = {"HttpHeaders": {"X": "y"}, "auths": {"other.example": {"auth": "eDp5", "email": "x@other.example"}}}


def target_of(*paths: Path | str, disk: Disk | None = None, **options: Any) -> DockerConfigTarget:
    """Return a target for ``paths``."""
    clock = SystemClock()
    context = TargetContext(Transport(clock=clock), clock, random.random)
    config = DockerConfigConfig(type="docker_config", paths=tuple(str(path) for path in paths), **options)
    return DockerConfigTarget("edge", config, context, disk)


def entry(registry: str = "ghcr.io", generation: int = 1, fingerprint: str = "") -> Entry:
    """Return an entry whose secret tells its generation; the credential is named after the registry."""
    login = Login("acme", Secret(f"{CANARY}-{generation}"))
    return Entry(registry, registry, login, generation, fingerprint or f"print-{generation}")


def auth_in(path: Path, key: str = "ghcr.io") -> str:
    """Return the login under ``key`` as text."""
    return base64.b64decode(json.loads(path.read_text())["auths"][key]["auth"]).decode()


def mode_of(path: Path) -> int:
    """Return the permission bits of ``path``."""
    return stat.S_IMODE(path.stat().st_mode)


def leftovers(directory: Path) -> list[str]:
    """Return files that must not outlive a call."""
    return [path.name for path in directory.iterdir() if path.name.endswith((".tmp", ".backup"))]


async def refused(target: DockerConfigTarget, path: Path, one: Entry) -> RotatorError:
    """Apply, expect a refusal, and see that it tells no secret."""
    with pytest.raises(RotatorError) as caught:
        await target.apply(str(path), [one])
    text = "".join(traceback.format_exception(caught.value))
    assert CANARY not in text
    assert base64.b64encode(CANARY.encode()).decode()[:12] not in text
    return caught.value


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return a file with a login and a setting of somebody else."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(OTHERS, indent="\t"))
    path.chmod(0o600)
    return path


async def test_a_login_is_added_beside_everything_else(file: Path) -> None:
    """The login is there as docker writes it, other logins and settings stay, and it is read back."""
    target = target_of(file)
    held = await target.apply(str(file), [entry()])
    assert (held.changed, held.logins) == (True, {"ghcr.io": entry().login})
    document = json.loads(file.read_text())
    assert document["auths"].pop("ghcr.io").keys() == {"auth"}
    assert document == OTHERS
    assert file.read_text().startswith('{\n\t"HttpHeaders"')
    assert auth_in(file) == f"acme:{CANARY}-1"
    assert await target.placements() == (str(file),)


async def test_the_second_time_nothing_is_written(file: Path) -> None:
    """Repeating a delivery leaves the file untouched, to the inode."""
    target = target_of(file)
    await target.apply(str(file), [entry()])
    before = file.stat()
    held = await target.apply(str(file), [entry()])
    assert (held.changed, held.logins) == (False, {"ghcr.io": entry().login})
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


async def test_a_mode_that_is_too_open_is_mended_even_when_nothing_changes(file: Path) -> None:
    """A file that others could read is closed, whether it is written or not."""
    target = target_of(file)
    for generation, changed in ((1, True), (1, False)):
        file.chmod(0o644)
        assert (await target.apply(str(file), [entry(generation=generation)])).changed is changed
        assert mode_of(file) == 0o600


async def test_a_missing_file_and_directory_are_created_closed(tmp_path: Path) -> None:
    """The first login creates the directory with 0700 and the file with 0600."""
    path = tmp_path / ".docker" / "config.json"
    target = target_of(path)
    assert (await target.read(str(path), [entry()])).logins == {}
    assert not path.parent.exists()
    await target.apply(str(path), [entry("docker.io")])
    assert (mode_of(path.parent), mode_of(path)) == (0o700, 0o600)
    assert auth_in(path, "https://index.docker.io/v1/") == f"acme:{CANARY}-1"


async def test_an_empty_file_is_filled(file: Path) -> None:
    """An empty file is an empty document, as for docker."""
    file.write_text("")
    assert (await target_of(file).apply(str(file), [entry()])).changed


async def test_podman_keys(file: Path) -> None:
    """Podman's file has hosts for keys, with a path for a narrower login."""
    target = target_of(file, convention="podman")
    await target.apply(str(file), [entry("docker.io"), entry("quay.io/acme")])
    assert list(json.loads(file.read_text())["auths"]) == ["other.example", "docker.io", "quay.io/acme"]


async def test_docker_has_no_keys_with_a_path(file: Path) -> None:
    """A registry with a path cannot be delivered to docker's file, and the file is left alone."""
    error = await refused(target_of(file), file, entry("quay.io/acme"))
    assert isinstance(error, UnsupportedError)
    assert json.loads(file.read_text()) == OTHERS


async def test_two_credentials_for_one_key_are_refused(file: Path) -> None:
    """Two logins for one registry in one file: neither is written."""
    two = [entry("docker.io"), entry("index.docker.io")]
    with pytest.raises(UnsupportedError, match="share the key"):
        await target_of(file).apply(str(file), two)
    assert json.loads(file.read_text()) == OTHERS


@pytest.mark.parametrize(
    "content",
    [
        b'{"auths": {"ghcr.io": {"auth": "' + CANARY.encode() + b'"',
        b'["' + CANARY.encode() + b'"]',
        b'{"auths": ["' + CANARY.encode() + b'"]}',
        b'{"x": "' + CANARY.encode() + b'\xff"}',
        b"\xef\xbb\xbf{}",
        b"\0" * 10,
    ],
    ids=["torn", "array", "auths-array", "not-utf-8", "bom", "nul"],
)
async def test_a_broken_file_is_left_as_it_is(file: Path, content: bytes) -> None:
    """What docker could not read is neither repaired nor replaced; the error names the file and shows nothing of it."""
    file.write_bytes(content)
    error = await refused(target_of(file), file, entry())
    assert isinstance(error, ShapeError)
    assert str(file) in str(error)
    assert file.read_bytes() == content
    with pytest.raises(ShapeError):
        await target_of(file).read(str(file), [entry()])


@pytest.mark.parametrize(
    ("setting", "by"),
    [({"credsStore": "pass"}, "credsStore"), ({"credHelpers": {"ghcr.io": "gh"}}, "credHelpers")],
    ids=["store", "helper"],
)
async def test_a_login_that_would_not_be_used_is_not_written(file: Path, setting: dict[str, Any], by: str) -> None:
    """Where a helper answers instead of the file, delivering there would be a lie: refused, with the name of it."""
    file.write_text(json.dumps(setting))
    error = await refused(target_of(file), file, entry())
    assert isinstance(error, UnsupportedError)
    assert by in str(error)
    assert json.loads(file.read_text()) == setting
    with pytest.raises(UnsupportedError):
        await target_of(file).read(str(file), [entry()])


async def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """A directory, a pipe and a file of 2 MB are no configuration."""
    (tmp_path / "directory").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "huge").write_bytes(b" " * 2_000_000)
    for name in ("directory", "pipe", "huge"):
        assert isinstance(await refused(target_of(tmp_path / name), tmp_path / name, entry()), UnsupportedError)


async def test_only_configured_files_are_touched(file: Path) -> None:
    """A placement that the configuration does not name is not found, whatever is there."""
    other = file.with_name("other.json")
    assert isinstance(await refused(target_of(file), other, entry()), NotFoundError)
    assert not other.exists()


async def test_links_are_followed_to_their_end(tmp_path: Path) -> None:
    """A link to the file, and one to its directory, stay links; the file they lead to is written."""
    real = tmp_path / "dotfiles" / "config.json"
    real.parent.mkdir()
    real.write_text("{}")
    (tmp_path / "linked").symlink_to(real.parent)
    (real.parent / "link.json").symlink_to(real)
    by_directory, by_file = tmp_path / "linked" / "config.json", real.parent / "link.json"
    target = target_of(by_directory, by_file)
    await target.apply(str(by_directory), [entry()])
    await target.apply(str(by_file), [entry("quay.io")])
    assert by_file.is_symlink()
    assert (tmp_path / "linked").is_symlink()
    assert list(json.loads(real.read_text())["auths"]) == ["ghcr.io", "quay.io"]


async def test_a_link_out_of_the_roots_is_refused(file: Path, tmp_path: Path) -> None:
    """A file that leads elsewhere is not written unless that place was allowed."""
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "home").mkdir()
    link = tmp_path / "home" / "config.json"
    link.symlink_to(tmp_path / "elsewhere" / "config.json")
    assert isinstance(await refused(target_of(link), link, entry()), PermissionDeniedError)
    allowed = target_of(link, roots=[str(tmp_path / "elsewhere") + "/"])
    assert (await allowed.apply(str(link), [entry()])).changed
    assert (await target_of(file, roots=["/"]).read(str(file), [])).logins == {}


async def test_a_directory_swapped_after_the_start_is_refused(tmp_path: Path) -> None:
    """A user who swaps his directory for a link cannot have the daemon write into another's."""
    home, victim = tmp_path / "home", tmp_path / "victim"
    home.mkdir()
    victim.mkdir()
    target = target_of(home / "config.json")
    home.rmdir()
    home.symlink_to(victim)
    assert isinstance(await refused(target, home / "config.json", entry()), PermissionDeniedError)
    assert list(victim.iterdir()) == []


async def test_a_world_writable_directory_is_refused(file: Path) -> None:
    """Where everybody can replace the file, no secret is put."""
    file.parent.chmod(0o777)
    assert isinstance(await refused(target_of(file), file, entry()), PermissionDeniedError)
    assert json.loads(file.read_text()) == OTHERS


async def test_in_place_keeps_the_inode(file: Path) -> None:
    """A file that is mounted by itself keeps its inode, and no backup stays."""
    inode = file.stat().st_ino
    target = target_of(file, inplace=True)
    for generation in (1, 2):
        held = await target.apply(str(file), [entry(generation=generation)])
        assert held.logins == {"ghcr.io": entry(generation=generation).login}
    assert file.stat().st_ino == inode
    assert leftovers(file.parent) == []


async def test_a_torn_rewrite_is_healed_by_the_next_delivery(file: Path) -> None:
    """What a crash left half-written comes back whole, with the other logins, before anything new is added."""
    old = file.read_bytes()
    file.with_name(".config.json.rotator.backup").write_bytes(old)
    file.write_bytes(old[:20])
    await target_of(file, inplace=True).apply(str(file), [entry()])
    assert list(json.loads(file.read_text())["auths"]) == ["other.example", "ghcr.io"]
    assert leftovers(file.parent) == []


async def test_an_older_generation_is_refused(file: Path) -> None:
    """What a newer daemon wrote is not taken back by an older one; after a logout there is nothing to protect."""
    target = target_of(file)
    await target.apply(str(file), [entry(generation=7)])
    error = await refused(target, file, entry(generation=6))
    assert isinstance(error, ConflictError)
    assert "generation 7 of ghcr.io" in str(error)
    assert auth_in(file) == f"acme:{CANARY}-7"
    twin = await refused(target, file, Entry("ghcr.io", "ghcr.io", Login("acme", Secret("twin")), 7, "other-print"))
    assert isinstance(twin, ConflictError)
    file.write_text(json.dumps(OTHERS))
    assert (await target.apply(str(file), [entry(generation=6)])).changed


async def test_the_record_of_generations_holds_no_secret(file: Path) -> None:
    """The record beside the file is closed, small, and tells generations and fingerprints only."""
    await target_of(file).apply(str(file), [entry(generation=7)])
    record = file.with_name(".config.json.rotator.json")
    assert json.loads(record.read_text()) == {"ghcr.io": {"fingerprint": "print-7", "generation": 7}}
    assert mode_of(record) == 0o600
    record.write_text("damaged")
    assert (await target_of(file).apply(str(file), [entry(generation=6)])).changed


async def test_drift_is_repaired(file: Path) -> None:
    """A login that somebody replaced by hand is seen by reading, and put right by the same generation."""
    target = target_of(file)
    await target.apply(str(file), [entry()])
    file.write_text(json.dumps({"auths": {"ghcr.io": {"auth": base64.b64encode(b"acme:by-hand").decode()}}}))
    assert (await target.read(str(file), [entry()])).logins["ghcr.io"] != entry().login
    assert (await target.apply(str(file), [entry()])).logins == {"ghcr.io": entry().login}


async def test_twenty_deliveries_at_once_lose_nothing(file: Path) -> None:
    """Twenty targets write twenty logins into one file from threads at once: all are there."""
    registries = [f"r{number}.example" for number in range(20)]
    await asyncio.gather(*(target_of(file).apply(str(file), [entry(registry)]) for registry in registries))
    assert set(json.loads(file.read_text())["auths"]) == {"other.example", *registries}
    record = json.loads(file.with_name(".config.json.rotator.json").read_text())
    assert set(record) == set(registries)


def test_ten_processes_at_once_lose_nothing(file: Path) -> None:
    """Ten processes write ten logins into one file: all are there."""
    registries = [f"r{number}.example" for number in range(10)]
    command = [sys.executable, DELIVER, str(file)]
    running = [subprocess.Popen([*command, one, "1", "30"], stdout=subprocess.DEVNULL) for one in registries]
    assert [process.wait(60) for process in running] == [0] * 10
    assert set(json.loads(file.read_text())["auths"]) == {"other.example", *registries}


async def test_readers_see_old_or_new(file: Path) -> None:
    """While the file is written again and again, whoever reads it finds a whole document, closed to others."""
    done, seen, wrong = threading.Event(), Counter[str](), list[str]()

    def poll() -> None:
        while not done.is_set():
            with file.open("rb") as opened:
                mode, content = os.fstat(opened.fileno()).st_mode, opened.read()
            auths = json.loads(content)["auths"]
            seen[auths.get("ghcr.io", {}).get("auth", "none")] += 1
            if mode & 0o077 or "other.example" not in auths:
                wrong.append(oct(mode))

    target = target_of(file)
    reader = asyncio.create_task(asyncio.to_thread(poll))
    for generation in range(1, 60):
        await target.apply(str(file), [entry(generation=generation)])
    done.set()
    await reader
    assert wrong == []
    assert len(seen) > 3


async def test_a_lock_that_is_held_elsewhere_is_waited_for(file: Path) -> None:
    """A delivery waits until the other writer is done, and cancelling ends the waiting."""
    lock = file.with_name(".config.json.rotator.lock")
    with lock.open("w") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        waiting = asyncio.create_task(target_of(file).apply(str(file), [entry()]))
        cancelled = asyncio.create_task(target_of(file).apply(str(file), [entry("quay.io")]))
        finished, _ = await asyncio.wait({waiting, cancelled}, timeout=0.2)
        assert not finished
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
    assert (await waiting).changed


async def test_two_targets_with_other_registries_share_a_file(file: Path) -> None:
    """Two targets that write one file at once, each for its own registry, leave each other's logins in it."""
    targets = {registry: target_of(file) for registry in ("ghcr.io", "quay.io")}
    for generation in range(1, 6):
        await asyncio.gather(
            *(target.apply(str(file), [entry(registry, generation)]) for registry, target in targets.items())
        )
    for registry, target in targets.items():
        assert (await target.read(str(file), [entry(registry, 5)])).logins == {registry: entry(registry, 5).login}


async def test_a_file_system_that_does_not_answer_is_asked_once(file: Path) -> None:
    """While a call for a file is held fast, the next is refused at once, and closing waits for neither."""
    disk, gate = Disk(), threading.Event()
    target = target_of(file, disk=disk)
    try:
        with pytest.raises(TimeoutError):
            await disk.run(str(file), gate.wait, 0.01)
        for ask in (target.apply, target.read):
            with pytest.raises(UnavailableError, match="an earlier call has not come back yet"):
                await ask(str(file), [entry()])
        await target.close()
    finally:
        gate.set()


async def test_watching_never_yields_and_can_be_ended(file: Path) -> None:
    """The set of files is fixed: watching waits until it is cancelled."""
    target = target_of(file)
    watching: AsyncIterator[None] = target.watch()
    waiting = asyncio.ensure_future(anext(watching))
    finished, _ = await asyncio.wait({waiting}, timeout=0.05)
    assert not finished
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await target.close()
    await target.close()


async def test_owner(file: Path) -> None:
    """Root gives the file to the configured owner and keeps it there; others are told that they may not."""
    target = target_of(file, owner="12345:12345")
    if os.geteuid() != 0:
        assert isinstance(await refused(target, file, entry()), PermissionDeniedError)
        return
    await target.apply(str(file), [entry()])
    assert (file.stat().st_uid, file.stat().st_gid, mode_of(file)) == (12345, 12345, 0o600)
    await target_of(file).apply(str(file), [entry(generation=2)])
    assert file.stat().st_uid == 12345


async def test_root_gives_new_files_to_the_owner_of_the_directory(tmp_path: Path) -> None:
    """A file that root creates in somebody's home is of use to that person."""
    if os.geteuid() != 0:
        pytest.skip("only root can make a directory of another user")
    os.chown(tmp_path, 12345, 12345)
    path = tmp_path / ".docker" / "config.json"
    await target_of(path).apply(str(path), [entry()])
    assert (path.parent.stat().st_uid, path.stat().st_uid) == (12345, 12345)


def test_an_owner_that_does_not_exist_is_a_configuration_error(file: Path) -> None:
    """A name that this machine does not know is refused when the daemon starts."""
    with pytest.raises(ConfigError, match="names nobody"):
        target_of(file, owner="nobody-has-this-name:root")


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({}, "path, for one file, or paths"),
        ({"path": "/a", "paths": ["/b"]}, "path, for one file, or paths"),
        ({"paths": ["/a", "/a"]}, "twice"),
        ({"path": "relative/config.json"}, "from / or ~"),
        ({"path": ""}, "from / or ~"),
        ({"path": "/a/../b"}, "without '..'"),
        ({"path": "/a/"}, "at its end"),
        ({"path": "/a\0b"}, "not a path"),
        ({"path": "~nobody-has-this-name/config.json"}, "from / or ~"),
        ({"path": "/a", "roots": [""]}, "from / or ~"),
        ({"path": "/a", "owner": "root"}, "user:group"),
        ({"path": "/a", "owner": ":root"}, "user:group"),
        ({"path": "/a", "convention": "crane"}, "docker"),
        ({"path": "/a", "mode": "0644"}, "Extra inputs"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_options_are_checked(options: dict[str, Any], advice: str) -> None:
    """Every mistake in the options is refused with what to write instead."""
    with pytest.raises(ValidationError) as caught:
        DockerConfigConfig.model_validate({"type": "docker_config", **options})
    assert advice in str(caught.value)


def test_a_tilde_is_the_home_directory(monkeypatch: pytest.MonkeyPatch) -> None:
    """A path may begin with the home of the daemon's user."""
    monkeypatch.setenv("HOME", "/home/deploy")
    config = DockerConfigConfig.model_validate({"type": "docker_config", "path": "~/.docker/config.json"})
    assert config.files() == ("/home/deploy/.docker/config.json",)
