"""The demo is a promise of the README: it runs, proves every target, and ends well."""

from __future__ import annotations

import subprocess
import sys

from rotator.demo.diagnose import CASES, play
from rotator.demo.narrator import Narrator, describe
from rotator.demo.proof import Proof
from rotator.domain.events import ClockStepped, SourceFailed
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.scene import Shown


def test_one_cycle_proves_every_target() -> None:
    """`rotator demo --once` plays a whole cycle, every pull works, and the exit code is 0."""
    command = [sys.executable, "-m", "rotator", "demo", "--once"]

    played = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    assert played.returncode == 0, played.stdout + played.stderr
    assert played.stdout.count(" of 8 pulls work") == 2
    assert played.stdout.index("8 of 8 pulls work") < played.stdout.index("Why an image does not pull")
    assert played.stdout.splitlines()[-1].endswith("done: every chapter was proved from outside")
    assert "DOES NOT PULL" not in played.stdout
    assert "Or in a browser: http://127.0.0.1:" in played.stdout
    assert "token-of-the-demo" not in played.stdout + played.stderr


def test_a_pull_that_fails_is_said_and_fails_the_proof(clock: ManualClock) -> None:
    """A placement that does not pull is named with the registry's answer, and the proof is not given."""
    lines: list[str] = []
    narrator = Narrator(clock, lines.append)

    proved = narrator.prove([Proof("Secret web/regcred", "team/api:1", pulls=False, why="HTTP 401")])

    assert not proved
    assert "DOES NOT PULL: team/api:1 with what Secret web/regcred holds: HTTP 401" in lines[-1]


async def test_troubles_are_told_apart(clock: ManualClock) -> None:
    """A wrong login, an expired one, a missing right, a missing tag and a used-up limit are told apart."""
    lines: list[str] = []

    told_apart = await play(Narrator(clock, lines.append), clock)

    assert told_apart
    assert len({case.ailment for case in CASES}) == len(CASES) == 5
    assert [line for line in lines if "WRONG" in line] == []
    assert sum("advice: " in line for line in lines) == 5
    assert not any(shown.password in line for shown in Shown for line in lines)


def test_no_proof_is_no_success(clock: ManualClock) -> None:
    """Where nothing was tried, nothing is proved."""
    assert not Narrator(clock, lambda _: None).prove([])


def test_an_outage_is_told_once(clock: ManualClock) -> None:
    """A source that stays away is mentioned once, not at every poll."""
    lines: list[str] = []
    narrator = Narrator(clock, lines.append)

    for _ in range(5):
        narrator(SourceFailed("service", "unavailable", "vault is sealed"))

    assert len(lines) == 1


def test_what_a_newcomer_need_not_know_is_not_told() -> None:
    """Events that mean nothing to a newcomer make no line."""
    assert describe(ClockStepped(3.0)) == ""
