"""The words and drawings for people, without a daemon."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.console import Console

from rotator.admin.models import (
    CredentialView,
    DaemonStatus,
    ExpiryView,
    ImageView,
    LimitView,
    LintView,
    RotationView,
    TargetView,
)
from rotator.admin.need_models import NeedView
from rotator.cli.status_draw import Standing, draw_all, draw_limits, draw_one
from rotator.cli.words import LOOKS, ended, forecast, left_of, life, placed, unwell, upcoming
from rotator.domain.attention import Kind, Severity
from rotator.domain.headroom import Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.image import ImageStatus
from rotator.domain.rotation import State, Step
from rotator.domain.status import Health

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def _view(**changes: Any) -> CredentialView:
    view = CredentialView(
        name="ecr-prod",
        provider="ecr",
        registry="registry.example",
        strategy="ephemeral",
        health=Health.OK,
        message="in use",
        generation=7,
        issued_at=NOW - timedelta(hours=5, minutes=48),
        expiry=ExpiryView(kind="known", at=NOW + timedelta(hours=6, minutes=12)),
        verified_at=NOW,
        pending_generation=0,
        failures=0,
        renewal_at=NOW + timedelta(minutes=12),
        next_attempt_at=None,
        last_success_at=NOW,
        running=None,
        last=None,
        targets=(_target(),),
    )
    return view.model_copy(update=changes)


def _target(**changes: Any) -> TargetView:
    target = TargetView(target="prod", kind="kubernetes", required=True, confirmed=12, placements=12, error="")
    return target.model_copy(update=changes)


def _rotation(**changes: Any) -> RotationView:
    rotation = RotationView(
        id="r1",
        credential="ecr-prod",
        reason="ManuallyTriggered",
        message="it went so",
        step=Step.DELIVER,
        state=State.RUNNING,
        generation=8,
        started_at=NOW,
        finished_at=None,
        error="",
        by="uid 0",
    )
    return rotation.model_copy(update=changes)


@pytest.mark.parametrize(
    ("changes", "text", "left"),
    [
        pytest.param({}, "6h 12m of 12h", 372 / 720, id="half"),
        pytest.param({"expiry": ExpiryView(kind="never")}, "no end", None, id="never"),
        pytest.param({"expiry": ExpiryView(kind="unknown")}, "end unknown", None, id="unknown"),
        pytest.param({"generation": 0}, "none yet", None, id="none"),
        pytest.param({"expiry": ExpiryView(kind="known", at=NOW - timedelta(hours=1))}, "over for 1h", 0.0, id="over"),
        pytest.param({"issued_at": NOW + timedelta(days=1)}, "6h 12m of 0s", 0.0, id="issued in the future"),
    ],
)
def test_life_is_a_share_and_words(changes: dict[str, Any], text: str, left: float | None) -> None:
    """What is left of a life is a share where it is known, and words always."""
    shown = life(_view(**changes), NOW)
    assert (shown.text, shown.left) == (text, left if left is None else pytest.approx(left))


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        pytest.param({}, "in 12m", id="planned"),
        pytest.param({"renewal_at": NOW}, "due", id="due"),
        pytest.param({"renewal_at": None}, "-", id="nothing planned"),
        pytest.param({"renewal_at": None, "strategy": "read"}, "on change", id="read from a source"),
        pytest.param({"failures": 1, "next_attempt_at": NOW + timedelta(minutes=3)}, "retry 3m", id="after a failure"),
        pytest.param({"failures": 1, "next_attempt_at": NOW}, "retry now", id="retry is due"),
        pytest.param({"running": _rotation()}, "now", id="running"),
        pytest.param({"running": _rotation(state=State.DELIVERING)}, "in 12m", id="waiting for stragglers"),
    ],
)
def test_what_comes_next(changes: dict[str, Any], text: str) -> None:
    """The next rotation is told relative to now."""
    assert upcoming(_view(**changes), NOW) == text


def test_placements_are_counted_and_doubted() -> None:
    """Placements are summed over targets, with a mark where one could not be asked."""
    targets = (_target(confirmed=1, placements=3), _target(error="no answer"))
    assert (placed(_view()), placed(_view(targets=targets))) == ("12/12", "13/15?")


@pytest.mark.parametrize("health", list(Health), ids=str)
def test_what_is_not_well_says_why_at_once(health: Health) -> None:
    """A credential that is not ok comes with its name, why its last attempt failed, and when the next one is."""
    last = _rotation(state=State.FAILED, error="unavailable", message="vault does not answer.")
    retry = {"failures": 2, "last": last, "next_attempt_at": NOW + timedelta(minutes=3)}
    sentence = unwell(_view(health=health, message="because", **retry), NOW)
    well = health is Health.OK
    assert sentence == ("" if well else "ecr-prod: because: vault does not answer; retry 3m")
    assert len(LOOKS[health].symbol) == 1


@pytest.mark.parametrize("outcome", ["succeeded", "unchanged", "partial", "failed", "abandoned", "strange"])
def test_an_end_says_what_next(outcome: str) -> None:
    """The last line of a rotation has its outcome, its message, and the next step."""
    text = ended(_rotation(), outcome)
    assert text.startswith(f"ecr-prod: {outcome} (generation 8): it went so. ")
    assert text.endswith(".")


def test_nothing_is_left_only_where_every_placement_has_it() -> None:
    """I7: a rotation that succeeded with a placement behind that is not required is not called done."""
    assert ended(_rotation(), "succeeded").endswith(" Nothing is left to do.")
    assert ended(_rotation(), "succeeded", 1).endswith(
        " 1 placement still lacks the version in use; `rotator status ecr-prod` says which."
    )


def _draw(view: CredentialView, width: int, encoding: str = "utf-8", many: int = 1) -> str:
    stream = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    console = Console(file=stream, width=width, markup=False, highlight=False, emoji=False)
    views = [view.model_copy(update={"name": f"{view.name}{number or ''}"}) for number in range(many)]
    standing = _standing(*views)
    console.print(draw_all(standing, console))
    console.print(draw_one(view, standing, console))
    stream.seek(0)
    return stream.read()


def _standing(*views: CredentialView, needs: tuple[NeedView, ...] = (), ready: bool = True) -> Standing:
    daemon = DaemonStatus(
        version="1",
        now=NOW,
        ready=ready,
        alive=True,
        message="" if ready else "it looks for the first time",
        credentials=len(views),
        by_health={},
        running=0,
        need_attention=(),
        needs=needs,
    )
    return Standing(daemon, NOW, views)


def _overview(standing: Standing, width: int, **look: Any) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False, **look)
    console.print(draw_all(standing, console))
    written = console.file
    assert isinstance(written, io.StringIO)
    return written.getvalue()


NEED = NeedView(
    kind=Kind.EXPIRED,
    severity=Severity.CRITICAL,
    credential="hub",
    about="",
    what="hub: generation 3 expired, and pulls with it fail",
    next_step="make a new one at the vendor and put it at its source",
    since=NOW - timedelta(hours=2),
)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_what_needs_a_person_comes_first_and_last(width: int) -> None:
    """Above the table stands what needs a person, since when and what to do; the last line repeats what to do first."""
    text = _overview(_standing(_view(), _view(name="hub", health=Health.EXPIRED), needs=(NEED,)), width)
    told = " ".join(text.split())
    assert told.index("critical: hub: generation 3 expired, and pulls with it fail (for 2h)") < told.index(
        "credential "
    )
    assert "do: make a new one at the vendor" in told
    assert told.endswith("1 thing needs you, first hub: make a new one at the vendor and put it at its source.")
    assert told.index("expired ", told.index("credential ")) < told.index("ok", told.index("credential "))


def test_columns_are_left_out_by_importance() -> None:
    """A narrow terminal keeps name, health and what is left, in one line each; a wide one has everything."""
    standing = _standing(_view(name="registry-of-the-whole-company"))
    lines = {width: _overview(standing, width).splitlines() for width in (120, 60, 40, 24)}
    titles = {width: next(one.split() for one in text if "health" in one) for width, text in lines.items()}
    assert titles == {
        120: ["credential", "health", "life", "left", "next", "placed", "gen"],
        60: ["credential", "health", "life", "left", "next"],
        40: ["credential", "health", "left"],
        24: ["credential", "health"],
    }
    assert all(len(_overview(standing, width).splitlines()) == 6 for width in (120, 60, 40))


def test_it_reads_without_colour() -> None:
    """With colours, the very same characters are written as without."""
    standing = _standing(_view(), _view(name="hub", health=Health.REJECTED), needs=(NEED,))
    coloured = _overview(standing, 80, force_terminal=True, color_system="truecolor")
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == _overview(standing, 80)


def test_nothing_is_claimed_before_the_first_look() -> None:
    """While the daemon is not ready nobody is told that nothing needs them; nor is an unproved login passed over."""
    text = _overview(_standing(_view(verified_at=None), ready=False), 80)
    assert "The daemon is not ready: it looks for the first time" in text
    assert "Nothing needs you." not in text
    assert "1 of the logins in use was not shown to a registry yet." in text


@pytest.mark.parametrize("width", [20, 40, 77, 78, 80, 200])
@pytest.mark.parametrize("name", ["a", "x" * 63], ids=["short name", "long name"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "ascii"])
def test_every_terminal_is_served(width: int, name: str, encoding: str) -> None:
    """Whatever the width and the encoding, nothing is wider than the terminal, and health and life are in words."""
    text = _draw(_view(name=name), width, encoding)
    assert all(len(line) <= width for line in text.splitlines())
    joined = "".join(text.split())
    assert "6h12mof12h" in joined
    assert ("\N{CHECK MARK}ok" if encoding == "utf-8" else "+ok") in joined


def test_text_from_elsewhere_is_only_text() -> None:
    """Markup and escape sequences in a message are shown as text."""
    text = _draw(_view(health=Health.FAILING, message="[red]boo[/red] \x1b[2J :smile:"), 120)
    assert "[red]boo[/red] ?[2J :smile:" in text
    assert "\x1b" not in text


def test_what_is_held_back_is_said() -> None:
    """A login that is kept from its registry is shown with the reason; else there is no such line."""
    assert "held back" not in _draw(_view(), 120)
    assert "held back    hub refused 3 logins in a row" in _draw(_view(held="hub refused 3 logins in a row"), 120)


PUSHES = LintView(code="over_privileged", text="this login may also push (repo:write): to pull, make a smaller one")


def test_rights_are_said_with_what_to_request() -> None:
    """Whose the login is, what it may do and what to request instead; the list names whom to look at."""
    text = _draw(_view(principal="acme", scopes=("repo:read", "repo:write"), lints=(PUSHES,)), 160)
    for line in ("principal    acme", "scopes       repo:read, repo:write", f"better       {PUSHES.text}"):
        assert line in text
    assert "A smaller login would do for ecr-prod; `rotator status NAME` says what to request instead." in text


def test_unknown_rights_are_not_mentioned() -> None:
    """What nobody knows has no line; that a login may do nothing at all is known."""
    assert not any(word in _draw(_view(), 160) for word in ("principal", "scopes", "better", "smaller"))
    assert "scopes       none" in _draw(_view(scopes=()), 160)


def test_many_large_logins_are_counted() -> None:
    """Where very many may do too much, the first are named and the rest is counted."""
    text = " ".join(_draw(_view(lints=(PUSHES,)), 120, many=50).split())
    assert "Smaller logins would do for 50: ecr-prod, ecr-prod1," in text
    assert "and 30 more; `rotator status NAME`" in text


@pytest.mark.parametrize(
    ("after", "text"),
    [
        (
            timedelta(hours=5, minutes=12, seconds=30),
            "if its source is down, the first target (edge) is without a valid login at 17:12 UTC, in 5h 12m",
        ),
        (
            timedelta(days=2),
            "if its source is down, the first target (edge) is without a valid login at 2026-11-25 12:00 UTC, in 2d",
        ),
        (timedelta(), "target edge is without a valid login since 12:00 UTC"),
    ],
    ids=["today", "another day", "now"],
)
def test_the_outage_budget_is_said(after: timedelta, text: str) -> None:
    """Until when what the targets hold lasts is told with the target that is the first to be without."""
    view = _view(outage_deadline=NOW + after, outage_target="edge")
    assert f"outage       {text}" in _draw(view, 160)


def test_a_target_that_holds_what_ended_says_so() -> None:
    """I7: at a target that holds a login that does not work any more it is said since when."""
    ended = "some of what it holds ended at 2026-11-23 12:00 UTC"
    assert ended in _draw(_view(targets=(_target(expires_at=NOW),)), 160)
    assert ended not in _draw(_view(targets=(_target(expires_at=NOW + timedelta(seconds=1)),)), 160)


def test_an_end_that_nobody_knows_is_not_said() -> None:
    """Where no expiry is known, no outage budget is claimed."""
    assert "outage" not in _draw(_view(), 160)


LONG_AGO = NOW - timedelta(hours=2)


@pytest.mark.parametrize(
    ("status", "text"),
    [
        pytest.param({}, "not asked yet", id="never looked at"),
        pytest.param({"is_pullable": True, "told_at": LONG_AGO, "looked_at": LONG_AGO}, "looked at 2h ago", id="pulls"),
        pytest.param(
            {"is_pullable": False, "told_at": NOW, "looked_at": NOW, "message": "HTTP 404: does not exist"},
            "does not pull: HTTP 404: does not exist",
            id="does not",
        ),
        pytest.param(
            {"is_pullable": True, "told_at": LONG_AGO, "looked_at": NOW, "message": "HTTP 503: the server failed"},
            "pulls as of 2h ago; cannot tell since: HTTP 503: the server failed",
            id="cannot tell now",
        ),
        pytest.param(
            {"looked_at": NOW, "message": "HTTP 503: the server failed"},
            "cannot tell whether it pulls: HTTP 503: the server failed",
            id="could never tell",
        ),
    ],
)
def test_an_image_is_told_in_words(status: dict[str, Any], text: str) -> None:
    """Whether it pulls, as of when, and why not; nothing is claimed that nobody told."""
    image = ImageView.of(ImageStatus("api", "ghcr.io/acme/api:1", **status))
    assert text in _draw(_view(images=(image,)), 160)


def test_many_needs_are_cut() -> None:
    """Where very many need a person, or are not well, the first are named and the rest is counted."""
    views = [_view(name=f"n{number}", health=Health.FAILING) for number in range(50)]
    text = _overview(_standing(*views, needs=(NEED,) * 30), 120)
    assert "  and 10 more" in text
    assert "- and 30 more" in text
    assert "30 things need you, first hub: " in text


def test_nothing_configured_is_said() -> None:
    """Without credentials there is a sentence, not an empty table."""
    console = Console(file=io.StringIO(), width=80)
    assert str(draw_all(_standing(), console)) == "No credential is configured."


def _limit(remaining: int | None, ends: timedelta | None = None, limit: int | None = 100) -> LimitView:
    state = HeadroomState.UNLIMITED if remaining is None else HeadroomState.LIMITED
    window = 21_600 if limit is not None else None
    told = Headroom(state, limit if remaining is not None else None, remaining, window)
    sample = Sample("docker.io", "hub", NOW - timedelta(minutes=2), told)
    return LimitView.of(LimitStatus(sample, None if ends is None else NOW + ends))


@pytest.mark.parametrize(
    ("limit", "left", "end"),
    [
        pytest.param(_limit(76), "76 of 100 in 6h", "lasts", id="lasts"),
        pytest.param(_limit(76, timedelta(hours=2)), "76 of 100 in 6h", "used up in 2h", id="ends"),
        pytest.param(_limit(0, -timedelta(minutes=5)), "0 of 100 in 6h", "used up for 5m", id="used up"),
        pytest.param(_limit(1, -timedelta(minutes=5)), "1 of 100 in 6h", "used up about now", id="should be over"),
        pytest.param(_limit(5, limit=None), "5", "lasts", id="only what is left"),
        pytest.param(_limit(None), "no limit", "-", id="no limit"),
    ],
)
def test_a_limit_is_told_in_words(limit: LimitView, left: str, end: str) -> None:
    """What is left, of how much, in which time, and when it will be used up."""
    assert (left_of(limit), forecast(limit, NOW)) == (left, end)


@pytest.mark.parametrize("width", [20, 80])
def test_limits_fit_every_terminal(width: int) -> None:
    """No line of the table is wider than the terminal, and nothing is lost; without limits there is a sentence."""
    console = Console(file=io.StringIO(), width=width, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        console.print(draw_limits([_limit(76, timedelta(hours=2))], NOW))
    text = captured.get()
    assert all(len(line) <= width for line in text.splitlines())
    assert width < 80 or "docker.io  hub         76 of 100 in 6h  used up in 2h  2m ago" in text
    assert "No limit was told" in str(draw_limits([], NOW))
