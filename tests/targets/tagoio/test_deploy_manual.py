"""A person is told what to enter, handed the login, and waited for."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.declares import Proof
from rotator.domain.model import Entry
from rotator.errors import AwaitingOperatorError, NotFoundError, RotatorError, UnsupportedError
from rotator.targets.context import TargetContext
from rotator.targets.tagoio_deploy import TagoioDeployConfig, TagoioDeployTarget

PROJECT = "acme-prod"
MakeEntry = Callable[..., Entry]
MakeTarget = Callable[..., TagoioDeployTarget]


@pytest.fixture
def target(context: TargetContext) -> MakeTarget:
    """Return a function that makes a target; it takes the options of the configuration."""

    def make(**options: Any) -> TagoioDeployTarget:
        form = {"type": "tagoio_deploy", "project": PROJECT, "image": "ghcr.io/acme/service", "image_tag": "v1"}
        return TagoioDeployTarget("tago", TagoioDeployConfig.model_validate({**form, **options}), context)

    return make


async def awaited(made: TagoioDeployTarget, entry: Entry) -> AwaitingOperatorError:
    """Apply an entry and return what a person is told."""
    with pytest.raises(AwaitingOperatorError) as caught:
        await made.apply(PROJECT, [entry])
    return caught.value


@pytest.mark.parametrize(
    ("options", "where"),
    [
        pytest.param({}, "rotator targets reveal tago", id="reveal"),
        pytest.param({"hand_over": "elsewhere", "elsewhere": "Vault, kv/tago"}, "Vault, kv/tago", id="elsewhere"),
    ],
)
async def test_a_person_is_told_what_to_do(
    target: MakeTarget, entry: MakeEntry, options: dict[str, Any], where: str
) -> None:
    """The text names project, fields, user name, generation, where the password is, and what to run then."""
    text = str(await awaited(target(**options), entry(generation=7)))
    for part in (
        PROJECT,
        "Username robot",
        "Registry Access Password",
        where,
        "rotator targets ack tago --generation 7",
    ):
        assert part in text
    assert "canary" not in text


async def test_a_user_name_that_is_the_secret_is_not_told(target: MakeTarget, entry: MakeEntry) -> None:
    """I6: where the registry takes the token as user name too, the text says so and does not hold it."""
    text = str(await awaited(target(), entry(username="canary-both", password="canary-both")))
    assert ("canary" in text, "Username (the password once more)" in text) == (False, True)


async def test_nothing_is_said_to_be_done(target: MakeTarget, entry: MakeEntry) -> None:
    """However often it is asked, the target never claims that a person did it."""
    made = target()
    for _ in range(2):
        await awaited(made, entry())
    held = await made.read(PROJECT, [entry()])
    assert (dict(held.logins), made.declares.readback, made.reveals) == ({}, Proof.OPERATOR, True)


async def test_a_file_is_handed_over(target: MakeTarget, entry: MakeEntry, tmp_path: Path) -> None:
    """The file has the four fields, is for its owner only, survives a restart, follows the generation, and goes."""
    path = tmp_path / "hand-over" / "tago.txt"
    options = {"hand_over": "file", "file": str(path)}
    assert str(path) in str(await awaited(target(**options), entry()))
    await awaited(target(**options), entry(generation=2))
    lines = path.read_text().splitlines()
    assert lines[-4:] == [
        "Image: ghcr.io/acme/service",
        "Image Tag: v1",
        "Username: robot",
        f"Registry Access Password: {entry(generation=2).login.secret.reveal()}",
    ]
    assert (stat.S_IMODE(path.stat().st_mode), target(**options).reveals) == (0o600, False)
    for _ in range(2):
        await target(**options).taken(PROJECT)
    assert not path.exists()


async def test_a_file_that_cannot_be_written(target: MakeTarget, entry: MakeEntry, tmp_path: Path) -> None:
    """Where the file cannot be, nobody is told that it is there."""
    made = target(hand_over="file", file=str(tmp_path / "a" / "b" / "c"))
    with pytest.raises(NotFoundError):
        await made.apply(PROJECT, [entry()])


@pytest.mark.parametrize(
    "login",
    [
        pytest.param({"password": "{\n}"}, id="line break"),
        pytest.param({"username": "a\tb"}, id="tab"),
    ],
)
async def test_what_cannot_be_typed(target: MakeTarget, entry: MakeEntry, login: dict[str, str]) -> None:
    """A login that does not fit into one line of a form is refused, not handed over in pieces."""
    with pytest.raises(UnsupportedError, match="cannot be typed"):
        await target().apply(PROJECT, [entry(**login)])


async def test_another_placement_is_unknown(target: MakeTarget, entry: MakeEntry) -> None:
    """Only the project is a placement."""
    made = target()
    assert await made.placements() == (PROJECT,)
    for call in (made.apply("other", [entry()]), made.read("other", [entry()]), made.taken("other")):
        with pytest.raises(NotFoundError):
            await call


async def test_no_secret_is_kept_in_sight(target: MakeTarget, entry: MakeEntry, tmp_path: Path) -> None:
    """Neither the target nor an error shows the password."""
    (tmp_path / "blocked").write_text("")
    made = target(hand_over="file", file=str(tmp_path / "blocked" / "x"))
    with pytest.raises(RotatorError) as caught:
        await made.apply(PROJECT, [entry()])
    assert "canary" not in f"{caught.value!r}{caught.value.__cause__!r}{vars(made)!r}{vars(made._mode)!r}"
