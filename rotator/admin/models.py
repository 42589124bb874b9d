"""The API's answers as values. None of them has a field for a secret; fingerprints are in versions and plans only."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from rotator.admin.need_models import NeedView
from rotator.domain.headroom import Counted, HeadroomState, LimitStatus
from rotator.domain.history import OldVersion
from rotator.domain.image import ImageStatus
from rotator.domain.lint import Lint
from rotator.domain.model import Delivery, Expiry
from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.status import CredentialStatus, Health, TargetStatus

SHOWN = 20
"""Refused placements of a target that are named."""


def _printable(value: str) -> str:
    if not value.isprintable():
        raise ValueError("must be one line of printable characters")
    return value


Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_printable)
]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)


class Problem(_View):
    """Why a request was not served."""

    code: str
    """One word for machines."""

    message: str
    """One sentence for people."""

    hint: str = ""
    """What to do next; empty when the message already says it."""

    correlation_id: str = ""
    """Also in the daemon's log, where the details are."""


class ProblemEnvelope(_View):
    """The body of every answer that is not a success."""

    error: Problem


class ExpiryView(_View):
    """When something stops working."""

    kind: Literal["known", "never", "unknown"]
    at: datetime | None = None
    """Only when known."""

    @classmethod
    def of(cls, expiry: Expiry) -> Self:
        """Return the view of ``expiry``."""
        if expiry.at is not None:
            return cls(kind="known", at=expiry.at)
        return cls(kind="never" if expiry.never else "unknown")


class RotationView(_View):
    """One attempt to bring a new version into use."""

    id: str
    credential: str
    reason: str
    message: str
    step: Step
    state: State
    generation: int
    """0 until a version was issued."""
    started_at: datetime
    finished_at: datetime | None
    error: str
    by: str

    @classmethod
    def of(cls, rotation: Rotation) -> Self:
        """Return the view of ``rotation``."""
        return cls.model_validate(rotation, from_attributes=True)


class DeliveryView(_View):
    """A placement that does not hold the version in use."""

    placement: str
    generation: int
    confirmed_generation: int
    """The newest generation that was confirmed there; 0 for none."""
    state: str
    at: datetime
    attempts: int
    error: str
    message: str

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """Return the view of ``delivery``."""
        return cls.model_validate(delivery, from_attributes=True)


class TargetView(_View):
    """How far the version in use has come at one target."""

    target: str
    kind: str
    required: bool
    confirmed: int
    placements: int
    error: str
    """Why its placements could not be listed; empty when they could."""
    refused: int = 0
    """Placements that policy keeps the credential from; not counted above."""
    expires_at: datetime | None = None
    """When the first of what it holds stops working, or did: at its expiry, or since it was refused or ended."""
    policy: tuple[str, ...] = ()
    """Of them, at most 20, and only where one credential is asked for."""
    behind: tuple[DeliveryView, ...] = ()
    """At most 20, and only where one credential is asked for."""

    @classmethod
    def of(cls, target: TargetStatus) -> Self:
        """Return the view of ``target``, without what is behind."""
        return cls(
            target=target.target,
            kind=target.kind,
            required=target.required,
            confirmed=target.confirmed,
            placements=target.placements,
            error=target.error,
            refused=len(target.refused),
            expires_at=target.expires_at,
        )

    @classmethod
    def detailed(cls, target: TargetStatus) -> Self:
        """Return the view of ``target``, with what is behind."""
        behind = tuple(DeliveryView.of(delivery) for delivery in target.behind)
        return cls.of(target).model_copy(update={"behind": behind, "policy": target.refused[:SHOWN]})


class ImageView(_View):
    """What the registry last said about one image and the version in use."""

    id: str
    """Its id in the configuration."""
    image: str
    is_pullable: bool | None
    """Whether it pulled when the registry last could tell; None when it never could."""
    told_at: datetime | None
    """When that was."""
    reason: str
    """What the latest look found, in one word; empty before the first."""
    message: str
    looked_at: datetime | None

    @classmethod
    def of(cls, status: ImageStatus) -> Self:
        """Return the view of ``status``."""
        return cls.model_validate(status, from_attributes=True)


class OldVersionView(_View):
    """A version that is not in use any more and may still work."""

    generation: int
    why: str
    """Why it is not dead yet."""

    @classmethod
    def of(cls, old: OldVersion) -> Self:
        """Return the view of ``old``."""
        return cls.model_validate(old, from_attributes=True)


class LintView(_View):
    """What is better changed about a login."""

    code: str
    text: str
    """What it is and what to request instead."""

    @classmethod
    def of(cls, lint: Lint) -> Self:
        """Return the view of ``lint``."""
        return cls(code=lint.code, text=lint.text)


class CredentialView(_View):
    """How one credential stands."""

    name: str
    provider: str
    registry: str
    strategy: str
    health: Health
    message: str
    generation: int
    """Of the version in use; 0 for none."""
    issued_at: datetime | None
    """Of the version in use."""
    expiry: ExpiryView
    """Of the version in use."""
    verified_at: datetime | None
    pending_generation: int
    """Of the version on its way; 0 for none."""
    failures: int
    """Attempts that failed since the last that succeeded."""
    renewal_at: datetime | None
    next_attempt_at: datetime | None
    """Not before this instant, after a failure."""
    last_success_at: datetime | None
    running: RotationView | None
    last: RotationView | None
    targets: tuple[TargetView, ...]
    held: str = ""
    """Why its login is not shown to the registry now; empty when it may be."""
    old: tuple[OldVersionView, ...] = ()
    """Versions that may still work though they are not in use, newest first."""
    withdrawn: int = 0
    """The generation that was taken back, where the version in use came back in its place; else 0."""
    scopes: tuple[str, ...] | None = None
    """What the version in use may do, in its vendor's own words; None when nobody knows."""
    principal: str = ""
    """Whom the vendor takes it for; empty when nobody knows."""
    is_overprivileged: bool | None = None
    """Whether it may push, delete or administer; None when nobody knows."""
    lints: tuple[LintView, ...] = ()
    """What is better changed about it."""
    images: tuple[ImageView, ...] = ()
    """Only where one credential is asked for."""
    outage_deadline: datetime | None = None
    """When the first required target is without a valid login if the source is down until then; None when no expiry is
    known, or when nothing expires."""
    outage_target: str = ""
    """That target; empty when there is none."""

    @classmethod
    def of(cls, status: CredentialStatus) -> Self:
        """Return the view of ``status`` for a list."""
        current, pending, deadline = status.current, status.pending, status.outage_deadline
        return cls(
            name=status.name,
            provider=status.provider,
            registry=status.registry,
            strategy=status.strategy,
            health=status.health,
            message=status.message,
            generation=current.generation if current else 0,
            issued_at=current.issued_at if current else None,
            expiry=ExpiryView.of(current.expiry if current else Expiry()),
            verified_at=current.verified_at if current else None,
            pending_generation=pending.generation if pending else 0,
            failures=status.record.failures,
            renewal_at=status.renewal_at,
            next_attempt_at=status.record.next_attempt_at,
            last_success_at=status.record.last_success_at,
            running=RotationView.of(status.running) if status.running else None,
            last=RotationView.of(status.last) if status.last else None,
            targets=tuple(TargetView.of(target) for target in status.targets),
            held=status.held,
            old=tuple(OldVersionView.of(one) for one in status.old),
            withdrawn=status.withdrawn,
            scopes=tuple(sorted(current.scopes)) if current and current.scopes is not None else None,
            principal=current.principal if current else "",
            is_overprivileged=status.privilege.is_excessive,
            lints=tuple(LintView.of(lint) for lint in status.privilege.lints),
            outage_deadline=deadline.at if deadline else None,
            outage_target=deadline.target if deadline else "",
        )

    @classmethod
    def detailed(cls, status: CredentialStatus) -> Self:
        """Return the view of ``status`` with the placements that are behind, and the images."""
        targets = tuple(TargetView.detailed(target) for target in status.targets)
        images = tuple(ImageView.of(image) for image in status.images)
        return cls.of(status).model_copy(update={"targets": targets, "images": images})


class CredentialDetail(_View):
    """One credential, and the daemon's time."""

    now: datetime
    credential: CredentialView


class CredentialPage(_View):
    """Some credentials in the order of their names, and the daemon's time."""

    now: datetime
    credentials: tuple[CredentialView, ...]
    after: str | None = None
    """Ask again with this as ``after``; None on the last page."""


class RotationRequest(BaseModel):
    """Why a person wants a rotation now."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    reason: Annotated[Reason, Field(examples=["the token has new rights at the vendor"])]
    """Kept with the rotation; one line, 1 to 500 characters."""


class Accepted(_View):
    """A rotation that runs now."""

    rotation: str
    """Its id."""
    joined: bool
    """Whether it had been running already."""


class RotationList(_View):
    """Rotations, newest first."""

    rotations: tuple[RotationView, ...]


class LimitView(_View):
    """What is left of one pull limit, as the registry last told."""

    registry: str
    credential: str
    """Who asked; ``anonymous`` for nobody: the limit of the daemon's address."""
    state: HeadroomState
    limit: int | None
    remaining: int | None
    window_seconds: int | None
    reset_at: datetime | None
    """Not before this instant there is more; None when not told, as with a rolling window."""
    source: Counted
    """Whom pulls count against."""
    told_at: datetime
    exhausted_at: datetime | None
    """When nothing will be left at the rate of late, or since when; None when not before the window ends."""

    @classmethod
    def of(cls, status: LimitStatus) -> Self:
        """Return the view of ``status``."""
        sample, told = status.sample, status.sample.headroom
        return cls(
            registry=sample.registry,
            credential=sample.credential,
            state=told.state,
            limit=told.limit,
            remaining=told.remaining,
            window_seconds=told.window_seconds,
            reset_at=told.reset_at,
            source=told.source,
            told_at=sample.at,
            exhausted_at=status.exhausted_at,
        )


class LimitList(_View):
    """Every pull limit that a registry ever told, and the daemon's time."""

    now: datetime
    limits: tuple[LimitView, ...]


class DaemonStatus(_View):
    """The daemon as a whole."""

    version: str
    now: datetime
    ready: bool
    alive: bool
    message: str
    """Why it is not ready or not alive; empty when it is both."""
    credentials: int
    by_health: dict[Health, int]
    running: int
    """Rotations that run now or wait for stragglers."""
    need_attention: tuple[str, ...]
    """Names of credentials that are not ok, at most 100."""
    needs: tuple[NeedView, ...] = ()
    """What needs a person, worst first, at most 100."""
