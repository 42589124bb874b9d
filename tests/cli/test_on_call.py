"""What a person on call does from the command line, against a real daemon."""

from __future__ import annotations

import json
from typing import Any

import pytest


async def test_rolling_back(shared: Any) -> None:
    """An earlier version comes back under a new generation, and every view says which serves and which is alive."""
    assert (await shared.second_version("rolled")).code == 0
    back = await shared.ask("rollback", "rolled", "--reason", "the new one is bad")
    assert (back.code, "rolled: succeeded (generation 3)" in back.out) == (0, True)
    shown = await shared.ask("versions", "rolled")
    assert "at-rolled (1)" in shown.out
    assert "3: in use; carries the secret of generation 1" in shown.out
    listed = json.loads((await shared.ask("versions", "rolled", "--json")).out)["versions"]
    assert [(one["generation"], one["stage"]) for one in listed] == [(3, "current"), (2, "previous"), (1, "retired")]
    detail = await shared.ask("status", "rolled")
    assert "generation 2 was taken back" in detail.out
    assert "generation 2 is not dead yet" in detail.out
    for ended in (back, shown, detail):
        assert "canary" not in ended.out + ended.err


MISTAKES = (
    (("rollback", "nope", "--reason", "x"), 2, "Configured are: broken, leaked, mine"),
    (("rollback", "mine", "--reason", "x"), 2, "an earlier version is not kept"),
    (("rollback", "mine", "--to", "1", "--reason", "x"), 1, "in use already"),
    (("rollback", "mine", "--to", "9", "--reason", "x"), 2, "9 is not kept"),
    (("versions", "nope"), 2, "Configured are: broken, leaked, mine"),
    (("leak", "nope", "--reason", "x"), 2, "Configured are: broken, leaked, mine"),
    (("leak", "mine"), 2, "no leak of mine was reported"),
)


async def test_a_mistake_gets_a_sentence(shared: Any) -> None:
    """What cannot be done is refused with what is possible instead, and without a traceback."""
    for arguments, code, words in MISTAKES:
        ended = await shared.ask(*arguments)
        assert (ended.code, words in ended.err, "Traceback" in ended.err) == (code, True, False), (arguments, ended.err)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("rollback", "mine"), "--reason", id="no reason"),
        pytest.param(("leak", "--all"), "--since", id="all of when"),
        pytest.param(("leak", "--all", "--since", "2026-11-28T09:00:00"), "zone", id="an instant without a zone"),
        pytest.param(("leak", "--all", "--since", "0001-01-01T00:00:00+23:59"), "--since", id="before all time"),
        pytest.param(("leak", "--all", "--since", "9999999d"), "--since", id="longer ago than there is time"),
        pytest.param(("leak", "mine", "--reason", "x", "--budget", "soon"), "--budget", id="a budget in words"),
    ],
)
async def test_wrong_words_ask_no_daemon(run: Any, arguments: tuple[str, ...], words: str) -> None:
    """What is wrong in itself is said without a daemon."""
    ended = await run(*arguments, "--socket", "/nowhere")
    assert (ended.code, words in ended.err, "Traceback" in ended.err) == (2, True, False), ended.err


async def test_a_leak_is_over_once_all_is_done(shared: Any, names: tuple[str, ...], secret: str) -> None:
    """The command names the place for the new token, follows it everywhere, and ends with 0 once the old is refused."""
    early = await shared.ask("leak", "leaked", "--reason", "in a build log", "--budget", "1s", COLUMNS="300")
    assert early.code == 1
    assert f"you: make a new token at the vendor and put it at file: {shared.directory}/leaked.secret" in early.out
    shared.registry.revoke("leaked-robot", f"{secret}-leaked")
    assert (await shared.second_version("leaked")).code == 0
    over = await shared.ask("leak", "leaked", "--budget", "3m")
    assert (over.code, "leaked: over" in over.out) == (0, True), over.out
    assert "generation 2 is in use" in over.out
    everything = await shared.ask("leak", "--all", "--since", "1d")
    assert everything.code == 0
    assert f"{len(names)} of {len(names)} credentials have a version from after" in everything.out
    for ended in (early, over, everything):
        assert secret not in ended.out + ended.err


async def test_what_is_older_is_a_failure(shared: Any) -> None:
    """Without a reason nothing is begun; what is older than the instant is named, with exit code 1."""
    listed = await shared.ask("leak", "--all", "--since", "2999-01-01T00:00:00Z")
    assert (listed.code, "older, or without any: mine" in listed.out) == (1, True)


async def test_what_depends_on_it_and_who_did_what(shared: Any, secret: str) -> None:
    """Usage names the place and what would fail; the audit shows the first rotation and is intact, line by line."""
    used = await shared.ask("usage", "mine")
    assert f"{shared.directory}/docker/mine/config.json" in "".join(used.out.split("\n"))
    assert "fails from then on" in " ".join(used.out.split())
    listed = json.loads((await shared.ask("audit", "--credential", "mine", "--json")).out)
    assert {"rotate", "issue", "deliver"} <= {one["action"] for one in listed}
    checked = await shared.ask("audit", "verify")
    assert (checked.code, "each as it was written" in checked.out) == (0, True)
    exported = await shared.ask("audit", "export")
    numbers = [json.loads(line)["number"] for line in exported.out.splitlines()]
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) >= len(listed)
    drawn = await shared.ask("audit")
    for ended in (used, checked, exported, drawn):
        assert (ended.code, secret in ended.out + ended.err) == (0, False)
