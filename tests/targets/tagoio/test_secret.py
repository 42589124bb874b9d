"""A secret of a TagoIO profile holds logins, and shows by everything but its value that it does."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.declares import Effect, Proof
from rotator.domain.model import Entry
from rotator.errors import ConflictError, FencedError, NotFoundError, RotatorError, UnavailableError, UnsupportedError
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.tagoio import SandboxSecret, SandboxTagoio
from rotator.targets.context import TargetContext
from rotator.targets.tagoio_secret import TagoioSecretConfig, TagoioSecretTarget

KEY = "REGISTRY_LOGIN"
MakeEntry = Callable[..., Entry]
MakeTarget = Callable[..., TagoioSecretTarget]


@pytest.fixture
def target(api: dict[str, Any], context: TargetContext) -> MakeTarget:
    """Return a function that makes a target; it takes the options of the configuration."""

    def make(**options: Any) -> TagoioSecretTarget:
        config = TagoioSecretConfig.model_validate({"type": "tagoio_secret", "key": KEY, "api": api, **options})
        return TagoioSecretTarget("analyses", config, context)

    return make


def only(tagoio: SandboxTagoio) -> SandboxSecret:
    """Return the only secret of the profile."""
    (secret,) = tagoio.secrets.values()
    return secret


@pytest.mark.parametrize(
    ("format_", "value"),
    [
        pytest.param(
            "docker_config",
            '{"auths":{"ghcr.io":{"auth":"cm9ib3Q6Y2FuYXJ5LXBhc3N3b3JkLTVkMWYtMQ=="}}}',
            id="docker_config",
        ),
        pytest.param(
            "login",
            '{"registry": "ghcr.io", "username": "robot", "password": "canary-password-5d1f-1"}',
            id="login",
        ),
        pytest.param("password", "canary-password-5d1f-1", id="password"),
    ],
)
async def test_the_formats(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, format_: str, value: str
) -> None:
    """The secret is made with the login in the format that the Analyses expect, and tags that say which it is."""
    held = await target(format=format_).apply(KEY, [entry()])
    assert (only(tagoio).key, only(tagoio).value) == (KEY, value)
    assert only(tagoio).tags == [{"key": "rotator:ghcr", "value": "1 print-1"}]
    assert (held.proof, dict(held.logins)) == (Proof.METADATA, {"ghcr": entry().login})


async def test_a_newer_login_replaces_the_older(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, clock: ManualClock
) -> None:
    """The same secret is changed, its tags of others stay, and repeating changes nothing."""
    made = target(adopt=True)
    first = tagoio.add_secret(KEY, "by hand", {"team": "web"})
    clock.advance(timedelta(seconds=1))
    for generation, changed in ((1, True), (2, True), (2, False)):
        held = await made.apply(KEY, [entry(generation=generation)])
        assert (held.changed, list(held.logins)) == (changed, ["ghcr"])
        clock.advance(timedelta(seconds=1))
    assert only(tagoio).id == first.id
    assert only(tagoio).tags == [{"key": "team", "value": "web"}, {"key": "rotator:ghcr", "value": "2 print-2"}]
    assert tagoio.count("PUT", "/secrets") == 2


async def test_a_restart_writes_nothing(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """Tags and length tell a daemon that was restarted that the login is there already."""
    await target().apply(KEY, [entry()])
    held = await target().apply(KEY, [entry()])
    assert (held.changed, list(held.logins), tagoio.count("PUT", "/")) == (False, ["ghcr"], 0)


async def test_a_value_that_somebody_changed_is_written_again(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, clock: ManualClock
) -> None:
    """A change in the console is found by its time, even where the length is the same; reading tells it, too."""
    made = target(format="password")
    await made.apply(KEY, [entry()])
    clock.advance(timedelta(seconds=1))
    only(tagoio).value, only(tagoio).updated_at = "x" * len(only(tagoio).value), clock.now()
    clock.advance(timedelta(seconds=1))
    assert dict((await made.read(KEY, [entry()])).logins) == {}
    assert (await made.apply(KEY, [entry()])).changed
    assert only(tagoio).value == entry().login.secret.reveal()


async def test_a_secret_of_somebody_else_is_left_alone(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry
) -> None:
    """What a person made under the key is not overwritten unless the configuration says so."""
    tagoio.add_secret(KEY, "by hand")
    with pytest.raises(ConflictError, match="adopt: true"):
        await target().apply(KEY, [entry()])
    assert only(tagoio).value == "by hand"


@pytest.mark.parametrize(
    "older",
    [
        pytest.param({"generation": 6}, id="older generation"),
        pytest.param({"generation": 7, "fingerprint": "print-of-another"}, id="another daemon's"),
    ],
)
async def test_an_older_daemon_is_fenced_off(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, older: dict[str, Any]
) -> None:
    """A daemon that never saw the newer generation finds it in the tags."""
    await target().apply(KEY, [entry(generation=7)])
    value = only(tagoio).value
    with pytest.raises(FencedError) as caught:
        await target().apply(KEY, [entry(**older)])
    assert (caught.value.generation, only(tagoio).value) == (7, value)


async def test_the_filter_may_find_more(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A secret whose key only looks the same to TagoIO's filter is another one."""
    other = tagoio.add_secret(KEY.lower(), "another's")
    await target().apply(KEY, [entry()])
    assert (other.value, len(tagoio.secrets)) == ("another's", 2)


@pytest.mark.parametrize("format_", [pytest.param("login", id="login"), pytest.param("password", id="password")])
async def test_one_login_where_there_is_room_for_one(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, format_: str
) -> None:
    """A format for one login refuses two and writes neither."""
    with pytest.raises(UnsupportedError, match="ghcr, quay"):
        await target(format=format_).apply(KEY, [entry(), entry("quay", registry="quay.io")])
    assert tagoio.secrets == {}


async def test_a_write_that_did_not_arrive_is_not_confirmed(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry
) -> None:
    """An answer that says it worked is not believed when the secret looks as before."""
    made = target()
    await made.apply(KEY, [entry()])
    tagoio.fail(200, method="PUT", body='{"status": true, "result": "Successfully Updated"}')
    assert dict((await made.apply(KEY, [entry(generation=2)])).logins) == {}


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param('{"status": true, "result": null}', id="nothing"),
        pytest.param('{"status": true, "result": {"id": "1"}}', id="half"),
        pytest.param('{"status": true, "result": {"id": "1", "value_length": "8", "updated_at": "x"}}', id="text"),
    ],
)
async def test_an_answer_that_is_not_understood(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, shown: str
) -> None:
    """A secret that is not shown as documented is not written over."""
    await target().apply(KEY, [entry()])
    value = only(tagoio).value
    tagoio.fail(200, method="GET", path=f"/secrets/{only(tagoio).id}", body=shown)
    with pytest.raises(UnavailableError, match="value_length"):
        await target().apply(KEY, [entry(generation=2)])
    assert only(tagoio).value == value


async def test_damaged_tags_are_absent(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """Tags in no shape of ours say nothing, and our own is put in order."""
    secret = tagoio.add_secret(KEY, "x", {"rotator:ghcr": "many", "rotator:other": "1 print"})
    secret.tags.append({"key": "lonely"})
    await target().apply(KEY, [entry()])
    assert secret.tags == [{"key": "lonely"}, {"key": "rotator:ghcr", "value": "1 print-1"}]


async def test_another_placement_is_unknown(target: MakeTarget, entry: MakeEntry) -> None:
    """Only the configured key is a placement."""
    assert await target().placements() == (KEY,)
    with pytest.raises(NotFoundError):
        await target().apply("OTHER", [entry()])


async def test_no_secret_in_an_error(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A server that repeats what it was sent reaches no error."""
    made = target()
    tagoio.fail(400, method="POST", body=json.dumps({"status": False, "message": entry().login.secret.reveal()}))
    with pytest.raises(RotatorError) as caught:
        await made.apply(KEY, [entry()])
    assert "canary" not in f"{caught.value!r}{caught.value.__cause__!r}{caught.value.__context__!r}{vars(made)!r}"


def test_what_it_declares(target: MakeTarget) -> None:
    """It can prove a write by metadata only, and whoever reads the secret next has it."""
    assert (target().declares.readback, target().declares.effect) == (Proof.METADATA, Effect.NEXT_PULL)


@pytest.mark.parametrize(
    "key", [pytest.param("", id="empty"), pytest.param("A*", id="pattern"), pytest.param("A B", id="space")]
)
def test_a_key_is_a_name(target: MakeTarget, key: str) -> None:
    """A key that a filter would take for a pattern is refused."""
    with pytest.raises(ValidationError):
        target(key=key)


@pytest.mark.parametrize("known_as", ["quay", "quay-before"])
async def test_a_login_without_a_version_is_not_dropped(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, known_as: str
) -> None:
    """A value that is marked as holding a login which may be a neighbour's waits until that has a version."""
    await target().apply(KEY, [entry(), entry(known_as, registry="quay.io")])
    before = only(tagoio).value
    with pytest.raises(UnavailableError, match=f"analyses: {KEY}: waits for the first version of quay:"):
        await target().apply_beside(KEY, [entry(generation=2)], {"quay": "quay.io"})
    assert only(tagoio).value == before
    await target().apply(KEY, [entry(generation=2), entry("quay", registry="quay.io")])
    assert set(json.loads(only(tagoio).value)["auths"]) == {"ghcr.io", "quay.io"}


async def test_a_neighbour_that_is_not_in_it_blocks_nobody(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, clock: ManualClock
) -> None:
    """A login is written and renewed in a value that holds no other, though a neighbour has no version yet."""
    for generation in (1, 2):
        held = await target().apply_beside(KEY, [entry(generation=generation)], {"quay": "quay.io"})
        assert (held.changed, list(held.logins)) == (True, ["ghcr"])
        assert set(json.loads(only(tagoio).value)["auths"]) == {"ghcr.io"}
        clock.advance(timedelta(seconds=1))
