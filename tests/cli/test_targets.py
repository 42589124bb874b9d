"""``rotator targets``, against a daemon that waits for a person."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.cli.targets_stanza import FILL_IN, stanza
from rotator.kinds import kinds
from rotator.sandbox.registry import SandboxRegistry

SECRET = "canary-3f9c1b7d5e2a4860-mine"
TARGETS = """
  tago: {{type: tagoio_deploy, project: acme-prod, image: "{registry}/team/app", image_tag: "1"}}
"""


@pytest.fixture
async def waiting(directory: Path, registry: SandboxRegistry, start: Any) -> AsyncIterator[Any]:
    """Return a daemon whose credential is in a file and waits to be entered in a project."""
    path = directory / "rotator.yaml"
    text = path.read_text().replace("deliver_to: [at-mine]", "deliver_to: [at-mine, tago]")
    path.write_text(text + TARGETS.format(registry=registry.host))
    async with start(directory) as started:
        await started.until("delivery_awaits_person")
        await started.until("rotation_partially_delivered")
        yield started


async def test_a_persons_part_from_end_to_end(waiting: Any) -> None:
    """What waits is shown with what to run; the login is shown once; the word ends it; the log says who did what."""
    found = await waiting.ask("targets", "--json")
    assert {one["target"]: one["state"] for one in json.loads(found.out)} == {"at-mine": "in sync", "tago": "awaiting"}
    listed = await waiting.ask("targets")
    assert "awaiting" in listed.out
    assert "rotator targets ack tago --generation 1" in listed.out.replace("\n", " ").replace("  ", " ")
    shown = await waiting.ask("targets", "reveal", "tago")
    assert shown.out.splitlines() == ["Username: mine-robot", "Registry Access Password, on the next line:", SECRET]
    again = await waiting.ask("targets", "reveal", "tago")
    assert (again.code, "shown already" in again.err, SECRET in again.out + again.err) == (1, True, False)
    asked = await waiting.ask("targets", "ack", "tago")
    assert (asked.code, "--generation 1" in asked.err) == (2, True)
    done = await waiting.ask("targets", "ack", "tago", "--generation", "1")
    assert (done.code, done.out.splitlines()[0]) == (0, "acme-prod holds generation 1 of mine, as you say.")
    assert done.out.splitlines()[-1] == "Nothing is left to do there. How all targets stand: rotator targets"
    after = await waiting.ask("targets")
    assert "operator" in after.out
    assert "Nothing needs you." in after.out
    assert "ok" in (await waiting.ask("status")).out
    await waiting.stop()
    log = "".join(waiting.log)
    assert "login_revealed" in log
    assert "delivery_acknowledged" in log
    assert SECRET not in log + found.out + listed.out + after.out + done.out


async def test_a_target_is_tried(shared: Any) -> None:
    """A trial says what was seen; of a target that is not there, which there are."""
    here = await shared.ask("targets", "test", "at-mine")
    assert (here.code, "readable; 1 of 1 logins seen there (value)" in here.out.replace("\n", " ")) == (0, True)
    nope = await shared.ask("targets", "test", "nope")
    assert (nope.code, "There are: at-broken, at-leaked, at-mine" in nope.err) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("ack", "at-mine", "--generation", "1"), id="nothing waits"),
        pytest.param(("ack", "nope", "--generation", "1"), id="no such target"),
        pytest.param(("ack", "nope"), id="no such target to ask about"),
        pytest.param(("ack", "tago", "--generation", "0"), id="no generation"),
        pytest.param(("reveal", "nope"), id="nothing to reveal"),
    ],
)
async def test_wrong_usage(shared: Any, words: tuple[str, ...]) -> None:
    """What cannot be meant ends with exit code 2 and one line of advice."""
    assert (await shared.ask("targets", *words)).code == 2


@pytest.mark.parametrize("kind", sorted(kinds().targets))
def test_a_stanza_has_every_option(kind: str) -> None:
    """Each kind's piece of configuration is YAML, names every option, and asks for exactly what is needed."""
    model = kinds().targets[kind]
    text = stanza(kind, model)
    written = next(iter(yaml.safe_load(text)["targets"].values()))
    needed = {field.alias or name for name, field in model.model_fields.items() if field.is_required()}
    assert set(written) == needed | {"type"}
    for name, field in model.model_fields.items():
        assert f"{field.alias or name}:" in text
    assert max(len(line) for line in text.splitlines()) <= 120
    assert FILL_IN in text or not needed - {"type"}


async def test_a_stanza_of_no_kind(run: Any) -> None:
    """A kind that is not there is refused with the ones that are."""
    ran = await run("targets", "add", "kubernets")
    assert (ran.code, "kubernetes" in ran.err) == (2, True)
