"""The last line of each command that takes long: what happened, and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rotator.cli.failure import UsageError, report
from rotator.errors import ConfigError, RotatorError


def last(ended: Any) -> tuple[int, str]:
    """Return the exit code and the last line, on whichever stream."""
    return ended.code, (ended.out + ended.err).splitlines()[-1]


async def test_the_audit(shared: Any) -> None:
    """What is intact says what it cannot see; an export says where the next one goes on, beside its lines."""
    assert last(await shared.ask("audit", "verify", COLUMNS="200")) == (
        0,
        "If your last export has more, an older audit was put back; else nothing is left to do.",
    )
    exported = await shared.ask("audit", "export", "--after", "2")
    newest = exported.out.count("\n") + 2
    assert exported.err == (
        f"Records 3 to {newest} were printed. What comes later: rotator audit export --after {newest}\n"
    )
    nothing = await shared.ask("audit", "export", "--after", "9999")
    assert (nothing.code, nothing.out) == (0, "")
    assert nothing.err.startswith("There is no record after 9999. ")


async def test_a_target_that_cannot_be_read(shared: Any) -> None:
    """A trial that failed counts what did, and says how to try again."""
    path: Path = shared.directory / "docker" / "broken" / "config.json"
    before = path.read_text()
    path.write_text("{{")
    failed = await shared.ask("targets", "test", "at-broken", COLUMNS="200")
    doubted = await shared.ask("plan", "broken", COLUMNS="200")
    path.write_text(before)
    again = "Mend that, then try again: rotator targets test at-broken"
    assert last(failed) == (1, f"1 of 1 failed. Nothing was written. {again}")
    assert last(doubted) == (0, "Not all is as it should be; what each target needs: rotator targets")
    worked = await shared.ask("targets", "test", "at-mine", COLUMNS="200")
    assert last(worked) == (0, "Nothing was written. Whether writing is allowed shows at the next delivery.")


async def test_a_plan(shared: Any, tmp_path: Path) -> None:
    """A plan says how it is done, and one in which nothing is due how to plan what is not."""
    file = tmp_path / "plan"
    nothing, something = await shared.ask("plan", "mine"), await shared.ask("plan", "mine", "--rotate", COLUMNS="200")
    assert last(nothing) == (0, "To plan what is not due: rotator plan mine --rotate")
    assert last(something) == (0, "To do exactly this: rotator plan mine --rotate --out FILE, then rotator apply FILE")
    written = await shared.ask("plan", "mine", "--rotate", "--out", str(file), COLUMNS="200")
    assert last(written) == (0, f"Written to {file}. Do it with: rotator apply {file}")


async def test_applying_a_plan(shared: Any, tmp_path: Path) -> None:
    """It is followed to its end and counted; what failed makes it fail; with --no-wait it says how to follow."""
    file, idle = tmp_path / "plan", tmp_path / "idle"
    await shared.ask("plan", "mine", "--rotate", "--out", str(file))
    applied = await shared.ask("apply", str(file))
    assert last(applied) == (0, "1 of 1 rotations ended well. Nothing is left to do.")
    assert "mine: unchanged" in applied.out
    await shared.ask("plan", "unwatched", "--rotate", "--out", str(file))
    assert last(await shared.ask("apply", str(file), "--no-wait")) == (0, "Follow it with: rotator status --watch")
    await shared.ask("plan", "mine", "--out", str(idle))
    assert last(await shared.ask("apply", str(idle))) == (
        0,
        "The plan has nothing to rotate, so nothing is left to do.",
    )
    (shared.directory / "refused.secret").write_text("canary-that-nobody-knows")
    await shared.ask("plan", "refused", "--rotate", "--out", str(file))
    refused = await shared.ask("apply", str(file))
    assert last(refused) == (1, "0 of 1 rotations ended well. How the rest stands: rotator status")
    assert "canary" not in refused.out + refused.err


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        pytest.param(RotatorError("it broke", hint="Mend it"), ["rotator: it broke", "  Mend it"], id="advice"),
        pytest.param(
            RotatorError("it broke"),
            ["rotator: it broke", "  Look for what is wrong with: rotator doctor"],
            id="no advice",
        ),
        pytest.param(UsageError("say 30s"), ["rotator: say 30s"], id="usage says it itself"),
        pytest.param(ConfigError(["a:1: b"]), ["a:1: b"], id="configuration says it itself"),
    ],
)
def test_an_error_says_what_next(capsys: pytest.CaptureFixture[str], error: RotatorError, lines: list[str]) -> None:
    """The last line of an error is what to do about it."""
    report(error)
    assert capsys.readouterr().err.splitlines() == lines
