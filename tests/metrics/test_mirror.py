"""What a scrape says of credentials and targets is what their status says (I7), and nothing more."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator.domain.headroom import HeadroomState
from rotator.domain.history import OldVersion
from rotator.domain.model import NEVER, UNKNOWN, Record, Stage, Version
from rotator.domain.privilege import Privilege
from rotator.domain.rotation import Rotation, State, Step

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CREDENTIAL = "rotator_credential_"
TARGET = {"target": "prod", "kind": "kubernetes", "credential": "ghcr"}


def _rotation(state: State) -> Rotation:
    return Rotation("r1", "ghcr", "Rejected", "refused", Step.DELIVER, state, NOW)


def test_a_credential_that_is_well_says_all_it_knows(scraped: Any) -> None:
    """Every gauge of a credential has the value of its status."""
    named = {"credential": "ghcr"}

    found = {
        name.removeprefix(CREDENTIAL): scraped.value(name, **named)
        for name in scraped.series()
        if name.startswith(CREDENTIAL) and name != "rotator_credential_info"
    }

    at = NOW.timestamp()
    assert found == {
        "expiry_timestamp_seconds": at + 12 * 3600,
        "issued_timestamp_seconds": at - 3600,
        "renewal_timestamp_seconds": at + 6 * 3600,
        "next_attempt_timestamp_seconds": at + 6 * 3600,
        "outage_deadline_timestamp_seconds": at + 12 * 3600,
        "last_success_timestamp_seconds": at - 240,
        "verified_timestamp_seconds": at,
        "valid": 1.0,
        "consecutive_failures": 0.0,
        "generation": 3.0,
        "previous_alive": 0.0,
    }
    labels = {"provider": "ghcr", "registry": "ghcr.io", "method": "read"}
    assert scraped.value("rotator_credential_info", **named, **labels) == 1.0


def test_an_old_version_that_may_work_is_shown(scraped: Any) -> None:
    """A login that is not in use any more and may still work is a 1, not silence."""
    scraped.statuses = [scraped.status(old=(OldVersion(2, "in its grace"),))]

    assert scraped.value("rotator_credential_previous_alive", credential="ghcr") == 1.0


def test_contested_deliveries_are_counted_by_kind(scraped: Any) -> None:
    """What is left alone is counted over all credentials; where there is none the count is 0, not absent."""
    name = "rotator_drift_contested_deliveries"
    target = scraped.target(contested=2)
    assert scraped.value(name, kind=target.kind) == 0.0

    scraped.statuses = [scraped.status(targets=(target,)), scraped.status(name="other", targets=(target,))]

    assert scraped.value(name, kind=target.kind) == 4.0


def test_what_is_unknown_is_absent(scraped: Any) -> None:
    """A credential that never had a version has no expiry, no verdict and no success, not a 0."""
    scraped.statuses = [scraped.status(current=None, renewal_at=None, record=Record("ghcr", failures=2), targets=())]

    found = {name for name in scraped.series() if name.startswith(CREDENTIAL)}

    assert found == {
        "rotator_credential_info",
        "rotator_credential_consecutive_failures",
        "rotator_credential_generation",
        "rotator_credential_previous_alive",
    }
    assert scraped.value("rotator_credential_consecutive_failures", credential="ghcr") == 2.0
    assert scraped.value("rotator_credential_generation", credential="ghcr") == 0.0


@pytest.mark.parametrize(("expiry", "value"), [(NEVER, math.inf), (UNKNOWN, None)], ids=["never", "unknown"])
def test_never_is_infinite_and_unknown_is_absent(expiry: Any, value: float | None, scraped: Any) -> None:
    """An expiry that never comes is +Inf; one that nobody told is absent; at the target as well."""
    target = scraped.target(expires_at=None)
    scraped.statuses = [scraped.status(current=scraped.version(expiry=expiry), targets=(target,))]

    assert scraped.value("rotator_credential_expiry_timestamp_seconds", credential="ghcr") == value
    assert scraped.value("rotator_target_expiry_timestamp_seconds", **TARGET) == value
    assert scraped.value("rotator_credential_outage_deadline_timestamp_seconds", credential="ghcr") is None


def test_a_target_that_is_behind_does_not_hold_what_never_expires(scraped: Any) -> None:
    """While a placement may hold an older version, its expiry is unknown although the current one never expires."""
    target = scraped.target(expires_at=None, confirmed=1, behind=(scraped.delivery(),))
    scraped.statuses = [scraped.status(current=scraped.version(expiry=NEVER), targets=(target,))]

    assert scraped.value("rotator_target_expiry_timestamp_seconds", **TARGET) is None


def test_a_refusal_makes_a_credential_invalid_until_it_is_accepted_again(scraped: Any) -> None:
    """The verdict is the last that could tell: 0 while refused, absent while nobody asked."""
    for verified, refused, value in ((NOW, NOW, 0.0), (None, NOW, 0.0), (NOW, None, 1.0), (None, None, None)):
        current = replace(scraped.version(), verified_at=verified, rejected_at=refused)
        scraped.statuses = [scraped.status(current=current)]

        assert scraped.value("rotator_credential_valid", credential="ghcr") == value


@pytest.mark.parametrize(
    ("is_excessive", "value"),
    [pytest.param(True, 1.0, id="more"), pytest.param(False, 0.0, id="reads"), pytest.param(None, None, id="unknown")],
)
def test_whether_a_login_may_do_more_than_pull(is_excessive: Any, value: float | None, scraped: Any) -> None:
    """1 where it may, 0 where every scope is known to be for reading, absent where nobody knows."""
    scraped.statuses = [scraped.status(privilege=Privilege(is_excessive))]

    assert scraped.value("rotator_credential_overprivileged", credential="ghcr") == value


def test_back_off_moves_the_next_attempt_and_not_the_renewal(scraped: Any) -> None:
    """After a failure the next attempt is the persisted one; the planned renewal stays where it was."""
    record = Record("ghcr", failures=1, next_attempt_at=NOW + timedelta(minutes=2))
    scraped.statuses = [scraped.status(record=record, renewal_at=NOW - timedelta(minutes=1))]

    assert (
        scraped.value("rotator_credential_next_attempt_timestamp_seconds", credential="ghcr") == NOW.timestamp() + 120
    )
    assert scraped.value("rotator_credential_renewal_timestamp_seconds", credential="ghcr") == NOW.timestamp() - 60


def test_a_removed_credential_takes_its_series_along(scraped: Any) -> None:
    """After a credential left the configuration, no series names it; those of others stay."""
    scraped.statuses = [scraped.status("ghcr"), scraped.status("ecr")]
    assert "ecr" in scraped.text()

    scraped.statuses = [scraped.status("ghcr")]

    assert '"ecr"' not in scraped.text()
    assert 'credential="ghcr"' in scraped.text()


STATES = [
    pytest.param({}, "in_sync", 1.0, id="in sync"),
    pytest.param({"confirmed": 1, "waits": ""}, "stale", 0.0, id="waiting"),
    pytest.param({"confirmed": 1, "waits": "unavailable"}, "failing", 0.0, id="failing"),
    pytest.param({"confirmed": 1, "waits": "fenced"}, "fenced", 0.0, id="fenced"),
    pytest.param({"error": "may not list namespaces"}, "unknown", 0.0, id="unlisted"),
]


@pytest.mark.parametrize(("changes", "state", "in_sync"), STATES)
def test_a_target_is_in_the_state_of_its_deliveries(
    changes: dict[str, Any], state: str, in_sync: float, scraped: Any
) -> None:
    """A target is in sync only when every placement is known and confirmed; each other state has its own word."""
    facts = dict(changes)
    if "waits" in facts:
        facts["behind"] = (scraped.delivery("web/regcred", facts.pop("waits")),)
    scraped.statuses = [scraped.status(targets=(scraped.target(**facts),))]

    states = {dict(labels)["state"]: n for labels, n in scraped.series()["rotator_targets"].items() if n}

    assert states == {state: 1.0}
    assert scraped.value("rotator_target_in_sync", **TARGET) == in_sync


def test_a_target_is_not_in_sync_with_nothing(scraped: Any) -> None:
    """Before the first version is in use, no target is reported as in sync, nor as out of it."""
    target = scraped.target(confirmed=0, placements=0, confirmed_at=None, expires_at=None)
    scraped.statuses = [scraped.status(current=None, targets=(target,))]

    assert scraped.value("rotator_target_in_sync", **TARGET) is None
    assert scraped.value("rotator_target_last_success_timestamp_seconds", **TARGET) is None
    assert scraped.value("rotator_targets", kind="kubernetes", state="unknown") == 1.0


def test_a_target_counts_once_in_its_worst_state(scraped: Any) -> None:
    """A target of several credentials is one target, in the worst of their states; the sum is the number of targets."""
    failing = scraped.target(confirmed=1, behind=(scraped.delivery(error="unavailable"),))
    scraped.statuses = [
        scraped.status("ghcr", targets=(failing, scraped.target("edge", kind="docker_config"))),
        scraped.status("ecr", targets=(scraped.target(),)),
    ]

    states = scraped.series()["rotator_targets"]

    assert scraped.value("rotator_targets", kind="kubernetes", state="failing") == 1.0
    assert scraped.value("rotator_targets", kind="docker_config", state="in_sync") == 1.0
    assert sum(states.values()) == 2.0


def test_every_state_of_every_kind_is_there(scraped: Any) -> None:
    """Without any target, each kind is at 0 in each state."""
    scraped.statuses = []

    assert set(scraped.series()["rotator_targets"].values()) == {0.0}
    assert len(scraped.series()["rotator_targets"]) == 3 * 5


def test_a_kind_nobody_knows_is_other(scraped: Any) -> None:
    """A kind that is not in the table is not exported as it is."""
    scraped.statuses = [scraped.status(targets=(scraped.target(kind="https://evil.example/"),))]

    assert scraped.value("rotator_targets", kind="other", state="in_sync") == 1.0
    assert "evil" not in scraped.text()


@pytest.mark.parametrize(
    ("state", "running"), [(State.RUNNING, 1.0), (State.DELIVERING, 0.0)], ids=["running", "only stragglers"]
)
def test_rotations_in_progress_are_those_that_run(state: State, running: float, scraped: Any) -> None:
    """A rotation that only waits for stragglers is not in progress."""
    scraped.statuses = [scraped.status(running=_rotation(state))]

    assert scraped.value("rotator_rotations_in_progress") == running


LATE = [
    pytest.param({"renewal_at": NOW - timedelta(minutes=3)}, 180.0, id="overdue"),
    pytest.param({"renewal_at": NOW + timedelta(minutes=3)}, 0.0, id="not due"),
    pytest.param({"renewal_at": None}, 0.0, id="never due"),
    pytest.param({"renewal_at": NOW - timedelta(minutes=3), "running": _rotation(State.RUNNING)}, 0.0, id="runs"),
    pytest.param({"renewal_at": NOW - timedelta(minutes=3), "strategy": "read"}, 0.0, id="only a person can"),
    pytest.param(
        {
            "renewal_at": NOW - timedelta(minutes=3),
            "record": Record("ghcr", failures=1, next_attempt_at=NOW - timedelta(minutes=1)),
        },
        60.0,
        id="after a back-off",
    ),
    pytest.param(
        {"renewal_at": NOW + timedelta(hours=1), "record": Record("ghcr", next_attempt_at=NOW - timedelta(hours=1))},
        0.0,
        id="an old back-off",
    ),
    pytest.param(
        {"current": None, "renewal_at": None, "record": Record("ghcr", next_attempt_at=NOW - timedelta(minutes=2))},
        120.0,
        id="never issued",
    ),
]


@pytest.mark.parametrize(("changes", "seconds"), LATE)
def test_lag_is_how_long_the_most_overdue_start_has_waited(
    changes: dict[str, Any], seconds: float, scraped: Any
) -> None:
    """Lag counts from the planned start, after back-off, of what does not run and could."""
    scraped.statuses = [scraped.status(**{"strategy": "ephemeral", **changes})]

    assert scraped.value("rotator_scheduler_lag_seconds") == seconds


def test_a_budget_keeps_what_fails_and_what_expires_first(scraped_with: Callable[[int], Any]) -> None:
    """Above the budget the failing targets stay, then the soonest expiring; what is left out is counted per scrape."""
    scraped = scraped_with(9)
    targets = [scraped.target(f"t{n}", expires_at=NOW + timedelta(hours=n + 1)) for n in range(10)]
    targets[7] = scraped.target("t7", confirmed=1, behind=(scraped.delivery(error="unavailable"),))
    targets[8] = replace(targets[8], confirmed_at=None)
    scraped.statuses = [scraped.status(targets=tuple(targets))]

    series = scraped.series()

    kept = {dict(labels)["target"] for labels in series["rotator_target_in_sync"]}
    assert kept == {"t7", "t0", "t1"}
    dropped = {dict(labels)["metric"]: n for labels, n in series["rotator_metrics_dropped_series_total"].items()}
    assert dropped == {
        "rotator_target_in_sync": 7.0,
        "rotator_target_expiry_timestamp_seconds": 7.0,
        "rotator_target_last_success_timestamp_seconds": 6.0,
    }
    assert sum(series["rotator_targets"].values()) == 10.0
    assert scraped.value("rotator_metrics_dropped_series_total", metric="rotator_target_in_sync") == 14.0


def test_ten_thousand_targets_stay_within_the_budget(scraped_with: Callable[[int], Any]) -> None:
    """With 10,000 targets a page has at most the budgeted series with a target, and says that others are missing."""
    scraped = scraped_with(3000)
    scraped.statuses = [scraped.status(targets=tuple(scraped.target(f"t{n}") for n in range(10_000)))]

    series = scraped.series()

    assert sum(len(found) for found in series.values() if "target" in dict(next(iter(found)))) == 3000
    assert scraped.value("rotator_metrics_dropped_series_total", metric="rotator_target_in_sync") > 0


def test_within_the_budget_nothing_is_dropped(scraped: Any) -> None:
    """The counters of dropped series start at 0."""
    assert set(scraped.series()["rotator_metrics_dropped_series_total"].values()) == {0.0}


def test_a_version_of_another_stage_changes_nothing(scraped: Any) -> None:
    """A pending version is not what is in use: no gauge moves before it is promoted (I7)."""
    before = {name: found for name, found in scraped.series().items() if name.startswith("rotator_credential")}

    pending = Version("ghcr", 4, Stage.PENDING, "f2", "user", NOW)
    scraped.statuses = [scraped.status(pending=pending)]

    assert {name: found for name, found in scraped.series().items() if name.startswith("rotator_credential")} == before


LIMIT = "rotator_registry_ratelimit_"


def _limits(scraped: Any, credential: str) -> dict[str, float]:
    """Return what is said about one limit, by the end of the family's name."""
    named = (("credential", credential), ("registry", "docker.io"))
    series = scraped.series().items()
    return {name.removeprefix(LIMIT): found[named] for name, found in series if name.startswith(LIMIT)}


def test_a_limit_says_what_was_told_and_foretold(scraped: Any) -> None:
    """Each number that the registry told is a gauge; a reset or an end that is not known has none."""
    scraped.limits = [scraped.limit()]
    at = NOW.timestamp()
    told = {"limit": 100.0, "remaining": 50.0, "window_seconds": 21_600.0, "probe_timestamp_seconds": at}
    assert _limits(scraped, "hub") == told

    scraped.limits = [scraped.limit("anonymous", NOW + timedelta(hours=1), reset_at=NOW + timedelta(hours=2))]
    foretold = {"reset_timestamp_seconds": at + 7200, "exhaustion_timestamp_seconds": at + 3600}
    assert _limits(scraped, "anonymous") == {**told, **foretold}


def test_no_limit_is_infinite_and_an_unknown_one_is_absent(scraped: Any) -> None:
    """A paid plan has +Inf left, never 0; of a limit that nobody told there is no series."""
    assert not [name for name in scraped.series() if name.startswith(LIMIT)]
    nothing = {"limit": None, "remaining": None, "window_seconds": None}
    scraped.limits = [scraped.limit(state=HeadroomState.UNLIMITED, **nothing)]
    endless = dict.fromkeys(("limit", "remaining", "exhaustion_timestamp_seconds"), math.inf)
    assert _limits(scraped, "hub") == {**endless, "probe_timestamp_seconds": NOW.timestamp()}
