"""Requests that the operator wrote change the login of a TagoIO Deploy project."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.declares import Effect, Proof
from rotator.domain.model import Entry
from rotator.errors import (
    ConflictError,
    FencedError,
    PermanentError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.tagoio import SandboxTagoio
from rotator.targets.context import TargetContext
from rotator.targets.tagoio_deploy import TagoioDeployConfig, TagoioDeployTarget

PROJECT = "acme-prod"
APPLY = {
    "path": "/made-up/{project}/image",
    "body": {"image": "{image}", "image_tag": "{image_tag}", "username": "{username}", "password": "{password}"},
}
READ = {"path": "/made-up/{project}/image", "username_at": "/result/username", "updated_at": "/result/updated_at"}
STATUS = {"path": "/made-up/{project}/deployments", "state_at": "/result/0/status", "id_at": "/result/0/id"}
MakeEntry = Callable[..., Entry]
MakeTarget = Callable[..., TagoioDeployTarget]


@pytest.fixture
def target(api: dict[str, Any], context: TargetContext) -> MakeTarget:
    """Return a function that makes a target with all three requests; ``http`` changes their options."""

    def make(name: str = "tago", http: dict[str, Any] | None = None, **options: Any) -> TagoioDeployTarget:
        requests = {"api": api, "apply": APPLY, "read": READ, "status": STATUS, **(http or {})}
        given = {"type": "tagoio_deploy", "project": PROJECT, "image": "ghcr.io/acme/service", "image_tag": "v1"}
        config = TagoioDeployConfig.model_validate({**given, "mode": "http", "http": requests, **options})
        return TagoioDeployTarget(name, config, context)

    return make


def deployments(tagoio: SandboxTagoio) -> int:
    """Return how many deployments there were after the first."""
    return len(tagoio.projects[PROJECT].deployments) - 1


async def test_a_login_is_deployed(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """The login is in the form once its one deployment has ended well; image and tag are as they were."""
    held = await target().apply(PROJECT, [entry()])
    login = {"username": "robot", "password": entry().login.secret.reveal()}
    assert tagoio.form(PROJECT) == {"image": "ghcr.io/acme/service", "image_tag": "v1", **login}
    assert (dict(held.logins), held.changed, held.proof) == ({"ghcr": entry().login}, True, Proof.USERNAME)
    assert deployments(tagoio) == 1


async def test_repeating_deploys_nothing(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """What was deployed is not deployed again, and is found by reading."""
    made = target()
    await made.apply(PROJECT, [entry()])
    held, read = await made.apply(PROJECT, [entry()]), await made.read(PROJECT, [entry()])
    assert (held.changed, list(held.logins), list(read.logins)) == (False, ["ghcr"], ["ghcr"])
    assert deployments(tagoio) == 1


async def test_a_busy_project_is_left_alone(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """While somebody else's deployment runs nothing is sent, and it is a matter of time."""
    tagoio.deploy(PROJECT)
    with pytest.raises(ConflictError, match="runs already"):
        await target().apply(PROJECT, [entry()])
    assert tagoio.count("PUT", "/") == 0


async def test_a_refusal_because_of_a_deployment_is_a_matter_of_time(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry
) -> None:
    """Without a request for the state, the text of the refusal tells that the project is busy."""
    tagoio.deploy(PROJECT)
    with pytest.raises(ConflictError, match="busy"):
        await target(http={"status": None}).apply(PROJECT, [entry()])


async def test_a_failed_deployment_is_not_repeated(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A deployment that ended in an error is told with its id, and only a new generation is deployed."""
    made = target()
    tagoio.deployments_fail = True
    for _ in range(2):
        with pytest.raises(PermanentError, match="ended in an error") as caught:
            await made.apply(PROJECT, [entry()])
        assert tagoio.projects[PROJECT].deployments[1].id in str(caught.value)
    assert (deployments(tagoio), tagoio.form(PROJECT)["password"]) == (1, "old")
    tagoio.deployments_fail = False
    assert list((await made.apply(PROJECT, [entry(generation=2)])).logins) == ["ghcr"]


async def test_a_deployment_that_takes_too_long(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A deployment that does not end is given up for now; the next try goes on waiting and sends nothing."""
    made = target()
    tagoio.deploy_time = timedelta(minutes=40)
    with pytest.raises(UnavailableError, match="did not end in time"):
        await made.apply(PROJECT, [entry()])
    held = await made.apply(PROJECT, [entry()])
    assert (list(held.logins), held.changed, deployments(tagoio)) == (["ghcr"], True, 1)


async def test_the_deployment_before_ours_is_not_ours(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry
) -> None:
    """A list that does not show our deployment yet is asked again: its success is another one's."""
    made = target()
    hidden = tagoio.fail(200, method="PUT", path="/made-up", body='{"status": true}')
    with pytest.raises(UnavailableError, match="any deployment of generation 1 did not end"):
        await made.apply(PROJECT, [entry()])
    hidden.times = 0
    tagoio.deploy(PROJECT, {"username": "robot", "password": "sent before"})
    tagoio.projects[PROJECT].updated_at += timedelta(seconds=1)
    assert list((await made.apply(PROJECT, [entry()])).logins) == ["ghcr"]


async def test_accepted_is_not_shown(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """An answer that says it worked is not believed when the form shows another user, and is not repeated at once."""
    made = target(http={"status": None})
    tagoio.fail(200, method="PUT", body='{"status": true}')
    for _ in range(2):
        assert dict((await made.apply(PROJECT, [entry()])).logins) == {}
    assert tagoio.count("PUT", "/") == 1


async def test_a_change_in_the_console_is_undone_in_time(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, clock: ManualClock
) -> None:
    """What somebody changes after us is found by reading, and written over after the interval, not in a fight."""
    made = target()
    await made.apply(PROJECT, [entry()])
    tagoio.projects[PROJECT].form["username"] = "somebody"
    assert dict((await made.read(PROJECT, [entry()])).logins) == {}
    with pytest.raises(ConflictError, match="somebody else changed"):
        await made.apply(PROJECT, [entry()])
    clock.advance(timedelta(hours=6))
    assert (await made.apply(PROJECT, [entry()])).changed
    assert (tagoio.form(PROJECT)["username"], deployments(tagoio)) == ("robot", 2)


@pytest.mark.parametrize(
    ("http", "proof"),
    [
        pytest.param({}, Proof.USERNAME, id="user name"),
        pytest.param({"read": {**READ, "username_at": None}}, Proof.METADATA, id="time"),
        pytest.param({"read": None}, Proof.METADATA, id="state"),
        pytest.param({"read": None, "status": None}, Proof.NONE, id="nothing"),
    ],
)
async def test_the_proof_is_what_the_requests_allow(
    target: MakeTarget, entry: MakeEntry, http: dict[str, Any], proof: Proof
) -> None:
    """The target declares no more than its requests can show, and says no more of a delivery."""
    made = target(http=http)
    held = await made.apply(PROJECT, [entry()])
    assert (made.declares.readback, held.proof, made.declares.effect) == (proof, proof, Effect.CAUSES_REDEPLOY)
    assert made.declares.min_interval == timedelta(hours=6)


@pytest.mark.parametrize(
    "http",
    [
        pytest.param({"status": {**STATUS, "state_at": "/result/7/status"}}, id="no state there"),
        pytest.param({"status": {**STATUS, "ok": ["fine"]}}, id="unknown state"),
        pytest.param({"read": {**READ, "username_at": "/result/user"}}, id="no user name there"),
    ],
)
async def test_requests_that_do_not_fit_send_nothing(
    tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry, http: dict[str, Any]
) -> None:
    """A pointer that leads nowhere is found before anything is deployed, and named."""
    with pytest.raises(UnavailableError, match="/result/"):
        await target(http=http).apply(PROJECT, [entry()])
    assert tagoio.count("PUT", "/") == 0


async def test_the_wait_in_the_text_is_handed_on(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A limit's wait reaches the engine."""
    tagoio.limit = 0
    with pytest.raises(RateLimitedError) as caught:
        await target().apply(PROJECT, [entry()])
    assert caught.value.retry_after == timedelta(seconds=60)


async def test_an_api_without_envelope(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """With ``envelope: none`` the status of the answer is enough."""
    tagoio.fail(200, method="PUT", body="{}")
    made = target(http={"envelope": "none", "status": None, "read": None})
    assert list((await made.apply(PROJECT, [entry()])).logins) == ["ghcr"]


@pytest.mark.parametrize(
    ("entries", "error"),
    [
        pytest.param([{}, {"credential": "hub", "registry": "docker.io"}], UnsupportedError, id="two logins"),
        pytest.param([], UnsupportedError, id="none"),
        pytest.param([{"registry": "docker.io"}], UnsupportedError, id="another registry"),
        pytest.param([{"password": ""}], ShapeError, id="blank password"),
        pytest.param([{"username": " "}], ShapeError, id="blank user"),
    ],
)
async def test_what_the_form_cannot_hold(
    tagoio: SandboxTagoio,
    target: MakeTarget,
    entry: MakeEntry,
    entries: list[dict[str, Any]],
    error: type[RotatorError],
) -> None:
    """The form holds one login, for its image's registry; a blank password would keep the old one."""
    with pytest.raises(error):
        await target().apply(PROJECT, [entry(**one) for one in entries])
    assert len(tagoio.asked) == 0


async def test_an_older_generation_is_refused(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """What this daemon deployed is not taken back by it."""
    made = target()
    await made.apply(PROJECT, [entry(generation=7)])
    with pytest.raises(FencedError) as caught:
        await made.apply(PROJECT, [entry(generation=6)])
    assert (caught.value.generation, deployments(tagoio)) == (7, 1)


async def test_targets_of_one_project_take_turns(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """Two targets that write one project never deploy at the same time."""
    one, other = target("one"), target("other")
    assert one._turn is other._turn
    assert target("third", project="acme-test")._turn is not one._turn
    for made in (one, other):
        assert list((await made.apply(PROJECT, [entry()])).logins) == ["ghcr"]
    assert deployments(tagoio) == 2


async def test_no_secret_in_an_error(tagoio: SandboxTagoio, target: MakeTarget, entry: MakeEntry) -> None:
    """A control plane that repeats what it was sent reaches no error."""
    made = target()
    text = f"wrong password {entry().login.secret.reveal()}"
    tagoio.fail(400, method="PUT", body=json.dumps({"status": False, "message": text}))
    with pytest.raises(PermanentError) as caught:
        await made.apply(PROJECT, [entry()])
    assert "canary" not in f"{caught.value!r}{caught.value}{caught.value.__cause__!r}{vars(made)!r}{vars(made._mode)!r}"
