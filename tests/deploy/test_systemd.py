"""The unit for systemd: what it promises, and what systemd itself says of it."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.cli.daemon import STOP_SECONDS

HERE = Path(__file__).parent
UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "rotator.service"
MAX_EXPOSURE = 1.5
"""Of 10; a service without any of these settings has 9.6."""


def settings(section: str) -> dict[str, list[str]]:
    """Return the settings of one section."""
    found: dict[str, list[str]] = defaultdict(list)
    current = ""
    for line in UNIT.read_text().splitlines():
        if line.startswith("["):
            current = line.strip("[]")
        elif line and not line.startswith("#") and current == section:
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


SERVICE = settings("Service")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("Type", "notify"),
        ("NoNewPrivileges", "yes"),
        ("ProtectSystem", "strict"),
        ("LimitCORE", "0"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
        ("StateDirectory", "rotator"),
        ("StateDirectoryMode", "0700"),
        ("RuntimeDirectory", "rotator"),
        ("RuntimeDirectoryMode", "0700"),
        ("User", "rotator"),
        ("ExecReload", "/bin/kill -HUP $MAINPID"),
    ],
    ids=lambda value: value if re.fullmatch(r"[A-Z]\w+", value) else "",
)
def test_what_the_unit_promises(key: str, value: str) -> None:
    """Each promise is made, once."""
    assert SERVICE[key] == [value]


def test_calls_are_those_of_a_service_without_rights() -> None:
    """First what services need is let through, then what only privileged ones need is taken out."""
    assert SERVICE["SystemCallFilter"] == ["@system-service", "~@privileged @resources"]


def test_the_daemon_has_time_to_stop() -> None:
    """The service manager waits longer than the daemon takes at most."""
    (value,) = SERVICE["TimeoutStopSec"]
    assert int(value.removesuffix("s")) > STOP_SECONDS


def test_the_watchdog_waits_longer_than_a_reload() -> None:
    """While one configuration gives way to the next nobody reports; the watchdog must outlast that."""
    (value,) = SERVICE["WatchdogSec"]
    assert int(value.removesuffix("s")) >= 4 * STOP_SECONDS


def test_no_secret_is_passed_through_the_environment() -> None:
    """Nothing but a proxy exception is offered as a variable."""
    lines = re.findall(r"^#?Environment\w*=(.*)$", UNIT.read_text(), re.MULTILINE)
    assert lines == ["NO_PROXY=169.254.169.254"]


@pytest.fixture
def analyze(program: Callable[[str], str], tmp_path: Path) -> tuple[str, Path]:
    """Return systemd-analyze, and the unit with a program that exists on every machine."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/rotator/bin/rotator", "/bin/true"))
    return program("systemd-analyze"), unit


def test_systemd_understands_every_line(analyze: tuple[str, Path]) -> None:
    """Neither an unknown setting nor a value that cannot be read."""
    program, unit = analyze
    done = subprocess.run([program, "verify", str(unit)], capture_output=True, text=True, check=False)
    told = [line for line in done.stderr.splitlines() if UNIT.name in line]
    assert told == []


def test_systemd_finds_little_exposed(analyze: tuple[str, Path]) -> None:
    """By systemd's own measure the service is well sandboxed."""
    program, unit = analyze
    command = [program, "security", "--offline=true", "--no-pager", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure.group(1)) <= MAX_EXPOSURE


def system_calls(groups: dict[str, list[str]], name: str) -> set[str]:
    """Return the calls that a name in SystemCallFilter= stands for."""
    if not name.startswith("@"):
        return {name}
    return {call for inner in groups[name] for call in system_calls(groups, inner)}


@pytest.fixture
def confine(program: Callable[[str], str]) -> list[str]:
    """Return the command that runs a program under the system call filters of the unit."""
    command = [program("systemd-analyze"), "syscall-filter", "--no-pager"]
    groups: dict[str, list[str]] = {}
    for line in subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines():
        if line.startswith("@"):
            group = groups.setdefault(line, [])
        elif line.startswith("    ") and "#" not in line:
            group.append(line.strip())
    calls: set[str] = set()
    for value in SERVICE["SystemCallFilter"]:
        named = {call for name in value.lstrip("~").split() for call in system_calls(groups, name)}
        calls = calls - named if value.startswith("~") else calls | named
    families = (str(getattr(socket, name).value) for name in SERVICE["RestrictAddressFamilies"][0].split())
    return [sys.executable, str(HERE / "confine.py"), ",".join(sorted(calls)), ",".join(families)]


FORBIDDEN = """
import mmap, os, socket
for act in (
    lambda: mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC),
    lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW),
    lambda: os.chown("/", 0, 0),
    lambda: os.nice(1),
):
    try:
        act()
    except OSError as error:
        print(error.strerror)
"""


@pytest.mark.integration
def test_the_filters_bite(confine: list[str]) -> None:
    """What the unit forbids is refused under its filters, or the tests below show nothing."""
    command = [*confine, sys.executable, "-c", FORBIDDEN]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    refused = "Operation not permitted"
    assert told == [refused, "Address family not supported by protocol", refused, refused]


@pytest.mark.integration
def test_the_demo_needs_no_more_calls(confine: list[str]) -> None:
    """SR-39: rotating, delivering, verifying and serving need no system call that the unit takes away."""
    command = [*confine, sys.executable, "-m", "rotator", "demo", "--once"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "done: every chapter was proved from outside" in done.stdout


CONFIG = """
version: 1
store: {{url: "sqlite:///{state}/rotator.db", seal_key_file: {credentials}/seal-key}}
admin: {{socket: "{state}/admin.sock", listen: "127.0.0.1:0", tokens_file: {credentials}/tokens, behind_proxy: true}}
metrics: {{listen: "127.0.0.1:0"}}
credentials:
  hub:
    provider: dockerhub
    registry: 127.0.0.1:9
    username: bot
    token: {{file: {credentials}/token}}
    deliver_to: [edge]
targets:
  edge: {{type: docker_config, path: {state}/config.json}}
"""


@pytest.mark.integration
@pytest.mark.usefixtures("root")
def test_the_daemon_starts_as_the_service_does(
    confine: list[str], program: Callable[[str], str], tmp_path: Path
) -> None:
    """SR-32: with its secrets as systemd hands them over, on files that it cannot change, the daemon starts."""
    unshare, setpriv = program("unshare"), program("setpriv")
    given, state = tmp_path / "given", tmp_path / "state"
    for folder in (given, state):
        folder.mkdir()
    key = base64.b64encode(b"k" * 32).decode()
    for name, text in {"seal-key": key, "tokens": "t" * 32 + " viewer", "token": "dckr_pat_canary"}.items():
        (given / name).write_text(text)
        (given / name).chmod(0o440)
    (tmp_path / "rotator.yaml").write_text(CONFIG.format(state=state, credentials="/run/credentials/rotator.service"))
    without = [setpriv, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all", *confine]
    daemon = [sys.executable, "-m", "rotator", "run", "--config", str(tmp_path / "rotator.yaml")]
    command = [unshare, "--mount", str(HERE / "service.sh"), str(given), str(state), *without, *daemon]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager, (tmp_path / "log").open("w") as log:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(60)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
        with subprocess.Popen(command, env=environment, stderr=log) as process:
            try:
                assert manager.recv(100).startswith(b"READY=1"), (tmp_path / "log").read_text()
            finally:
                process.terminate()
            assert manager.recv(100) == b"STOPPING=1"
    assert process.returncode == 0
    assert "dckr_pat_canary" not in (tmp_path / "log").read_text()
