"""What is special about files on other hosts, against a real OpenSSH server."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.declares import Proof
from rotator.domain.model import Held
from rotator.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.secret import Secret, base64_forms
from rotator.targets.docker_config_ssh import DockerConfigSshConfig
from rotator.targets.docker_config_ssh.remote import Host, connected

CANARY = "canary-e81d60f3a947"

Make = Callable[..., Any]


def mode(path: Path) -> int:
    """Return a file's permissions."""
    return path.stat().st_mode & 0o7777


def names(folder: Path) -> list[str]:
    """Return what is in a folder, sorted."""
    return sorted(path.name for path in folder.iterdir())


async def test_a_new_file(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """The file is made, closed to others, in a directory that is; beside it is only the record of generations."""
    held = await target().apply(server.host, [entry()])
    assert json.loads((folder / "config.json").read_text())["auths"].keys() == {"ghcr.io"}
    assert (mode(folder), mode(folder / "config.json")) == (0o700, 0o600)
    assert names(folder) == [".config.json.rotator.json", "config.json"]
    assert (held.changed, held.proof, held.logins) == (True, Proof.VALUE, {"ghcr": entry().login})


async def test_a_path_from_the_home_on(server: Any, target: Make, entry: Make) -> None:
    """A relative path is one from the user's home: it is read there, and not written by this test."""
    assert dict((await target(path=".rotator-test-absent/config.json").read(server.host, [entry()])).logins) == {}


async def test_a_link_is_followed(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A link stays a link: the file it leads to is replaced."""
    folder.mkdir()
    (folder / "real.json").write_text("{}")
    (folder / "config.json").symlink_to("real.json")
    await target().apply(server.host, [entry()])
    assert (folder / "config.json").is_symlink()
    assert "ghcr.io" in (folder / "real.json").read_text()


async def test_readers_see_old_or_new(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """Whoever reads while it is written finds a whole document, always."""
    path, edge = folder / "config.json", target()
    await edge.apply(server.host, [entry()])
    seen = set()

    async def write() -> None:
        for generation in range(2, 8):
            await edge.apply(server.host, [entry(generation=generation)])

    task = asyncio.create_task(write())
    while not task.done():
        seen.add(json.loads(path.read_text())["auths"]["ghcr.io"]["auth"])
        await asyncio.sleep(0)
    await task
    assert seen


async def test_a_file_that_is_open_to_others_is_closed(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A file that already holds the logins and is readable by others is closed to them."""
    edge = target()
    await edge.apply(server.host, [entry()])
    (folder / "config.json").chmod(0o644)
    assert not (await edge.apply(server.host, [entry()])).changed
    assert mode(folder / "config.json") == 0o600


async def test_the_owner_stays(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A file of somebody else stays theirs when we may give it to them."""
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    owner = 1234 if os.geteuid() == 0 else os.geteuid()
    os.chown(folder / "config.json", owner, -1)
    await target().apply(server.host, [entry()])
    assert (folder / "config.json").stat().st_uid == owner


async def test_what_an_interrupted_writer_left_is_removed(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A temporary file that a crash left is gone after the next write."""
    folder.mkdir()
    (folder / ".config.json.rotator.0123.tmp").write_text("half")
    await target().apply(server.host, [entry()])
    assert not list(folder.glob("*.tmp"))
    assert not list(folder.glob(".*.tmp"))


async def test_a_write_in_between_is_a_conflict(server: Any, folder: Path) -> None:
    """What somebody wrote since the file was read is not overwritten, and nothing is left beside it."""
    folder.mkdir()
    path = folder / "config.json"
    path.write_text("{}")
    key = Secret((server.keys / "user").read_text())
    name, _, port = server.host.partition(":")
    host = Host(name, int(port), "root" if os.geteuid() == 0 else os.environ["USER"], key, f"{server.keys}/known_hosts")
    async with connected(host, "edge") as files:
        before = await files.read(str(path))
        path.write_text('{"auths": {}}')
        with pytest.raises(ConflictError, match="changed by somebody else"):
            await files.replace(str(path), b"ours", before, "1")
    assert path.read_text() == '{"auths": {}}'
    assert names(folder) == ["config.json"]


@pytest.mark.usefixtures("folder")
async def test_an_older_generation_is_refused(server: Any, target: Make, entry: Make) -> None:
    """The record beside the file keeps another daemon from taking it back a generation."""
    await target().apply(server.host, [entry(generation=7)])
    with pytest.raises(FencedError) as caught:
        await target().apply(server.host, [entry(generation=6)])
    assert caught.value.generation == 7


FILES = [
    pytest.param('{"auths": ', ShapeError, id="not JSON"),
    pytest.param('{"auths": {"ghcr.io": {}}, "credsStore": "pass"}', UnsupportedError, id="shadowed"),
    pytest.param("x" * ((1 << 20) + 1), UnsupportedError, id="too large"),
]


@pytest.mark.parametrize(("content", "kind"), FILES)
async def test_a_file_that_cannot_hold_it(
    server: Any, target: Make, entry: Make, folder: Path, content: str, *, kind: type[RotatorError]
) -> None:
    """A file that would not be used or is none of docker's is left as it is, and named with its host."""
    folder.mkdir()
    path = folder / "config.json"
    path.write_text(content)
    with pytest.raises(kind, match=server.host):
        await target().apply(server.host, [entry()])
    assert path.read_text() == content


async def test_a_directory_in_its_place(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A directory where the file should be is refused or cannot be read; nothing is made of it."""
    (folder / "config.json").mkdir(parents=True)
    with pytest.raises(RotatorError):
        await target().apply(server.host, [entry()])
    assert (folder / "config.json").is_dir()


async def test_a_directory_open_to_all(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """Where everybody could replace the file it is not written."""
    folder.mkdir()
    folder.chmod(0o777)
    with pytest.raises(PermissionDeniedError, match="may be written by everybody"):
        await target().apply(server.host, [entry()])
    assert names(folder) == []


async def test_only_the_last_directory_is_made(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """A path that is missing further up is a mistake, not made."""
    with pytest.raises(NotFoundError, match="only the last one is made"):
        await target(path=str(folder / "deeper" / "config.json")).apply(server.host, [entry()])
    assert not folder.exists()


@pytest.mark.parametrize("line", ["", "other"], ids=["unknown", "another key"])
async def test_a_host_that_is_not_known_is_not_talked_to(
    server: Any, target: Make, entry: Make, folder: Path, line: str
) -> None:
    """A host without a known key, or with another one, gets nothing, and the hint says how to look."""
    known = server.keys / "known_hosts"
    other = (server.keys / "user.pub").read_text()
    known.write_text(f"[127.0.0.1]:{server.host.partition(':')[2]} {other}" if line else "")
    with pytest.raises(PermanentError, match="ssh-keyscan -p") as caught:
        await target().apply(server.host, [entry()])
    assert not isinstance(caught.value, AuthenticationError)
    assert not folder.exists()


async def test_a_missing_file_of_known_hosts(server: Any, target: Make, entry: Make) -> None:
    """Without the file of known hosts nobody is talked to."""
    with pytest.raises(ConfigError, match="/nonexistent cannot be used"):
        await target(known_hosts="/nonexistent").apply(server.host, [entry()])


def _other_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True)


def _locked_key(path: Path) -> None:
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", CANARY, "-f", str(path)], check=True)


def _no_key(path: Path) -> None:
    path.write_text(f"-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n")
    path.chmod(0o600)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        pytest.param(_other_key, AuthenticationError, id="another key"),
        pytest.param(_locked_key, ShapeError, id="a passphrase"),
        pytest.param(_no_key, ShapeError, id="no key"),
    ],
)
async def test_a_key_that_does_not_open(
    server: Any, target: Make, entry: Make, make: Callable[[Path], None], kind: type[RotatorError]
) -> None:
    """A key that the host does not accept, or that is none, is named as such, without its text."""
    path = server.keys / "wrong"
    make(path)
    with pytest.raises(kind) as caught:
        await target(key={"file": str(path)}).apply(server.host, [entry()])
    told = "".join(traceback.format_exception(caught.value))
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in told]


async def test_a_host_without_sftp(start_sshd: Callable[..., Any], target: Make, entry: Make) -> None:
    """A host that lets us in and offers no SFTP is named as such."""
    server = await start_sshd("plain", "Subsystem other /bin/false")
    options = {"key": {"file": str(server.keys / "user")}, "known_hosts": str(server.keys / "known_hosts")}
    with pytest.raises(UnsupportedError, match="offers no SFTP"):
        await target(hosts=[server.host], **options).apply(server.host, [entry()])


async def test_a_host_that_cannot_rename_over_a_file(
    start_sshd: Callable[..., Any], target: Make, entry: Make, folder: Path
) -> None:
    """Where there is no rename in one step nothing is written, rather than in two."""
    server = await start_sshd("poor", "Subsystem sftp internal-sftp -P posix-rename")
    options = {"key": {"file": str(server.keys / "user")}, "known_hosts": str(server.keys / "known_hosts")}
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    with pytest.raises((UnsupportedError, PermissionDeniedError)):
        await target(hosts=[server.host], **options).apply(server.host, [entry()])
    assert names(folder) == ["config.json"]
    assert (folder / "config.json").read_text() == "{}"


async def test_one_host_down_is_one_placement_failed(server: Any, target: Make, entry: Make, folder: Path) -> None:
    """Of several hosts one that is down fails alone; it is named."""
    edge = target(hosts=["127.0.0.1:1", server.host])
    down, up = await asyncio.gather(
        *(edge.apply(host, [entry()]) for host in await edge.placements()), return_exceptions=True
    )
    assert isinstance(down, UnavailableError)
    assert "127.0.0.1:1:" in str(down)
    assert isinstance(up, Held)
    assert up.logins == {"ghcr": entry().login}
    assert (folder / "config.json").exists()


async def test_a_host_that_says_nothing(target: Make, entry: Make) -> None:
    """A host that takes the connection and stays silent holds nobody up for longer than its time."""

    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(stay_silent, "127.0.0.1", 0)
    host = f"127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    async with listener:
        with pytest.raises(UnavailableError, match="nothing done in 1 s"):
            await target(hosts=[host], timeout="1s").apply(host, [entry()])


async def test_another_host_is_not_ours(target: Make, entry: Make) -> None:
    """A host that is not configured is not found."""
    with pytest.raises(NotFoundError):
        await target().read("elsewhere", [entry()])


def test_without_the_extra() -> None:
    """Without asyncssh the options can be read, and the target says what to install."""
    code = (
        "import sys; sys.modules['asyncssh'] = None\n"
        "from rotator.targets.docker_config_ssh import DockerConfigSshConfig, DockerConfigSshTarget\n"
        "options = dict(type='docker_config_ssh', hosts=['h'], user='u', key={'env': 'K'}, path='p')\n"
        "options['known_hosts'] = '/k'\n"
        "try: DockerConfigSshTarget('edge', DockerConfigSshConfig.model_validate(options), None)\n"
        "except Exception as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == [
        "targets.edge: needs the Python package asyncssh, which is not installed",
        "Install rotator[ssh]",
    ]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"hosts": []}, "at least 1", id="no host"),
        pytest.param({"hosts": ["a", "A:22"]}, "names one twice", id="twice"),
        pytest.param({"hosts": ["me@a"]}, "no host", id="a user in it"),
        pytest.param({"hosts": ["a:0"]}, "no host", id="port 0"),
        pytest.param({"hosts": ["a:65536"]}, "no host", id="port too high"),
        pytest.param({"hosts": ["::1"]}, "no host", id="IPv6 without brackets"),
        pytest.param({"user": "a b"}, "name of a user", id="no user"),
        pytest.param({"known_hosts": "known_hosts"}, "no absolute path", id="relative known_hosts"),
        pytest.param({"path": "~/.docker/config.json"}, "without ~", id="a tilde"),
        pytest.param({"path": "/a/../b"}, "not a path of a file", id="upwards"),
        pytest.param({"path": "/a/"}, "not a path of a file", id="a directory"),
        pytest.param({"key": "/root/.ssh/id"}, "never written here", id="a bare key"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    """Options that name no host, user or file are refused with what to write instead."""
    usual = {"hosts": ["a"], "user": "u", "key": {"env": "K"}, "known_hosts": "/k", "path": "p"}
    with pytest.raises(ValueError, match=words):
        DockerConfigSshConfig.model_validate({"type": "docker_config_ssh", **usual, **options})


@pytest.mark.parametrize("host", ["a", "a.example:2222", "[::1]:22", "10.0.0.1"])
def test_hosts_as_people_write_them(host: str) -> None:
    """Names and addresses with and without a port are hosts."""
    usual = {"user": "u", "key": {"env": "K"}, "known_hosts": "/k", "path": "p"}
    assert DockerConfigSshConfig.model_validate({"type": "docker_config_ssh", "hosts": [host], **usual}).hosts == (
        host,
    )
