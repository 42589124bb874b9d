"""What needs a person: what is on the list, what is not, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rotator import errors
from rotator.domain.attention import FOR_A_PERSON, Kind, Severity, needs_of
from rotator.domain.headroom import ANONYMOUS, Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.image import ImageStatus
from rotator.domain.leak import LeakProgress, LeakStep, Waits
from rotator.domain.model import Delivery, DeliveryState, Expiry, Record, Stage, Strategy, Version
from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.status import CredentialStatus, TargetStatus, health_of

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIFE = timedelta(hours=12)
CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
PROD = TargetStatus(
    "prod", "fake", required=True, confirmed=2, placements=2, behind=(), expires_at=None, confirmed_at=NOW
)
STRAGGLER = Delivery("prod", "ns/pull", "ecr", 3, DeliveryState.FAILED, NOW, "unavailable", "no answer.", attempts=1)


def version(left: timedelta = LIFE / 2, **changes: Any) -> Version:
    """Return generation 3 of 12 hours, of which ``left`` is left."""
    ends = NOW + left
    return replace(Version("ecr", 3, Stage.CURRENT, "f", "AWS", ends - LIFE, Expiry(ends), verified_at=NOW), **changes)


def ended(error: str, **changes: Any) -> Rotation:
    """Return the rotation that ended last, with ``error``."""
    state = State.FAILED if error else State.SUCCEEDED
    rotation = Rotation("r1", "ecr", "RenewalPointReached", "it said no.", Step.ISSUE, state, NOW, NOW, 3, error)
    return replace(rotation, **changes)


def status(
    current: Version | None = None,
    failures: int = 0,
    error: str = "",
    targets: Sequence[TargetStatus] = (PROD,),
    **changes: Any,
) -> CredentialStatus:
    """Return how the credential ``ecr`` stands, ephemeral where ``changes`` do not say otherwise."""
    record = Record("ecr", generation=3, failures=failures)
    health, message = health_of(current, record, tuple(targets), NOW)
    last = ended(error) if error else None
    made = CredentialStatus(
        "ecr", "ecr", "r.example", "ephemeral", health, message, record, current, None, None, None, last, tuple(targets)
    )
    return replace(made, **changes)


READ: dict[str, Any] = {"strategy": Strategy.READ.value}
LATE = replace(PROD, confirmed=1, behind=(STRAGGLER,))
WAITS = replace(STRAGGLER, state=DeliveryState.AWAITING, error="awaiting_operator", message="prod: 3 waits. Enter it")
IMAGE = ImageStatus("site", "r.example/site:7", is_pullable=False, told_at=NOW, reason="gone", message="no such tag")


@pytest.mark.parametrize(
    "standing",
    [
        status(version()),
        status(version(), 1, "unavailable"),
        status(version(), 2, "unavailable"),
        status(version(timedelta(minutes=20))),
        status(version(rejected_at=NOW)),
        status(version(rejected_at=NOW), pending=version(stage=Stage.PENDING), **READ),
        status(version(timedelta(minutes=20)), pending=version(stage=Stage.PENDING), **READ),
        status(None),
        status(None, 2, "unavailable"),
        status(version(expiry=Expiry(never=True)), **READ),
        status(version(), targets=(LATE,)),
        status(version(), images=(replace(IMAGE, is_pullable=None), replace(IMAGE, is_pullable=True))),
    ],
    ids=[
        "all is well",
        "a first failure",
        "two failures that may pass",
        "ends soon and nothing failed",
        "refused and replaced by itself",
        "refused with the next one on its way",
        "read, and the next one is on its way",
        "none yet",
        "none yet, and it is tried again",
        "never ends",
        "a placement that is tried again",
        "an image that cannot be told of, or pulls",
    ],
)
def test_what_mends_itself_needs_nobody(standing: CredentialStatus) -> None:
    """What is in order, or what the daemon is mending, is not on the list."""
    assert needs_of([standing], NOW) == ()


@pytest.mark.parametrize(
    ("standing", "kind", "severity", "what"),
    [
        (status(version(timedelta())), Kind.EXPIRED, CRITICAL, "pulls with it fail"),
        (status(version(rejected_at=NOW), **READ), Kind.REJECTED, CRITICAL, "nothing is there to replace it"),
        (status(version(rejected_at=NOW), 1, "unavailable"), Kind.REJECTED, CRITICAL, "replace it: it said no"),
        (status(version(rejected_at=NOW), held="closed until noon"), Kind.REJECTED, CRITICAL, "closed until noon"),
        (status(None, 3, "unavailable"), Kind.MISSING, CRITICAL, "no version is in use yet after 3 failed attempts"),
        (status(None, 1, "permission_denied"), Kind.MISSING, CRITICAL, "it said no"),
        (status(version(timedelta(minutes=72)), 1, "unavailable"), Kind.EXPIRING, CRITICAL, "expires at 2026-01-01 13"),
        (status(version(timedelta(minutes=72)), **READ), Kind.EXPIRING, CRITICAL, "is not replaced"),
        (
            status(version(timedelta(days=9), issued_at=NOW - timedelta(days=81)), **READ),
            Kind.EXPIRING,
            WARNING,
            "is not replaced",
        ),
        (status(version(), 3, "unavailable"), Kind.FAILING, WARNING, "the last 3 attempts failed; generation 3 serves"),
        (status(version(), 1, "shape"), Kind.FAILING, WARNING, "it said no"),
        (status(version(), withdrawn=4), Kind.WITHDRAWN, WARNING, "generation 4 was taken back and generation 3 serve"),
        (
            status(version(), 3, withdrawn=3, last=ended("halted")),
            Kind.WITHDRAWN,
            WARNING,
            "generation 3 serves: it said no",
        ),
        (status(version(), targets=(replace(LATE, behind=(WAITS,)),)), Kind.AWAITING, WARNING, "prod: 3 waits"),
        (
            status(version(), targets=(replace(LATE, behind=(replace(STRAGGLER, attempts=5),)),)),
            Kind.UNDELIVERED,
            WARNING,
            "target prod lacks the version in use: ns/pull: no answer",
        ),
        (
            status(version(), targets=(replace(LATE, behind=(replace(STRAGGLER, error="permission_denied"),)),)),
            Kind.UNDELIVERED,
            WARNING,
            "ns/pull",
        ),
        (
            status(version(), targets=(replace(LATE, behind=(replace(STRAGGLER, left_until=NOW),)),)),
            Kind.UNDELIVERED,
            WARNING,
            "ns/pull",
        ),
        (status(version(), targets=(replace(PROD, error="no answer"),)), Kind.UNDELIVERED, WARNING, "no answer"),
        (
            status(version(), targets=(replace(LATE, expires_at=NOW + timedelta(minutes=30)),)),
            Kind.UNDELIVERED,
            CRITICAL,
            "what it holds expires at 2026-01-01 12:30:00Z",
        ),
        (
            status(version(), targets=(replace(LATE, behind=(WAITS,), expires_at=NOW),)),
            Kind.AWAITING,
            CRITICAL,
            "what it holds ended at 2026-01-01 12:00:00Z",
        ),
        (status(version(), images=(IMAGE,)), Kind.IMAGE, WARNING, "r.example/site:7 does not pull: no such tag"),
    ],
    ids=[
        "expired",
        "read and refused",
        "refused, and replacing it fails",
        "refused, and held back",
        "three failures without a version",
        "no version, and no permission",
        "a tenth is left and it fails",
        "read, a tenth is left",
        "read, a tenth of months is left",
        "three failures",
        "an error for a person",
        "taken back",
        "a halted rollout",
        "a person is awaited",
        "five tries",
        "a place that forbids it",
        "a place that something else writes to",
        "a place that cannot be asked",
        "a place whose login ends",
        "a person is awaited, and it ends",
        "an image does not pull",
    ],
)
def test_what_needs_a_person(standing: CredentialStatus, kind: Kind, severity: Severity, what: str) -> None:
    """Each such state brings exactly one need, which says what it is, how bad, and what to do next."""
    [need] = needs_of([standing], NOW)

    assert (need.kind, need.severity) == (kind, severity)
    assert what in need.what
    assert need.next_step
    assert not need.what.endswith(".")
    assert not need.next_step.endswith(".")


def test_what_waits_for_a_person_says_how() -> None:
    """What a target asks of a person is the next step, with the commands for it where it names none itself."""
    told = replace(LATE, behind=(WAITS,))
    silent = replace(LATE, behind=(replace(WAITS, message="prod: 3 waits"),))

    steps = [needs_of([status(version(), targets=(one,))], NOW)[0].next_step for one in (told, silent)]

    assert steps[0] == "Enter it"
    assert "`rotator targets ack prod --generation 3`" in steps[1]


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ((), []),
        ((LeakStep("replaced", is_done=False, message="on its way"),), []),
        (
            (
                LeakStep("replaced", is_done=True, message="ok"),
                LeakStep("dead", is_done=False, message="later", waits_for=Waits.TIME),
            ),
            [],
        ),
        (
            (LeakStep("replaced", is_done=False, message="make a new token.", waits_for=Waits.PERSON),),
            ["make a new token"],
        ),
        (
            (
                LeakStep("delivered", is_done=False, message="waiting"),
                LeakStep("ended", is_done=False, message="end it", waits_for=Waits.PERSON),
            ),
            [],
        ),
    ],
    ids=["no leak", "the daemon goes on", "only time ends it", "a person", "a person, once it is delivered"],
)
def test_a_leak_needs_a_person_when_its_next_step_does(steps: tuple[LeakStep, ...], expected: list[str]) -> None:
    """The response to a leak is on the list while the step that comes next is a person's."""
    needs = needs_of([], NOW, leaks=[LeakProgress("ecr", NOW, steps)])

    assert [need.next_step for need in needs] == expected
    assert all((need.kind, need.severity, need.since) == (Kind.LEAK, CRITICAL, NOW) for need in needs)


@pytest.mark.parametrize(
    ("remaining", "state", "count"),
    [(0, HeadroomState.LIMITED, 1), (1, HeadroomState.LIMITED, 0), (None, HeadroomState.UNKNOWN, 0)],
    ids=["used up", "one is left", "unknown"],
)
def test_a_limit_that_is_used_up(remaining: int | None, state: HeadroomState, count: int) -> None:
    """A limit needs a person when nothing is left of it, never when nobody knows."""
    sample = Sample("docker.io", ANONYMOUS, NOW, Headroom(state, 100, remaining))

    needs = needs_of([], NOW, limits=[LimitStatus(sample, NOW)])

    assert [need.kind for need in needs] == [Kind.LIMIT] * count
    assert all(need.about == "docker.io" for need in needs)


def test_the_worst_comes_first() -> None:
    """Critical needs come first, of these what has lasted longest; what began at no known time comes last."""
    old = replace(status(version(-timedelta(hours=2))), name="old")
    recent = replace(status(version(-timedelta(hours=1))), name="recent")
    unknown = replace(status(None, 3, "unavailable"), name="unknown")
    mild = replace(status(version(), 3, "unavailable"), name="mild")

    needs = needs_of([mild, unknown, recent, old], NOW)

    assert [need.credential for need in needs] == ["old", "recent", "unknown", "mild"]


def test_a_lost_login_is_one_need() -> None:
    """Images that do not pull because the login is dead are not named beside it."""
    needs = needs_of([status(version(timedelta()), images=(IMAGE,))], NOW)

    assert [need.kind for need in needs] == [Kind.EXPIRED]


def test_a_need_keeps_its_key() -> None:
    """The same need has the same key, however its words change; another target or credential has another."""
    behind = replace(STRAGGLER, attempts=5)
    first = status(version(), targets=(replace(LATE, behind=(behind,)),))
    later = status(version(), targets=(replace(LATE, behind=(replace(behind, message="reset", attempts=9),)),))
    other = status(version(), targets=(replace(LATE, target="edge", behind=(behind,)),))

    keys = [needs_of([one], NOW)[0].key for one in (first, later, other)]

    assert keys[0] == keys[1] != keys[2]


def test_every_permanent_error_is_for_a_person() -> None:
    """Each error class that trying again does not mend is on the list, but for a halt, which is put back by itself."""

    def below(error: type[errors.RotatorError]) -> set[str]:
        ours = [one for one in error.__subclasses__() if one.__module__ == errors.__name__]
        return {error.code}.union(*(below(one) for one in ours))

    assert below(errors.PermanentError) - {errors.HaltedError.code} == FOR_A_PERSON


def test_a_contested_place_is_mended_at_the_other_writer() -> None:
    """Where something else keeps writing, the next step is to find it, not to look whether the target can be read."""
    contested = replace(LATE, behind=(replace(STRAGGLER, left_until=NOW),))
    assert [one.next_step for one in needs_of([status(version(), targets=(contested,))], NOW)] == [
        "find what else writes there and have it leave the place alone, or take the place out of the target"
    ]
