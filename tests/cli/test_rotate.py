"""``rotator rotate``, against a real daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest


async def test_rotating_an_unchanged_source(shared: Any) -> None:
    """Where the source still holds the value in use, the rotation ends as unchanged, which is no failure."""
    ended = await shared.ask("rotate", "mine", "--reason", "a test")
    assert ended.code == 0
    assert "mine: unchanged" in ended.out
    assert "change it at its source" in ended.out


async def test_rotating_a_new_value(shared: Any) -> None:
    """A new value at the source is taken over, delivered, and told step by step."""
    ended = await shared.second_version("turned")
    assert ended.code == 0
    steps = [word for word in ("issue:", "verify:", "deliver:", "promote:") if word in ended.out]
    assert steps == ["issue:", "verify:", "deliver:", "promote:"]
    assert "turned: succeeded (generation 2)" in ended.out
    assert "canary" not in ended.out + ended.err


async def test_rotating_to_a_value_that_does_not_work(shared: Any) -> None:
    """A value that the registry refuses is a failure with exit code 1, and what was in use stays."""
    (shared.directory / "wrong.secret").write_text("canary-that-nobody-knows")
    ended = await shared.ask("rotate", "wrong", "--reason", "a wrong value")
    assert ended.code == 1
    assert "wrong: failed" in ended.out
    assert "canary" not in ended.out + ended.err
    still = json.loads((await shared.ask("status", "wrong", "--json")).out)
    assert (still["generation"], still["last"]["state"]) == (1, "failed")
    stands = await shared.ask("status", "wrong")
    assert (stands.code, "wrong needs you: make a new one" in " ".join(stands.out.split())) == (1, True), stands.out
    assert "critical: " not in stands.out
    assert (await shared.ask("status", "mine")).code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("nope", "--reason", "x"), 2, "Configured are: broken, leaked, mine", id="unknown credential"),
        pytest.param(("mine", "--reason", "a\nb"), 2, "reason", id="reason of two lines"),
        pytest.param(("mine", "--reason", "x", "--timeout", "soon"), 2, "--timeout", id="timeout without a unit"),
        pytest.param(("mine",), 2, "--reason", id="no reason"),
        pytest.param(("../status", "--reason", "x"), 2, "is not a name", id="a path for a name"),
    ],
)
async def test_a_wrong_request_is_a_usage_error(shared: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    """What cannot be asked for ends with exit code 2 and a sentence, not a traceback."""
    ended = await shared.ask("rotate", *arguments)
    assert ended.code == code
    assert words in ended.err
    assert "Traceback" not in ended.err


async def test_asking_without_waiting(shared: Any) -> None:
    """With --no-wait the command ends at once and says how to follow it."""
    ended = await shared.ask("rotate", "unseen", "--reason", "x", "--no-wait")
    assert (ended.code, "rotator status unseen" in ended.out) == (0, True)
