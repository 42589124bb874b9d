"""What is shown of what is known, decided without a browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from rotator.admin.access import Role
from rotator.domain.attention import Kind, Need, Severity, needs_of
from rotator.domain.headroom import Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.history import KnownVersion
from rotator.domain.leak import LeakProgress, LeakStep, Waits
from rotator.domain.model import Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.plan import CredentialPlan, TargetPlan
from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.domain.usage import Usage
from rotator.page.ask import Outlook, ask_of
from rotator.page.detail import buttons_of
from rotator.page.headroom import levels_of
from rotator.page.matrix import PER_PAGE, cell_of, matrix_of
from rotator.page.needs import items_of, pieces, sentence, tried_of
from rotator.page.overview import Facts, listing_of, overview_of
from rotator.page.rotations import attempts_of
from rotator.page.steps import MAX_ROTATIONS, StepTimes
from rotator.page.timeline import END_X, NOW_X, timeline_of
from rotator.page.words import SHAPES, Tone, moment, of_health, relative

NOW = datetime(2026, 11, 23, 3, 12, 40, tzinfo=UTC)
HOUR = timedelta(hours=1)


def version(name: str, **changes: Any) -> Version:
    """Return a version in use that was issued six hours ago and lives for twelve."""
    expiry = Expiry(NOW + 6 * HOUR)
    base = Version(name, 3, Stage.CURRENT, "f", "user", NOW - 6 * HOUR, expiry, verified_at=NOW - HOUR)
    return replace(base, **changes)


def target(name: str = "prod", *behind: Delivery, **changes: Any) -> TargetStatus:
    """Return a target with three placements, of which those of ``behind`` lack the version in use."""
    confirmed = 3 - len(behind)
    base = TargetStatus(name, "kubernetes", True, confirmed, 3, behind, NOW + 6 * HOUR, NOW - HOUR)  # noqa: FBT003
    return replace(base, **changes)


def delivery(state: DeliveryState, message: str = "") -> Delivery:
    """Return one that did not arrive."""
    return Delivery("prod", "web/pull", "ecr", 3, state, NOW, "", message, 2, 2)


def status(name: str = "ecr", **changes: Any) -> CredentialStatus:
    """Return a credential that is well."""
    base = CredentialStatus(
        name=name,
        provider="ecr",
        registry="registry.example",
        strategy="ephemeral",
        health=Health.OK,
        message="in use, and confirmed by every required placement",
        record=Record(name, 3, last_success_at=NOW - 6 * HOUR),
        current=version(name),
        pending=None,
        renewal_at=NOW + 3 * HOUR,
        running=None,
        last=None,
        targets=(target(),),
    )
    return replace(base, **changes)


def facts(*statuses: CredentialStatus, **changes: Any) -> Facts:
    """Return facts about ``statuses``, for a daemon that started yesterday."""
    needs = needs_of(statuses, NOW)
    base = Facts(NOW, NOW - 24 * HOUR, "", "", statuses, (), needs, (), (), {})
    return replace(base, **changes)


def test_an_instant_on_another_day_has_its_date() -> None:
    """An instant is shown in UTC, with its date where it is not today, and with its distance."""
    assert moment(NOW + HOUR, NOW).utc == "04:12 UTC"
    assert moment(NOW - 4 * HOUR, NOW).utc == "2026-11-22 23:12 UTC"
    assert [relative(NOW + HOUR, NOW), relative(NOW - HOUR, NOW), relative(NOW, NOW)] == ["in 1h", "1h ago", "now"]


def test_no_two_tones_share_a_shape() -> None:
    """Whoever sees no colours tells states apart by their shape, and every health has its word."""
    assert len(set(SHAPES.values())) == len(Tone)
    assert [of_health(health).word for health in Health] == [health.value for health in Health]


def test_needs_lose_the_name_and_keep_commands_apart() -> None:
    """A need names its credential once, as a link, and what is to be typed is code."""
    ended = status(health=Health.EXPIRED, message="expired at 03:00", current=version("ecr", expiry=Expiry(NOW - HOUR)))
    item = items_of(needs_of([ended], NOW), NOW)[0]

    assert (item.subject, item.path, item.state.word) == ("ecr", "/credentials/ecr", "expired")
    assert item.what.startswith("Generation 3 expired")
    assert next(piece.text for piece in item.then if piece.is_code) == "rotator status ecr"


@pytest.mark.parametrize(
    ("text", "said"), [("expires soon", "Expires soon."), ("tago: enter it.", "tago: enter it.")], ids=["words", "name"]
)
def test_names_keep_their_letters(text: str, said: str) -> None:
    """A sentence begins with a capital letter, unless it begins with a name."""
    assert sentence(text) == said


@pytest.mark.parametrize("text", ["", "`", "a ` b", "``"], ids=["nothing", "one", "open", "empty"])
def test_pieces_keep_every_word(text: str) -> None:
    """Backticks that do not pair lose no text."""
    assert "".join(piece.text for piece in pieces(text)) == text.replace("`", "")


def test_what_is_tried_again_is_not_asked_of_a_person() -> None:
    """A credential that is not well and in no need is shown as tried again, and one that is in need is not repeated."""
    failing = status("a", health=Health.FAILING, message="the last attempt failed", record=Record("a", 3, failures=1))
    ended = status("b", health=Health.EXPIRED, message="expired", current=version("b", expiry=Expiry(NOW - HOUR)))
    needs = needs_of([failing, ended], NOW)

    assert [one.subject for one in items_of(needs, NOW)] == ["b"]
    assert [one.subject for one in tried_of([failing, ended], (), needs, NOW)] == ["a"]


@pytest.mark.parametrize(
    ("severities", "tone", "word"),
    [
        ([Severity.WARNING], Tone.WARN, "1 thing needs you"),
        ([Severity.CRITICAL, Severity.WARNING], Tone.BAD, "2 things need you"),
    ],
    ids=["warning", "critical"],
)
def test_the_heading_is_as_loud_as_the_worst(severities: list[Severity], tone: Tone, word: str) -> None:
    """The heading is red only where something is critical."""
    needs = [Need(Kind.EXPIRING, severity, "ecr", "it ends", "renew it") for severity in severities]

    view = overview_of(facts(status(), needs=needs))

    assert (view.headline.tone, view.headline.word) == (tone, word)


def test_calm_says_no_more_than_was_confirmed() -> None:
    """All is well is said with the age of the oldest look, and with what was not looked at since the start."""
    seen = status("a", current=version("a", verified_at=NOW - 30 * HOUR))
    never = status("b", current=version("b", verified_at=None))

    view = overview_of(facts(seen, never))

    assert view.headline.word == "Nothing needs you"
    assert view.calm == (
        "All 2 credentials are in use, and confirmed by every required place.",
        "Registries last took 1 of them at most 1d 6h ago.",
        "1 version in use was never shown to a registry.",
        "1 of them was not shown to a registry since the daemon started 1d ago.",
    )


def test_a_leak_that_waits_for_nobody_is_not_called_well() -> None:
    """While what leaked may still work that is shown, also where nobody can do anything but wait."""
    ended = LeakStep("ended", is_done=False, message="generation 2 works until 04:00", waits_for=Waits.TIME)

    view = overview_of(facts(status(), leaks=[LeakProgress("ecr", NOW, (ended,))]))

    assert view.headline.word == "Nothing needs you now; 1 thing to keep an eye on"
    assert view.tried[0].what == "Its secret is known to others; generation 2 works until 04:00."


def test_a_vendor_that_ends_nothing_is_not_said_to() -> None:
    """For a login that only dies by itself, a leak response promises no end before its expiry."""
    steps = ask_of("leak", outlook()).steps

    assert "The vendor cannot end what it issued: what is in use now works until its expiry, 09:12 UTC." in steps
    assert not any("is ended at the vendor" in step for step in steps)


def test_a_daemon_that_starts_says_that_it_checked_nothing() -> None:
    """Before the first look at everything is done nothing is said to be well."""
    view = overview_of(facts(status(), unready="starting"))

    assert view.headline.tone is Tone.QUIET
    assert "nothing was checked yet" in view.headline.word
    assert view.calm == ("What is below is what it knew before it started.",)


def test_no_credential_is_not_all_well() -> None:
    """An empty configuration is said to be empty, not well."""
    view = overview_of(facts())

    assert (view.headline.word, view.calm) == ("No credential is configured", ())


def test_a_stuck_daemon_comes_first() -> None:
    """That the daemon is stuck needs a person before anything else."""
    view = overview_of(facts(status(), dead="the scheduler has not turned for 400 s"))

    assert view.urgent[0].subject == "rotator"
    assert view.title == "(1) rotator"
    assert view.calm == ()


def test_the_axis_keeps_order_and_bounds() -> None:
    """Nearer instants are nearer to now, the past is left of it, and nothing leaves the drawing."""
    ends = [timedelta(minutes=-5), timedelta(minutes=5), HOUR, timedelta(days=7), timedelta(days=300)]
    ages = [timedelta(days=400), HOUR, HOUR, HOUR, HOUR]
    statuses = [
        status(f"c{number}", current=version("c", issued_at=NOW - age, expiry=Expiry(NOW + left)))
        for number, (left, age) in enumerate(zip(ends, ages, strict=True))
    ]

    bars = timeline_of(statuses, NOW).bars

    assert [bar.name for bar in bars] == ["c0", "c1", "c2", "c3", "c4"]
    assert [bar.end_x for bar in bars] == sorted(bar.end_x for bar in bars)
    assert bars[0].end_x < NOW_X < bars[1].end_x <= bars[-1].end_x <= END_X
    assert all(0 <= bar.issued_x <= NOW_X for bar in bars)
    assert all(bar.left_x + bar.left_width <= 100 for bar in bars)


@pytest.mark.parametrize("seconds", [1, 20, 3_600, 86_400, 40_000_000], ids=str)
def test_the_axis_fits_what_it_shows(seconds: int) -> None:
    """Lives of seconds and of years have marks that do not touch."""
    life = version("ecr", issued_at=NOW, expiry=Expiry(NOW + timedelta(seconds=seconds)))

    line = timeline_of([status(current=life)], NOW)
    places = [NOW_X, *(mark.x for mark in line.marks)]

    assert line.marks
    assert all(after - before >= 10 for before, after in pairwise(places))


def test_a_bar_says_it_all_in_words() -> None:
    """What a bar shows is also its text, and an end that nobody told is not drawn as one."""
    known, unknown = status("a"), status("b", current=version("b", expiry=Expiry()), renewal_at=None)

    first, last = timeline_of([unknown, known], NOW).bars

    assert first.text == "a: issued 6h ago, renewal in 3h, expires in 6h"
    assert (last.is_open, last.renewal_x, last.short) == (True, None, "nobody told its end")


@pytest.mark.parametrize(
    ("at", "word", "generation"),
    [
        (target(), "in sync", "3"),
        (target("prod", delivery(DeliveryState.FAILED)), "failing", "2 \N{RIGHTWARDS ARROW} 3"),
        (target("prod", delivery(DeliveryState.AWAITING)), "waits for you", "2 \N{RIGHTWARDS ARROW} 3"),
        (target("prod", delivery(DeliveryState.INTENDED)), "behind", "2 \N{RIGHTWARDS ARROW} 3"),
        (target(error="no answer"), "unreachable", "3"),
        (target(confirmed=0, placements=0), "no place", ""),
        (target(confirmed=0, placements=0, refused=("web",)), "kept out", ""),
    ],
    ids=["well", "failed", "by hand", "under way", "unlisted", "empty", "policy"],
)
def test_a_cell_has_generation_and_state(at: TargetStatus, word: str, generation: str) -> None:
    """A cell says in a word how it stands, and which generation is the lowest that is held."""
    cell = cell_of(at, 3, NOW)

    assert (cell.state.word, cell.generation) == (word, generation)


def test_a_cell_says_that_what_is_held_has_ended() -> None:
    """I7: where some place holds a login that does not work any more, the cell's text says since when."""
    late = delivery(DeliveryState.FAILED)

    assert "; some of what it holds ended now" in cell_of(target("prod", late, expires_at=NOW), 3, NOW).text
    assert "ended" not in cell_of(target("prod", late), 3, NOW).text


def test_of_many_only_the_odd_are_drawn() -> None:
    """Of more than a page the first page draws what is not in order, and says how much it leaves out."""
    good = [status(f"good{number:03}") for number in range(PER_PAGE)]
    odd = [status(f"odd{number:03}", targets=(target(error="down"),)) for number in range(PER_PAGE + 7)]

    table = matrix_of([*good, *odd], NOW)

    assert (len(table.rows), table.omitted, table.total) == (PER_PAGE, 7, 2 * PER_PAGE + 7)
    assert all(row.name.startswith("odd") for row in table.rows)
    assert table.columns[0].summary == "50 of 107 in sync"


def test_all_of_few_are_drawn() -> None:
    """Of few credentials every one is drawn, also those that are well."""
    assert len(matrix_of([status("a"), status("b")], NOW).rows) == 2


@pytest.mark.parametrize(("page", "first"), [(1, "c000"), (2, "c050"), (9, "c100"), (-1, "c000")], ids=str)
def test_pages_hold_everything(page: int, first: str) -> None:
    """A page beyond the last is the last, and one before the first is the first."""
    listing = listing_of(facts(*(status(f"c{number:03}") for number in range(120))), "", page)

    assert (listing.matrix.rows[0].name, listing.pages, listing.found) == (first, 3, 120)


def test_a_name_is_found_by_a_part_of_it() -> None:
    """The list shows the names that contain what was asked for."""
    listing = listing_of(facts(status("ecr-prod"), status("ghcr")), "prod", 1)

    assert [row.name for row in listing.matrix.rows] == ["ecr-prod"]


@pytest.mark.parametrize(
    ("told", "ends_at", "word", "forecast"),
    [
        (Headroom(HeadroomState.LIMITED, 100, 76, 21_600), None, "enough", "lasts, at the rate of late"),
        (Headroom(HeadroomState.LIMITED, 100, 9), None, "low", "lasts, at the rate of late"),
        (Headroom(HeadroomState.LIMITED, 100, 9), NOW + HOUR, "running out", "used up in 1h, at the rate of late"),
        (Headroom(HeadroomState.LIMITED, 100, 0), NOW - HOUR, "used up", "used up since 1h ago"),
        (Headroom(HeadroomState.LIMITED, None, 5), None, "enough", "lasts, at the rate of late"),
        (Headroom(HeadroomState.UNLIMITED), None, "no limit", ""),
        (Headroom(HeadroomState.UNKNOWN), None, "unknown", ""),
    ],
    ids=["enough", "low", "foretold", "empty", "no whole", "no limit", "unknown"],
)
def test_a_limit_is_told_with_its_forecast(told: Headroom, ends_at: datetime | None, word: str, forecast: str) -> None:
    """A limit says what is left and when it will be used up; what nobody told is no zero."""
    level = levels_of([LimitStatus(Sample("docker.io", "hub", NOW - HOUR, told), ends_at)], NOW)[0]

    assert (level.state.word, level.forecast, level.told.relative) == (word, forecast, "1h ago")
    assert (level.percent is None) == (told.limit is None or told.remaining is None)


def test_steps_have_their_durations() -> None:
    """A rotation shows how long each step took, where that was heard, and where it ended."""
    rotation = Rotation(
        "r1", "ecr", "Due", "refused", Step.VERIFY, State.FAILED, NOW - HOUR, NOW - HOUR + timedelta(seconds=9), 4
    )

    attempt = attempts_of([rotation], lambda _: {"issue": 0.4213}, NOW)[0]

    assert [(one.name, one.state.word, one.seconds) for one in attempt.strides] == [
        ("issue", "done", "0.42 s"),
        ("verify", "failed", ""),
        ("deliver", "not reached", ""),
        ("promote", "not reached", ""),
    ]
    assert attempt.took == "9s"


def test_durations_are_remembered_of_the_latest_rotations(step_finished: Callable[[str, str, float], Any]) -> None:
    """Durations of old rotations are forgotten, so that memory is bounded."""
    times = StepTimes()
    for number in range(MAX_ROTATIONS + 1):
        times(step_finished(f"r{number}", "issue", 0.5))

    assert times.of("r0") == {}
    assert times.of(f"r{MAX_ROTATIONS}") == {"issue": 0.5}


@pytest.mark.parametrize(
    ("role", "actions"),
    [(Role.VIEWER, []), (Role.OPERATOR, ["rotate", "rollback"]), (Role.ADMIN, ["rotate", "rollback", "leak"])],
    ids=["viewer", "operator", "admin"],
)
def test_roles_decide_which_buttons_there_are(role: Role, actions: list[str]) -> None:
    """Somebody is offered what their role may ask for, and nothing else."""
    assert [one.action for one in buttons_of(role)] == actions


def outlook(**changes: Any) -> Outlook:
    """Return what a rotation of a credential would do at one target."""
    plan = CredentialPlan("ecr", rotates=True, reason="", message="", targets=(TargetPlan("prod", "k", 12),))
    usage = Usage("ecr", "registry.example", None, (), (), ("pulls fail",))
    previous = version("ecr", generation=2, stage=Stage.PREVIOUS)
    return replace(Outlook(NOW, status(), plan, "", [KnownVersion(previous, (), "")], usage), **changes)


@pytest.mark.parametrize("action", ["rotate", "rollback", "leak"])
def test_a_confirmation_says_what_will_happen(action: str) -> None:
    """Before anything is done it is said where the login goes, and what depends on it."""
    view = ask_of(action, outlook())

    assert view.is_possible
    assert any(step.startswith("prod gets it: 12 places") for step in view.steps)
    assert view.radius.consequences == ("pulls fail",)


@pytest.mark.parametrize(
    ("action", "order"),
    [("rotate", ", 1 of them first, in 3 waves"), ("rollback", ", together"), ("leak", ", together")],
)
def test_the_order_of_places_is_told_as_it_will_be(action: str, order: str) -> None:
    """A rotation goes by canaries and waves; what is put back, or replaces a leak, goes everywhere at once."""
    plan = CredentialPlan(
        "ecr", rotates=True, reason="", message="", targets=(TargetPlan("prod", "k", 12, 1, (1, 2, 9)),)
    )

    assert f"prod gets it: 12 places{order}." in ask_of(action, outlook(plan=plan)).steps


def test_the_wave_of_a_small_target_is_told() -> None:
    """Of a target that shares its waves with others it is said in which of them it gets a version."""
    plan = CredentialPlan(
        "ecr", rotates=True, reason="", message="", targets=(TargetPlan("host", "k", 1, waves=(0, 0, 1, 0)),)
    )

    assert "host gets it: 1 place, in wave 3 of 4." in ask_of("rotate", outlook(plan=plan)).steps


def test_what_could_not_be_read_is_said() -> None:
    """Where the places could not be read, the confirmation says so and goes by memory."""
    view = ask_of("rotate", outlook(plan=None, unplanned="not within 8 s"))

    assert "could not be read now (not within 8 s)" in view.warnings[0]
    assert "It is delivered to prod." in view.steps


@pytest.mark.parametrize(
    "changes",
    [
        {"stage": Stage.RETIRED},
        {"leaked_at": NOW},
        {"ended_at": NOW},
        {"dead_at": NOW},
        {"expiry": Expiry(NOW - HOUR)},
    ],
    ids=["let go of", "leaked", "ended", "dead", "expired"],
)
def test_what_does_not_work_is_not_offered(changes: dict[str, Any]) -> None:
    """A version that others know, or that does not work any more, cannot be chosen to be put back."""
    old = version("ecr", **{"generation": 2, "stage": Stage.PREVIOUS, **changes})

    view = ask_of("rollback", outlook(versions=[KnownVersion(old, (), "")]))

    assert (view.choices, view.is_possible) == ((), False)


def test_a_leak_of_what_a_person_replaces_is_told_as_such() -> None:
    """For a login that the daemon only reads, the person is told that the new one comes from them."""
    view = ask_of("leak", outlook(status=status(strategy="read")))

    assert view.steps[0].startswith("You make a new token at the vendor")
