"""SR-19: Alertmanager as a trigger: who may, which alerts, at most once, and nothing that it says is followed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.admin.alert_models import AlertGroup
from rotator.admin.alerts import MAX_REMEMBERED, REMEMBERED, AlertDesk
from rotator.config.alertmanager import AlertConfig, AlertmanagerConfig
from rotator.config.root import Config
from rotator.domain.alert import Alert, AlertRule, Outcome, holds_back, subject
from rotator.domain.events import AlertHandled
from rotator.domain.rotation import Rotation, State, Step, end
from rotator.errors import StoreError
from rotator.sandbox.clock import ManualClock

PATH = "/api/v1/hooks/alertmanager"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
EVIL = "http://169.254.169.254/../../etc/passwd"


def _alert(name: str = "LoginFails", *, number: int = 1, status: str = "firing", **labels: str) -> dict[str, Any]:
    return {
        "status": status,
        "labels": {"alertname": name, "credential": "ghcr", "instance": EVIL, **labels},
        "annotations": {"runbook_url": EVIL},
        "startsAt": "2026-11-23T11:58:00.000Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": EVIL,
        "fingerprint": f"{number:016x}",
    }


def _group(*alerts: dict[str, Any], key: str = '{}:{alertname="LoginFails"}', truncated: int = 0) -> dict[str, Any]:
    return {
        "version": "4",
        "groupKey": key,
        "truncatedAlerts": truncated,
        "status": "firing",
        "receiver": "rotator",
        "groupLabels": {"alertname": "LoginFails"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": EVIL,
        "alerts": list(alerts),
    }


@pytest.fixture
def config(config: Config) -> Config:
    """Return the configuration with three alerts that rotate something."""
    alerts = {
        "LoginFails": AlertConfig(label="credential"),
        "OnlyEcr": AlertConfig(label="credential", only=("ecr-prod",)),
        "AppDown": AlertConfig(credential="ghcr"),
    }
    admin = config.admin.model_copy(update={"alertmanager": AlertmanagerConfig(alerts=alerts)})
    return config.model_copy(update={"admin": admin})


async def _post(session: Any, body: Any, status: int = 200) -> dict[str, Any]:
    async with session.post(PATH, json=body) as answer:
        told: dict[str, Any] = await answer.json()
        assert answer.status == status, told
    return told


async def test_an_alert_rotates_what_its_label_names(served: Any) -> None:
    """SR-19: a configured alert that fires rotates the credential that its label names, for who showed the token."""
    async with served.as_role("hook") as session:
        told = await _post(session, _group(_alert()))
    ((name, message, by),) = served.daemon.requests
    assert (name, message, by) == ("ghcr", f"alert LoginFails fires ({1:016x})", "token 6")
    (rotation,) = served.daemon.kept
    assert told == {
        "alerts": [{"alert": "LoginFails", "outcome": "started", "credential": "ghcr", "rotation": rotation}],
        "truncated": 0,
        "message": "",
    }
    assert served.daemon.told == [AlertHandled(Outcome.STARTED, "LoginFails", "ghcr", rotation)]


@pytest.mark.parametrize(
    ("alert", "outcome"),
    [
        pytest.param(_alert(status="resolved"), "resolved", id="does not fire any more"),
        pytest.param(_alert("Other"), "unknown_alert", id="not configured"),
        pytest.param(_alert(""), "unknown_alert", id="no name"),
        pytest.param(_alert(credential="nope"), "unknown_credential", id="no such credential"),
        pytest.param(_alert(credential="../ghcr"), "unknown_credential", id="a path"),
        pytest.param(_alert("OnlyEcr"), "unknown_credential", id="a credential that it may not rotate"),
        pytest.param(_alert("AppDown", credential="ecr-prod"), "started", id="a label that does not count"),
    ],
)
async def test_what_is_not_allowed_rotates_nothing(served: Any, alert: dict[str, Any], outcome: str) -> None:
    """SR-19: alert names and labels are allow-lists; what is not in them is answered, counted and does nothing."""
    async with served.as_role("hook") as session:
        (told,) = (await _post(session, _group(alert)))["alerts"]
    assert told["outcome"] == outcome
    assert [name for name, _, _ in served.daemon.requests] == (["ghcr"] if outcome == "started" else [])
    assert [event.outcome for event in served.daemon.told] == [outcome]
    assert EVIL not in json.dumps(told)


async def test_a_storm_is_one_rotation(served: Any) -> None:
    """SR-19, SR-18: a hundred messages at once, of one alert or of a hundred, are one rotation of the credential."""
    desk, _ = _desk(served)
    same = await asyncio.gather(*(_outcome(desk, _alert()) for _ in range(100)))
    many = await asyncio.gather(*(_outcome(desk, _alert(number=2 + one)) for one in range(100)))
    assert len(served.daemon.requests) == 1
    assert Counter(outcome for (outcome,) in same) == {"started": 1, "duplicate": 99}
    assert Counter(outcome for (outcome,) in many) == {"running": 100}


async def test_a_message_that_comes_by_another_door_is_known(served: Any) -> None:
    """SR-19: what was acted on over TCP is a duplicate on the socket."""
    async with served.as_role("hook") as session:
        await _post(session, _group(_alert()))
    async with served.unix() as session:
        (told,) = (await _post(session, _group(_alert())))["alerts"]
    assert told["outcome"] == "duplicate"


async def test_what_was_left_out_is_said(served: Any) -> None:
    """SR-19: alerts that Alertmanager cut off are told to the sender, with what to do, and counted."""
    async with served.as_role("hook") as session:
        told = await _post(session, _group(_alert(), truncated=7))
    assert told["truncated"] == 7
    assert told["message"].startswith("7 alerts were left out, and 1 of those that came started a rotation; raise")
    assert [event.outcome for event in served.daemon.told] == ["started", "truncated"]


@pytest.mark.parametrize(
    ("role", "status"),
    [("viewer", 403), ("hook", 200), ("operator", 200), ("admin", 200)],
    ids=["viewer", "hook", "operator", "admin"],
)
async def test_a_role_is_needed(served: Any, role: str, status: int) -> None:
    """SR-18, SR-19: who may only look starts nothing by an alert, either."""
    async with served.as_role(role) as session:
        await _post(session, _group(_alert()), status)
    assert len(served.daemon.requests) == (status == 200)


async def test_it_has_to_be_configured(served: Any) -> None:
    """SR-19: without a configured alert the path says so, and starts nothing."""
    plain = served.daemon.config.admin.model_copy(update={"alertmanager": None})
    served.daemon.config = served.daemon.config.model_copy(update={"admin": plain})
    async with served.as_role("hook") as session:
        told = await _post(session, _group(_alert()), 404)
    assert "admin.alertmanager" in told["error"]["hint"]
    assert served.daemon.requests == []


async def test_what_could_not_be_begun_may_be_sent_again(served: Any) -> None:
    """SR-19: a message that found the state locked is answered so that Alertmanager repeats it, and then acted on."""
    served.daemon.broken = StoreError("the state is locked")
    async with served.as_role("hook") as session:
        await _post(session, _group(_alert()), 503)
        served.daemon.broken = None
        (told,) = (await _post(session, _group(_alert())))["alerts"]
    assert told["outcome"] == "started"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"version": "5"}, id="another format"),
        pytest.param({"groupKey": ""}, id="no key"),
        pytest.param({"groupKey": "x" * 9000}, id="a long key"),
        pytest.param({"truncatedAlerts": -1}, id="a negative number"),
        pytest.param({"alerts": [_alert() | {"fingerprint": "../../x"}]}, id="no fingerprint"),
        pytest.param({"alerts": [_alert() | {"status": "pending"}]}, id="another status"),
        pytest.param({"alerts": [_alert() | {"labels": {str(number): "" for number in range(65)}}]}, id="many labels"),
        pytest.param({"alerts": [{}] * 501}, id="many alerts"),
        pytest.param({"alerts": "all"}, id="no list"),
    ],
)
async def test_what_is_no_message_is_refused(served: Any, change: dict[str, Any]) -> None:
    """SR-19: what Alertmanager would not send is refused as a whole, and starts nothing."""
    async with served.as_role("hook") as session:
        told = await _post(session, _group(_alert()) | change, 422)
    assert told["error"]["code"] == "invalid_request"
    assert served.daemon.requests == []


async def test_a_message_is_small(served: Any) -> None:
    """SR-19: a message of more than 64 KiB is not read."""
    async with served.as_role("hook") as session:
        await _post(session, _group(_alert(filler="x" * 70_000)), 413)
    assert served.daemon.requests == []


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=15), inner, max_size=4),
    max_leaves=12,
)
_SPOTS = st.sampled_from(["version", "groupKey", "truncatedAlerts", "alerts", "status", "externalURL", "new"])
_ALERT_SPOTS = st.sampled_from(["status", "labels", "startsAt", "fingerprint", "generatorURL", "annotations"])


@given(spot=_SPOTS, value=_JSON, alert_spot=_ALERT_SPOTS, alert_value=_JSON, name=st.text(max_size=20))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_any_message_is_answered(
    served: Any, spot: str, value: Any, alert_spot: str, alert_value: Any, name: str
) -> None:
    """SR-19: whatever stands at any spot of a message, it is answered or refused, and only known names rotate."""
    async with served.as_role("hook") as session:
        for body in (
            value,
            _group(_alert()) | {spot: value},
            _group(_alert() | {alert_spot: alert_value}),
            _group(_alert(name, credential=name)),
        ):
            content = json.dumps(body).encode()
            async with session.post(PATH, data=content, headers={"Content-Type": "application/json"}) as answer:
                assert answer.status in {200, 422}, await answer.text()
    assert {credential for credential, _, _ in served.daemon.requests} <= {"ghcr", "ecr-prod"}


def _desk(served: Any) -> tuple[AlertDesk, ManualClock]:
    clock = ManualClock(NOW)
    served.daemon.clock = clock
    return AlertDesk(served.daemon), clock


async def _outcome(desk: AlertDesk, *alerts: dict[str, Any]) -> list[str]:
    handled = await desk.take(AlertGroup.model_validate(_group(*alerts)), "token 1")
    return [one.outcome.value for one in handled.alerts]


async def test_a_rotation_cools_down_and_an_old_alert_is_news_again(served: Any) -> None:
    """SR-19: nothing is rotated within the cool-down of the last rotation, nor for the same alert within a day."""
    desk, clock = _desk(served)
    assert await _outcome(desk, _alert()) == ["started"]
    for rotation in list(served.daemon.kept.values()):
        served.daemon.kept[rotation.id] = end(rotation, State.SUCCEEDED, "done", at=NOW)
    clock.advance(timedelta(minutes=14, seconds=59))
    assert await _outcome(desk, _alert(number=2)) == ["cooling"]
    clock.advance(timedelta(seconds=1))
    assert await _outcome(desk, _alert(), _alert(number=3)) == ["duplicate", "started"]
    served.daemon.kept.clear()
    clock.advance(REMEMBERED)
    assert await _outcome(desk, _alert()) == ["started"]


async def test_an_alert_that_begins_again_is_another(served: Any) -> None:
    """SR-19: an alert that was resolved and fires anew is acted on, where the cool-down lets it."""
    desk, clock = _desk(served)
    await _outcome(desk, _alert())
    served.daemon.kept.clear()
    clock.advance(timedelta(hours=1))
    assert await _outcome(desk, _alert(), _alert() | {"startsAt": "2026-11-23T12:58:00Z"}) == ["duplicate", "started"]


async def test_what_is_remembered_is_bounded(served: Any) -> None:
    """SR-19: however many alerts come, memory for no more than a few thousand of them is spent."""
    desk, _ = _desk(served)
    for number in range(MAX_REMEMBERED + 100):
        served.daemon.kept.clear()
        await _outcome(desk, _alert(number=number))
    assert len(desk._acted_on) == MAX_REMEMBERED


@pytest.mark.parametrize(
    ("state", "ago", "held"),
    [
        pytest.param(State.RUNNING, 99, Outcome.RUNNING, id="it runs, however long"),
        pytest.param(State.FAILED, 4, Outcome.COOLING, id="it failed just now"),
        pytest.param(State.SUCCEEDED, 5, None, id="the cool-down is over"),
        pytest.param(None, 0, None, id="there was none"),
    ],
)
def test_a_recent_rotation_holds_back(state: State | None, ago: int, held: Outcome | None) -> None:
    """A rotation that runs, or began within the cool-down, holds an alert back."""
    began = NOW - timedelta(minutes=ago)
    rotation = Rotation("r1", "ghcr", "RenewalPointReached", "", Step.ISSUE, State.RUNNING, began)
    newest = None if state is None else replace(rotation, state=state)
    assert holds_back(newest, NOW, timedelta(minutes=5)) is held


@given(
    name=st.text(max_size=8),
    is_firing=st.booleans(),
    labels=st.dictionaries(st.text(max_size=4), st.sampled_from(["a", "b", "evil"]), max_size=3),
    label=st.text(max_size=4),
)
@settings(max_examples=100, derandomize=True)
def test_only_what_is_allowed_is_ever_named(name: str, is_firing: bool, labels: dict[str, str], label: str) -> None:  # noqa: FBT001 (a row)
    """SR-19: whatever an alert says, what comes of it is an allowed credential or a word for why not."""
    rule = AlertRule(None, label, ("a", "b"))
    found = subject(Alert(name, is_firing, labels), {name: rule})
    assert found in {"a", "b"} or isinstance(found, Outcome)
    assert is_firing or found is Outcome.RESOLVED
