"""What is special about handing logins to a program."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.declares import Effect, Proof
from rotator.domain.model import UNKNOWN, Entry, Expiry, Login
from rotator.errors import (
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RotatorError,
    UnavailableError,
)
from rotator.sandbox.clock import ManualClock
from rotator.secret import Secret, base64_forms
from rotator.targets.context import TargetContext
from rotator.targets.exec import ExecConfig, ExecTarget
from rotator.transport import Transport

CANARY = "canary-6f20ad8813be"
NOTE = "import sys, pathlib; pathlib.Path(sys.argv[1]).open('a').write(sys.stdin.read() + '\\n')"

Make = Callable[..., ExecTarget]


@pytest.fixture
async def target(clock: ManualClock, tmp_path: Path) -> AsyncIterator[Make]:
    """Return what makes a target whose programs are a few lines of Python; the first argument is a file for notes."""
    transport = Transport(clock=clock)

    def make(code: str = NOTE, reads: str = "", **options: Any) -> ExecTarget:
        command = [sys.executable, "-c", code, str(tmp_path / "notes")]
        read = {"read_command": [sys.executable, "-c", reads, str(tmp_path / "notes")]} if reads else {}
        config = ExecConfig.model_validate({"type": "exec", "command": command, **read, **options})
        return ExecTarget("edge", config, TargetContext(transport, clock, lambda: 0.5))

    yield make
    await transport.close()


def entry(generation: int = 1, expiry: Expiry = UNKNOWN) -> Entry:
    """Return an entry; its password tells its generation."""
    login = Login("robot", Secret(f'{CANARY}-{generation}"\n'))
    return Entry("ghcr", "ghcr.io", login, generation, f"print-{generation}", expiry)


def notes(folder: Path) -> list[dict[str, Any]]:
    """Return what the program was told, run by run."""
    path = folder / "notes"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


async def test_what_a_program_is_told(target: Make, tmp_path: Path) -> None:
    """All that a program must know is on its standard input, quotes and line ends in a password included."""
    at = datetime(2026, 12, 1, tzinfo=UTC)
    held = await target(placements=["edge-1", "edge-2"]).apply("edge-2", [entry(expiry=Expiry(at))])
    assert notes(tmp_path) == [
        {
            "version": 1,
            "action": "apply",
            "placement": "edge-2",
            "entries": [
                {
                    "credential": "ghcr",
                    "registry": "ghcr.io",
                    "generation": 1,
                    "fingerprint": "print-1",
                    "expires_at": "2026-12-01T00:00:00+00:00",
                    "username": "robot",
                    "password": f'{CANARY}-1"\n',
                }
            ],
        }
    ]
    assert (held.changed, held.proof) == (True, Proof.NONE)


async def test_nothing_secret_is_in_arguments_or_environment(target: Make, tmp_path: Path) -> None:
    """What every user of the machine can read of a process holds no login."""
    code = (
        "import sys, pathlib; own = pathlib.Path('/proc/self'); sys.stdin.read(); pathlib.Path(sys.argv[1])"
        ".write_bytes(own.joinpath('cmdline').read_bytes() + own.joinpath('environ').read_bytes())"
    )
    await target(code, env={"SITE": "north"}).apply("default", [entry()])
    seen = (tmp_path / "notes").read_bytes()
    assert b"SITE=north" in seen
    assert CANARY.encode() not in seen


async def test_what_was_accepted_is_not_run_again(target: Make, tmp_path: Path) -> None:
    """The same logins are handed over once for each placement."""
    program = target(placements=["a", "b"])
    for placement in ("a", "b", "a", "b"):
        await program.apply(placement, [entry()])
    assert [note["placement"] for note in notes(tmp_path)] == ["a", "b"]


async def test_the_reader_decides(target: Make, tmp_path: Path) -> None:
    """With a reading program its word counts: equal is not written, and what it does not print is not held."""
    reads = "import json; print(json.dumps({'logins': {'other': {'username': 'x', 'password': 'y'}}}))"
    program = target(reads=reads)
    held = await program.apply("default", [entry()])
    assert (dict(held.logins), held.changed, held.proof) == ({}, True, Proof.VALUE)

    same = json.dumps({"logins": {"ghcr": {"username": "robot", "password": f'{CANARY}-1"\n'}}})
    held = await target(reads=f"print({same!r})").apply("default", [entry()])
    assert (set(held.logins), held.changed) == ({"ghcr"}, False)
    assert len(notes(tmp_path)) == 1


async def test_a_reader_is_told_no_login(target: Make, tmp_path: Path) -> None:
    """A reading program is told what to look for, and no secret."""
    reads = f"{NOTE}; print('{{\"logins\": {{}}}}')"
    assert dict((await target(reads=reads).read("default", [entry()])).logins) == {}
    assert notes(tmp_path)[0]["action"] == "read"
    assert CANARY not in json.dumps(notes(tmp_path))


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("", id="nothing"),
        pytest.param("<html>", id="HTML"),
        pytest.param("[]", id="a list"),
        pytest.param('{"logins": []}', id="a list of logins"),
        pytest.param('{"logins": {"ghcr": "' + CANARY + '"}}', id="a text"),
        pytest.param('{"logins": {"ghcr": {"username": "robot", "password": 1}}}', id="a number"),
        pytest.param('{"logins": {"ghcr": {"username": "robot"}}}', id="no password"),
        pytest.param("[" * 100_000, id="deep"),
    ],
)
async def test_a_reader_that_prints_something_else(target: Make, tmp_path: Path, output: str) -> None:
    """What is no document of logins is an error that shows nothing of it, and nothing is written."""
    reads = f"print({output!r})" if len(output) < 1000 else "print('[' * 100_000)"
    with pytest.raises(PermanentError, match="printed no document of logins") as caught:
        await target(reads=reads).apply("default", [entry()])
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    assert not notes(tmp_path)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        pytest.param(1, PermanentError, id="1"),
        pytest.param(69, UnavailableError, id="unavailable"),
        pytest.param(73, ConflictError, id="conflict"),
        pytest.param(75, UnavailableError, id="try again"),
        pytest.param(77, PermissionDeniedError, id="no right"),
    ],
)
async def test_a_program_that_fails(target: Make, status: int, kind: type[RotatorError]) -> None:
    """A status says what kind of failure it is; the message holds what the program said, without secrets."""
    code = f"import sys; sys.stderr.write('no route: ' + sys.stdin.read()); sys.exit({status})"
    program = target(code)
    with pytest.raises(kind, match=f'ended with status {status}: "no route') as caught:
        await program.apply("default", [entry()])
    told = "".join(traceback.format_exception(caught.value))
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in told]
    assert dict((await program.read("default", [entry()])).logins) == {}


async def test_a_program_that_is_ended_by_a_signal(target: Make) -> None:
    """A program that crashed is named with its signal."""
    with pytest.raises(PermanentError, match=r"was ended by signal 9$"):
        await target("import os; os.kill(os.getpid(), 9)").apply("default", [entry()])


async def test_a_program_that_does_not_end(target: Make, tmp_path: Path) -> None:
    """A time-out after the work was done is unavailable, not done, and safely run again."""
    command = ["/bin/sh", "-c", 'cat >> "$0"; sleep 600', str(tmp_path / "notes")]
    program = target(command=command, timeout="2s")
    with pytest.raises(UnavailableError, match="edge: default: /bin/sh did not end in 2 s"):
        await program.apply("default", [entry()])
    assert len(notes(tmp_path)) == 1
    assert dict((await program.read("default", [entry()])).logins) == {}


async def test_an_older_generation_is_not_handed_over(target: Make, tmp_path: Path) -> None:
    """After a newer generation an older one is refused, before anything runs."""
    program = target()
    await program.apply("default", [entry(7)])
    with pytest.raises(FencedError) as caught:
        await program.apply("default", [entry(6)])
    assert (caught.value.generation, len(notes(tmp_path))) == (7, 1)


async def test_another_placement_is_not_ours(target: Make) -> None:
    """A placement that is not configured is not found."""
    with pytest.raises(NotFoundError):
        await target().apply("elsewhere", [entry()])


def test_what_it_declares(target: Make) -> None:
    """What it can prove follows from whether it can read; what it brings about is what the operator says."""
    blind, seeing = target(effect="causes-redeploy").declares, target(reads="0").declares
    assert (blind.readback, blind.effect) == (Proof.NONE, Effect.CAUSES_REDEPLOY)
    assert (seeing.readback, seeing.effect) == (Proof.VALUE, Effect.NEXT_PULL)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"command": "/bin/put login"}, "tuple", id="a line for a shell"),
        pytest.param({"command": []}, "at least 1", id="no program"),
        pytest.param({"command": ["put-login"]}, "no absolute path", id="a name"),
        pytest.param({"read_command": ["./get"]}, "no absolute path", id="a relative reader"),
        pytest.param({"command": ["/bin/a", "x\0y"]}, "NUL", id="a NUL"),
        pytest.param({"env": {"A=B": "x"}}, "A=B", id="no variable"),
        pytest.param({"placements": []}, "at least 1", id="no placement"),
        pytest.param({"placements": ["a", "a"]}, "twice", id="twice"),
        pytest.param({"placements": ["a\nb"]}, "one line", id="two lines"),
        pytest.param({"timeout": "0s"}, "longer than zero", id="no time"),
        pytest.param({"effect": "magic"}, "next-pull", id="an unknown effect"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    """Options that need a shell, name nothing, or could not be passed on are refused."""
    with pytest.raises(ValueError, match=words):
        ExecConfig.model_validate({"type": "exec", "command": ["/bin/true"], **options})
