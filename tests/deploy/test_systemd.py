"""The unit for systemd: what it promises, and what systemd itself says of it."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from rotator.cli.daemon import STOP_SECONDS

UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "rotator.service"
MAX_EXPOSURE = 2.0
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
        ("SystemCallFilter", "@system-service"),
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
def analyze(tmp_path: Path) -> tuple[str, Path]:
    """Return systemd-analyze, and the unit with a program that exists on every machine."""
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed; the unit's own tests ran")
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/rotator/bin/rotator", "/bin/true"))
    return program, unit


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
    if "offline" in done.stderr and "unrecognized" in done.stderr:
        pytest.skip("this systemd-analyze is older than 250 and asks a running systemd")
    exposure = re.search(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert exposure is not None, done.stdout + done.stderr
    assert float(exposure.group(1)) <= MAX_EXPOSURE
