"""What a person on call does from the command line, against the real daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.sandbox.registry import SandboxRegistry


async def second_version(daemon: Any, registry: SandboxRegistry) -> None:
    """Put a second value at the source and wait until it is in use."""
    registry.add_login("robot", "canary-second-value")
    (daemon.directory / "secret").write_text("canary-second-value")
    ended = await daemon.ask("rotate", "mine", "--reason", "a new value")
    assert ended.code == 0, ended.out + ended.err


async def test_rolling_back(daemon: Any, registry: SandboxRegistry) -> None:
    """An earlier version comes back under a new generation, and every view says which serves and which is alive."""
    await second_version(daemon, registry)
    back = await daemon.ask("rollback", "mine", "--reason", "the new one is bad")
    assert (back.code, "mine: succeeded (generation 3)" in back.out) == (0, True)
    shown = await daemon.ask("versions", "mine")
    assert "here (1)" in shown.out
    assert "3: in use; carries the secret of generation 1" in shown.out
    listed = json.loads((await daemon.ask("versions", "mine", "--json")).out)["versions"]
    assert [(one["generation"], one["stage"]) for one in listed] == [(3, "current"), (2, "previous"), (1, "retired")]
    detail = await daemon.ask("status", "mine")
    assert "generation 2 was taken back" in detail.out
    assert "generation 2 is not dead yet" in detail.out
    for ended in (back, shown, detail):
        assert "canary" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        pytest.param(("rollback", "nope", "--reason", "x"), 2, "Configured are: mine", id="unknown credential"),
        pytest.param(("rollback", "mine", "--reason", "x"), 2, "an earlier version is not kept", id="no earlier one"),
        pytest.param(("rollback", "mine", "--to", "1", "--reason", "x"), 1, "in use already", id="the one in use"),
        pytest.param(("rollback", "mine", "--to", "9", "--reason", "x"), 2, "9 is not kept", id="a version unknown"),
        pytest.param(("rollback", "mine"), 2, "--reason", id="no reason"),
        pytest.param(("versions", "nope"), 2, "Configured are: mine", id="versions of nothing"),
    ],
)
async def test_a_mistake_gets_a_sentence(daemon: Any, arguments: tuple[str, ...], code: int, words: str) -> None:
    """What cannot be done is refused with what is possible instead, and without a traceback."""
    ended = await daemon.ask(*arguments)
    assert (ended.code, words in ended.err, "Traceback" in ended.err) == (code, True, False), ended.err
