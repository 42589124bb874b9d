"""What happened is counted once, under words from closed sets, and the page is what Prometheus accepts."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain import events
from rotator.domain.headroom import Headroom, HeadroomState
from rotator.domain.image import ImageStatus
from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.domain.privilege import Privilege
from rotator.domain.verdict import Verdict
from rotator.errors import RotatorError
from rotator.metrics import CATALOGUE, Build, Facts, Metrics, labels
from rotator.registry.advice import Ailment
from rotator.sandbox.clock import ManualClock
from rotator.transport import Call

NOW = datetime(2026, 1, 1, tzinfo=UTC)
OPENMETRICS = "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.4"


def _finished(outcome: str = "succeeded", **changes: str) -> events.RotationFinished:
    facts = {"credential": "ghcr", "reason": "SourceChanged", "step": "promote", "error": "", **changes}
    return events.RotationFinished(
        "r1", facts["credential"], facts["reason"], outcome, facts["step"], facts["error"], "", 2
    )


def _delivered(error: str = "", kind: str = "kubernetes") -> events.DeliveryFinished:
    return events.DeliveryFinished("prod", kind, "web/regcred", "ghcr", 3, error, "", changed=True, seconds=0.2)


def _everything_happens(metrics: Metrics) -> None:
    for event in (
        events.RotationStarted("r1", "ghcr", "NeverIssued", ""),
        events.StepFinished("r1", "ghcr", "issue", 0.2),
        _finished(),
        _finished("failed", error="unavailable", step="issue"),
        _delivered(),
        _delivered("fenced"),
        events.VersionProbed("ghcr", 3, Verdict.ACCEPTED, "", NOW),
        events.VersionPromoted("ghcr", 3, NOW, UNKNOWN),
        events.ClockStepped(-3600),
        events.StoreFailed("journal", "store", "locked"),
        events.TargetFailed("prod", "kubernetes", "unavailable", ""),
        events.AlarmMissed("late"),
        events.SourceFailed("ghcr", "unavailable", ""),
        events.HeadroomAsked("docker.io", "hub", Headroom(HeadroomState.UNKNOWN), "unavailable", ""),
        events.Notified("ops", 1, 0, "", "", is_news=False),
        events.ImageLookedAt("ghcr", "acme-api-1", Verdict.ACCEPTED, "ok", "", is_news=True),
        events.VersionInspected("ghcr", 3, NEVER, "", is_news=True),
        events.Crashed("here", KeyError("x")),
        events.ConfigReloaded("", NOW),
    ):
        metrics(event)
    metrics.observe_throttling("ghcr.io")
    metrics.observe_call(Call("registry", "manifest", "429", 0.1, "Thu, 01 Jan 2026 00:00:00 GMT"))


def _image(**found: Any) -> ImageStatus:
    return ImageStatus("acme-api-1", "ghcr.io/acme/api:1", looked_at=NOW, **found)


@pytest.mark.parametrize(
    ("image", "pullable", "reason"),
    [
        pytest.param(ImageStatus("acme-api-1", "ghcr.io/acme/api:1"), None, None, id="never looked at"),
        pytest.param(_image(is_pullable=True, told_at=NOW, reason="ok"), 1.0, "ok", id="pulls"),
        pytest.param(_image(is_pullable=False, told_at=NOW, reason="not_found"), 0.0, "not_found", id="does not"),
        pytest.param(_image(is_pullable=True, told_at=NOW, reason="unreachable"), 1.0, "unreachable", id="down now"),
        pytest.param(_image(reason="rate_limited"), None, "rate_limited", id="never told"),
        pytest.param(_image(is_pullable=True, told_at=NOW, reason="ghcr.io/acme"), 1.0, "other", id="a strange word"),
    ],
)
def test_an_image_is_told_by_its_id(
    image: ImageStatus, pullable: float | None, reason: str | None, scraped: Any
) -> None:
    """What pulls is 1, what does not 0, what cannot be told keeps its value or has none, with the reason beside it."""
    scraped.statuses = [scraped.status(images=(image,))]
    names = {"image_id": "acme-api-1", "credential": "ghcr"}
    assert scraped.value("rotator_image_pullable", **names) == pullable
    assert (pullable is None) == (scraped.value("rotator_image_told_timestamp_seconds", **names) is None)
    reasons = [dict(key)["reason"] for key in scraped.series().get("rotator_image_reason", {})]
    assert reasons == ([] if reason is None else [reason])


def test_the_reasons_are_those_of_the_diagnosis() -> None:
    """Every diagnosis that the registries' table knows is a reason by its own name."""
    assert set(labels.IMAGE_REASONS) == {*Ailment, labels.OTHER}


def test_every_family_of_the_catalogue_is_exported_and_no_other(scraped: Any) -> None:
    """The page declares exactly the families of the catalogue, with their types, beside the stock ones."""
    declared = dict(line.split()[2:4] for line in scraped.text().splitlines() if line.startswith("# TYPE rotator_"))

    assert declared == {name: family.type for name, family in CATALOGUE.items()}


def test_every_series_has_the_labels_of_the_catalogue(scraped: Any) -> None:
    """After everything happened once, each family has series with exactly the labels it promises."""
    scraped.token, scraped.heartbeat = NEVER, NOW
    scraped.limits = [scraped.limit(exhausted_at=NOW, reset_at=NOW)]
    images = (_image(is_pullable=True, told_at=NOW, reason="ok"),)
    scraped.statuses = [scraped.status(images=images, privilege=Privilege(is_excessive=False))]
    _everything_happens(scraped.metrics)

    series = scraped.series()

    for name, family in CATALOGUE.items():
        sample, extra = (f"{name}_bucket", {"le"}) if family.type == "histogram" else (name, set())
        assert series.get(sample), name
        for found in series[sample]:
            assert {key for key, _ in found} == {*family.labels, *extra}, name


def test_stock_families_are_there_and_created_ones_are_not(scraped: Any) -> None:
    """Process and interpreter are shown; no series says when a counter was made."""
    _everything_happens(scraped.metrics)
    series = scraped.series()

    assert {"process_resident_memory_bytes", "python_info"} <= set(series)
    assert not [name for name in series if name.endswith("_created")]
    assert "_created" not in scraped.text(OPENMETRICS)


@pytest.mark.integration
def test_promtool_finds_nothing_to_say(scraped: Any, program: Callable[[str], str]) -> None:
    """`promtool check metrics` accepts the page, names and all."""
    scraped.token, scraped.heartbeat = NEVER, NOW
    scraped.limits = [scraped.limit(exhausted_at=NOW, reset_at=NOW)]
    scraped.statuses = [scraped.status(images=(_image(is_pullable=True, told_at=NOW, reason="ok"),))]
    _everything_happens(scraped.metrics)
    own = [line for line in scraped.text().splitlines(keepends=True) if "rotator_" in line]

    result = subprocess.run(
        [program("promtool"), "check", "metrics"], input="".join(own), capture_output=True, text=True, check=False
    )

    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_known_words_start_at_zero(scraped: Any) -> None:
    """Before anything happened, every known combination is there with 0."""
    series = scraped.series()

    for name, count in {
        "rotator_rotations_total": len(labels.TRIGGERS),
        "rotator_rotations_missed_total": len(labels.MISSED),
        "rotator_target_pushes_total": 3,
        "rotator_target_push_failures_total": 3 * len(labels.ERRORS),
        "rotator_target_drift_repairs_total": 3,
        "rotator_fenced_writes_total": 3,
        "rotator_clock_jumps_total": 2,
        "rotator_registry_throttled_total": 1,
        "rotator_state_store_errors_total": len(labels.STORE_OPERATIONS),
        "rotator_log_redactions_total": 1,
    }.items():
        assert list(series[name].values()) == [0.0] * count, name
    assert series["rotator_client_circuit_open"] == {(("registry", "ghcr.io"),): 0.0}


def test_a_rotation_is_counted_whatever_its_outcome(scraped: Any) -> None:
    """Attempts count every end; failures count those that did not reach every target, by step and reason."""
    for outcome in ("succeeded", "unchanged", "failed", "partial", "delivering", "abandoned"):
        scraped.metrics(_finished(outcome, error="" if outcome in {"succeeded", "unchanged"} else "unavailable"))

    failures = scraped.value("rotator_rotation_failures_total", credential="ghcr", step="promote", reason="unavailable")
    assert scraped.value("rotator_rotations_total", credential="ghcr", trigger="SourceChanged") == 6.0
    assert failures == 4.0
    assert scraped.value("rotator_rotation_duration_seconds_count", provider="ghcr") == 6.0


def test_a_delivery_that_was_not_confirmed_is_never_a_success(scraped: Any) -> None:
    """Failed deliveries count as tried and as failed; a fenced one also as such (I7)."""
    for error in ("", "", "unavailable", "fenced"):
        scraped.metrics(_delivered(error))

    assert scraped.value("rotator_target_pushes_total", kind="kubernetes") == 4.0
    assert scraped.value("rotator_target_push_failures_total", kind="kubernetes", reason="unavailable") == 1.0
    assert scraped.value("rotator_target_push_failures_total", kind="kubernetes", reason="fenced") == 1.0
    assert scraped.value("rotator_fenced_writes_total", kind="kubernetes") == 1.0
    assert scraped.value("rotator_target_push_duration_seconds_count", kind="kubernetes") == 4.0


def test_counters_of_a_removed_credential_vanish_and_begin_anew(scraped: Any) -> None:
    """A credential that left takes its counters along, even one that a late event brought back."""
    scraped.metrics(_finished("failed", error="unavailable"))
    scraped.statuses = []
    assert '"ghcr"' not in scraped.text().replace('provider="ghcr"', "")
    scraped.metrics(_finished("failed", error="unavailable"))
    assert '"ghcr"' not in scraped.text().replace('provider="ghcr"', "")

    scraped.statuses = [scraped.status()]

    assert scraped.value("rotator_rotations_total", credential="ghcr", trigger="SourceChanged") == 0.0


def test_clock_steps_are_counted_by_direction(scraped: Any) -> None:
    """Backwards and forwards are two series."""
    for seconds in (-3600.0, 5.0, 7.0):
        scraped.metrics(events.ClockStepped(seconds))

    assert scraped.value("rotator_clock_jumps_total", direction="backward") == 1.0
    assert scraped.value("rotator_clock_jumps_total", direction="forward") == 2.0


def test_a_refused_configuration_is_shown_until_the_next_good_one(scraped: Any) -> None:
    """The daemon started with a good one; a refused one shows 0 and keeps the time of the last success."""
    name, at = "rotator_config_last_reload_successful", "rotator_config_last_reload_success_timestamp_seconds"
    assert (scraped.value(name), scraped.value(at)) == (1.0, NOW.timestamp())

    scraped.metrics(events.ConfigReloaded("rotator.yaml:3: unknown key", NOW + timedelta(hours=1)))
    assert (scraped.value(name), scraped.value(at)) == (0.0, NOW.timestamp())

    scraped.metrics(events.ConfigReloaded("", NOW + timedelta(hours=2)))
    assert (scraped.value(name), scraped.value(at)) == (1.0, NOW.timestamp() + 7200)


def test_a_call_is_counted_by_peer_operation_and_code(scraped: Any) -> None:
    """Each call is one request and one duration."""
    for peer, code in (("registry.example:5000", "2xx"), ("registry.example:5000", "429"), ("prod", "429")):
        scraped.metrics.observe_call(Call(peer, "manifest", code, 0.02))

    assert (
        scraped.value("rotator_client_requests_total", peer="registry.example:5000", operation="manifest", code="2xx")
        == 1.0
    )
    assert scraped.value("rotator_client_requests_total", peer="prod", operation="manifest", code="429") == 1.0
    assert (
        scraped.value(
            "rotator_client_request_duration_seconds_count", peer="registry.example:5000", operation="manifest"
        )
        == 2.0
    )


@pytest.mark.parametrize(
    ("theirs", "skew"),
    [(NOW, 0.0), (NOW - timedelta(seconds=40), 40.0), (NOW + timedelta(days=400), -400 * 86400.0)],
    ids=["equal", "behind", "far ahead"],
)
def test_clock_skew_is_ours_minus_theirs(theirs: datetime, skew: float, scraped: Any) -> None:
    """A peer whose clock is behind ours shows a positive skew."""
    scraped.metrics.observe_call(Call("prod", "apply", "2xx", 0.1, format_datetime(theirs, usegmt=True)))

    assert scraped.value("rotator_clock_skew_seconds", peer="prod") == skew


def test_a_date_at_the_end_of_time_breaks_nothing(scraped: Any) -> None:
    """A server's last instant, in a zone in which it has no name in UTC, is a skew as any other."""
    scraped.metrics.observe_call(Call("prod", "apply", "2xx", 0.1, "Fri, 31 Dec 9999 23:59:59 -2359"))

    assert scraped.value("rotator_clock_skew_seconds", peer="prod") < -7000 * 365 * 86400.0


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Thu, 99 Foo 2026 00:00:00 GMT", "1 Jan 2026 00:00:00 -0000", "\x00"]
)
def test_a_date_that_is_none_says_nothing(date: str, scraped: Any) -> None:
    """Garbage in a Date header has no skew and breaks nothing."""
    scraped.metrics.observe_call(Call("prod", "apply", "2xx", 0.1, date))

    assert scraped.value("rotator_clock_skew_seconds", peer="prod") is None


def test_the_daemon_s_own_state_is_asked_at_each_scrape(scraped: Any) -> None:
    """Vault token, heartbeat, guard and redactions are what they are at the time of the scrape."""
    assert scraped.value("rotator_scheduler_heartbeat_timestamp_seconds") is None
    assert scraped.value("rotator_vault_token_expiry_timestamp_seconds") is None

    scraped.token, scraped.heartbeat = Expiry(NOW), NOW
    scraped.closed, scraped.redactions = frozenset({"ghcr.io"}), 3

    assert scraped.value("rotator_scheduler_heartbeat_timestamp_seconds") == NOW.timestamp()
    assert scraped.value("rotator_vault_token_expiry_timestamp_seconds") == NOW.timestamp()
    assert scraped.value("rotator_client_circuit_open", registry="ghcr.io") == 1.0
    assert scraped.value("rotator_log_redactions_total") == 3.0


def test_throttling_is_counted_by_registry(scraped: Any) -> None:
    """An answer 429 counts for its own registry; one that never throttled is at 0."""
    scraped.metrics.observe_throttling("docker.io")

    assert scraped.value("rotator_registry_throttled_total", registry="docker.io") == 1.0
    assert scraped.value("rotator_registry_throttled_total", registry="ghcr.io") == 0.0


def test_what_runs_is_told(scraped: Any) -> None:
    """Version, revision and interpreter are labels of one series with value 1."""
    found = scraped.value("rotator_build_info", version="0.1.0", revision="abc123", python_version="3.11.7")

    assert found == 1.0


def test_facts_that_nobody_gave_are_unknown(clock: ManualClock) -> None:
    """Without Vault, scheduler, guard or log a page can still be rendered."""
    metrics = Metrics(Facts(statuses=list, clock=clock), build=Build("1", "unknown", "3"), kinds=())
    metrics(_finished())

    page = metrics.render()[0].decode()

    assert 'rotator_rotation_duration_seconds_count{provider="other"} 1.0' in page
    assert "\nrotator_vault_token_expiry_timestamp_seconds" not in page


def test_openmetrics_carries_the_rotation_s_id(scraped: Any) -> None:
    """Who asks for OpenMetrics gets exemplars that lead to the rotation in the log; its parser accepts the page."""
    _everything_happens(scraped.metrics)

    exemplars = scraped.exemplars()

    assert exemplars["rotator_rotations_total"] == {"rotation_id": "r1"}
    assert exemplars["rotator_rotation_duration_seconds_bucket"] == {"rotation_id": "r1"}


def test_an_endless_rotation_id_is_cut(scraped: Any) -> None:
    """An exemplar stays below the 128 characters that OpenMetrics allows."""
    scraped.metrics(events.RotationFinished("x" * 500, "ghcr", "Rejected", "succeeded", "promote", "", "", 1.0))

    assert len(scraped.exemplars()["rotator_rotations_total"]["rotation_id"]) == 64


@pytest.mark.parametrize(
    ("accept", "is_openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain;version=0.0.4", False),
        ("application/openmetrics-text", True),
        (OPENMETRICS, True),
        ("text/plain, Application/OpenMetrics-Text; version=0.0.1", True),
        ("application/openmetrics-text; version=abc; escaping=allow-utf-8", True),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;q=0.000", False),
        (";;;,,,q=", False),
    ],
)
def test_the_accept_header_chooses_the_format(accept: str, is_openmetrics: bool, scraped: Any) -> None:  # noqa: FBT001 (a parametrized fact)
    """OpenMetrics is for who names it; everybody else gets the text format. No part of the header is echoed."""
    page, content_type = scraped.metrics.render(accept)

    kinds = {True: "application/openmetrics-text; version=1.0.0", False: "text/plain; version=0.0.4"}
    assert content_type == f"{kinds[is_openmetrics]}; charset=utf-8"
    assert page.endswith(b"# EOF\n") == is_openmetrics


def test_statuses_may_be_brought_along(scraped: Any) -> None:
    """Statuses that were gathered in the event loop are used instead of asking."""
    page, _ = scraped.metrics.render(statuses=[scraped.status("ecr")])

    assert b'credential="ecr"' in page
    assert b'credential="ghcr"' not in page


WORD = st.text(max_size=20)


@settings(deadline=None, max_examples=60)
@given(words=st.lists(WORD, min_size=6, max_size=6))
def test_no_word_from_outside_becomes_a_label(words: list[str]) -> None:
    """Whatever an event or a call says, labels come from the closed sets, plain words or ``other``."""
    one, two, three, four, five, six = (f"Ω{word}" for word in words)
    metrics = Metrics(Facts(statuses=list, clock=ManualClock()), build=Build("1", "2", "3"), kinds=())
    metrics(events.RotationFinished(one, "ghcr", two, three, four, five, six, 1.0))
    metrics(events.StepFinished(one, "ghcr", two, 1.0, three))
    metrics(events.DeliveryFinished(one, two, three, "ghcr", 1, four, five, changed=True, seconds=1.0))
    metrics(events.StoreFailed(one, two, three))
    metrics(events.AlarmMissed(one))
    metrics.observe_call(Call(one, two, three, 1.0, four))

    page = metrics.render()[0].decode()

    assert "Ω" not in page
    assert 'rotator_client_requests_total{code="other",operation="other",peer="other"} 1.0' in page


def test_peers_are_bounded(scraped: Any) -> None:
    """SR-21: However many names turn up, only so many become series; the rest is counted together."""
    for number in range(700):
        scraped.metrics.observe_call(Call(f"peer-{number}", "apply", "2xx", 0.1))

    series = scraped.series()["rotator_client_requests_total"]

    assert len(series) == 501
    assert scraped.value("rotator_client_requests_total", peer="other", operation="apply", code="2xx") == 200.0


def test_the_error_codes_are_those_of_the_error_tree() -> None:
    """The closed set of reasons is every code there is, and ``other``."""

    def codes(kind: type[RotatorError]) -> set[str]:
        ours = {kind.code} if kind.__module__ == "rotator.errors" else set()
        return ours.union(*(codes(child) for child in kind.__subclasses__()))

    assert set(labels.ERRORS) == codes(RotatorError) | {"other"}


def test_pages_are_rendered_while_events_arrive(scraped: Any) -> None:
    """Rendering in two threads while counting in a third loses no count and never fails."""
    scraped.statuses = [scraped.status(f"c{number}") for number in range(50)]
    done, failures = threading.Event(), list[BaseException]()

    def render() -> None:
        try:
            while not done.is_set():
                scraped.metrics.render(OPENMETRICS)
        except RuntimeError as error:
            failures.append(error)

    threads = [threading.Thread(target=render) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(3000):
        scraped.metrics(_finished("failed", credential=f"c{number % 50}", error="unavailable"))
        scraped.metrics(_delivered())
        scraped.metrics.observe_call(Call(f"peer-{number % 20}", "apply", "2xx", 0.1))
    done.set()
    for thread in threads:
        thread.join()

    series = scraped.series()
    assert failures == []
    assert sum(series["rotator_rotations_total"].values()) == 3000.0
    assert sum(series["rotator_rotation_failures_total"].values()) == 3000.0
    assert sum(series["rotator_client_requests_total"].values()) == 3000.0


@pytest.mark.parametrize("accept", ["", OPENMETRICS], ids=["text", "openmetrics"])
def test_ten_thousand_series_are_on_the_page(accept: str, scraped_with: Callable[[int], Any]) -> None:
    """A page with a budget of 10,000 series has all of them, in either format."""
    scraped = scraped_with(10_000)
    scraped.statuses = [
        scraped.status(f"c{c}", targets=tuple(scraped.target(f"t{n}") for n in range(32))) for c in range(100)
    ]

    page, _ = scraped.metrics.render(accept)

    assert sum(line.startswith(b"rotator_target_") and b'credential="' in line for line in page.splitlines()) >= 9_600
    assert page.count(b"\n") > 10_000


def test_the_documentation_lists_the_catalogue() -> None:
    """The table in docs/metrics.md has every family with its type, labels and meaning, and no other."""
    text = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| `rotator_")]

    assert rows == [
        f"| `{name}` | {family.type} | {', '.join(f'`{label}`' for label in family.labels) or '-'} | {family.help} |"
        for name, family in CATALOGUE.items()
    ]
