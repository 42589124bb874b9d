"""What a person is told before they ask for something: what will happen, and what depends on it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.admin.access import Role
from rotator.domain.history import KnownVersion
from rotator.domain.model import Stage, Strategy
from rotator.domain.plan import CredentialPlan, TargetPlan
from rotator.domain.status import CredentialStatus
from rotator.domain.usage import Usage
from rotator.domain.words import counted
from rotator.page.radius import Radius, radius_of
from rotator.page.words import Badge, moment, of_health, relative

REASONS = {
    "rotate": "the token has new rights at the vendor",
    "rollback": "the new token may not pull acme/app",
    "leak": "pushed to a public repository",
}
"""An example of a reason, for each action."""

ROLES = {"rotate": Role.OPERATOR, "rollback": Role.OPERATOR, "leak": Role.ADMIN}
"""Every action, and who may ask for it."""

LABELS = {"rotate": "Rotate now", "rollback": "Put it back", "leak": "Replace and end it everywhere"}
TITLES = {"rotate": "Rotate", "rollback": "Put an earlier version back:", "leak": "Leak response for"}


@dataclass(frozen=True, slots=True)
class Choice:
    """A version that may be put back."""

    generation: int
    text: str


@dataclass(frozen=True, slots=True)
class Ask:
    """The page before an action.

    Args:
        action: As in the path.
        name: The credential's name.
        state: How it stands.
        title: What is asked.
        label: What the button says.
        example: A reason, as an example.
        steps: What will happen, one sentence each.
        warnings: What to know before.
        choices: Versions to choose from; empty where there is no choice.
        radius: What depends on the credential.
        is_possible: Whether there is a button at all.
    """

    action: str
    name: str
    state: Badge
    title: str
    label: str
    example: str
    steps: tuple[str, ...]
    warnings: tuple[str, ...]
    choices: tuple[Choice, ...]
    radius: Radius
    is_possible: bool


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the page before an action is made from.

    Args:
        now: The daemon's time.
        status: How the credential stands.
        plan: What a rotation would do; None when that could not be found out.
        unplanned: Why it could not; empty when it could.
        versions: Newest first.
        usage: What depends on it.
    """

    now: datetime
    status: CredentialStatus
    plan: CredentialPlan | None
    unplanned: str
    versions: Sequence[KnownVersion]
    usage: Usage


def ask_of(action: str, outlook: Outlook) -> Ask:
    """Return the page before ``action``, which is one of `ROLES`."""
    status = outlook.status
    choices = tuple(_choice(one, outlook.now) for one in outlook.versions if _may_be_put_back(one, outlook.now))
    steps = {"rotate": _rotate, "rollback": _rollback, "leak": _leak}[action](outlook)
    return Ask(
        action=action,
        name=status.name,
        state=of_health(status.health),
        title=f"{TITLES[action]} {status.name}",
        label=LABELS[action],
        example=REASONS[action],
        steps=tuple(steps),
        warnings=tuple(_warnings(action, outlook, choices)),
        choices=choices if action == "rollback" else (),
        radius=radius_of(outlook.usage, outlook.now),
        is_possible=_is_possible(action, outlook, choices),
    )


def _is_possible(action: str, outlook: Outlook, choices: Sequence[Choice]) -> bool:
    if action == "rollback":
        return bool(choices) and outlook.status.running is None
    return action == "rotate" or outlook.status.current is not None


def _rotate(outlook: Outlook) -> list[str]:
    status = outlook.status
    if status.strategy == Strategy.READ:
        first = "Its source is read again. If it holds the same value, nothing changes: replace it there first."
    else:
        first = f"A new version is issued by {status.provider}."
    return [
        first,
        f"It is shown to {status.registry} first; if that refuses it, nothing is replaced.",
        *_delivered(outlook, _in_waves),
        "It comes into use; the version before stays valid for its grace, until every required place has confirmed.",
    ]


def _rollback(outlook: Outlook) -> list[str]:
    by_person = outlook.status.strategy == Strategy.READ
    stay = [] if by_person else ["What comes back stays until only its outage budget is left, or until you rotate."]
    return [
        f"The version that you choose is shown to {outlook.status.registry}; if that refuses it, nothing is replaced.",
        "It is delivered again, everywhere at once, under a new generation, so that no number goes back.",
        *_delivered(outlook, _at_once),
        "The version in use now is taken back, and not used again unless somebody asks for it.",
        *stay,
    ]


def _leak(outlook: Outlook) -> list[str]:
    status = outlook.status
    if status.strategy == Strategy.READ:
        return [
            "You make a new token at the vendor and put it at its source; the daemon notices by itself.",
            f"It is shown to {status.registry}, then delivered everywhere at once, without waves.",
            *_delivered(outlook, _at_once),
            "You end the leaked one where it was made; the daemon shows when the registry refuses it.",
        ]
    return [
        f"A new version is issued by {status.provider} and shown to {status.registry}.",
        "It is delivered everywhere at once, without waves.",
        *_delivered(outlook, _at_once),
        *_ended(status, outlook.now),
    ]


def _ended(status: CredentialStatus, now: datetime) -> list[str]:
    at = status.current.expiry.at if status.current is not None else None
    if status.strategy == Strategy.EPHEMERAL:
        until = f"its expiry, {moment(at, now).utc}" if at is not None else "its expiry"
        return [
            f"The vendor cannot end what it issued: what is in use now works until {until}.",
            "To cut it off before, deny its principal at the vendor.",
        ]
    return [
        "Every leaked version is ended at the vendor as soon as nobody needs it, and shown to be refused.",
        "What the vendor cannot end works until its expiry.",
    ]


def _delivered(outlook: Outlook, order: Callable[[TargetPlan], str]) -> list[str]:
    if outlook.plan is None:
        where = ", ".join(one.target for one in outlook.status.targets) or "no target"
        return [f"It is delivered to {where}."]
    return [_target(one, order(one)) for one in outlook.plan.targets] or ["It is delivered nowhere: it has no target."]


def _target(plan: TargetPlan, order: str) -> str:
    if plan.error:
        return f"{plan.target} could not say which places it has: {plan.error}."
    refused = f"; policy keeps it from {counted(plan.refused_count, 'more place')}" if plan.refused_count else ""
    odd = f"; not as it should be now: {counted(plan.odd_count, 'place')}" if plan.odd_count else ""
    return f"{plan.target} gets it: {counted(plan.placements, 'place')}{order}{odd}{refused}."


def _in_waves(plan: TargetPlan) -> str:
    canaries = f", {plan.canaries} of them first" if plan.canaries else ""
    filled = [number for number, size in enumerate(plan.waves, start=1) if size]
    waves = f", in {counted(len(filled), 'wave')}" if len(filled) > 1 else ""
    if len(filled) == 1 and len(plan.waves) > 1:  # it shares its waves with other small targets
        waves = f", in wave {filled[0]} of {len(plan.waves)}"
    return f"{canaries}{waves}"


def _at_once(plan: TargetPlan) -> str:
    return ", together" if plan.placements > 1 else ""


def _warnings(action: str, outlook: Outlook, choices: Sequence[Choice]) -> list[str]:
    status, found = outlook.status, []
    if outlook.unplanned:
        found.append(f"What the places hold could not be read now ({outlook.unplanned}); this is from memory.")
    if status.running is not None and action == "rollback":
        found.append("A rotation of it runs, and what that brings is not known yet. Wait for its end.")
    elif status.running is not None:
        found.append("A rotation of it runs already; yours joins that one.")
    if action == "rollback" and not choices:
        found.append("No earlier version is kept that still works and that nobody else knows.")
    if action == "leak" and status.current is None:
        found.append("No version was ever in use, so none can have leaked.")
    if status.held:
        found.append(f"Its login is held back from the registry now: {status.held}.")
    if action == "leak":
        found.append("A report cannot be taken back, nor what is ended because of it.")
    return found


def _may_be_put_back(known: KnownVersion, now: datetime) -> bool:
    version = known.version
    is_gone = version.ended_at is not None or version.dead_at is not None or version.expiry.is_past(now)
    return version.stage is Stage.PREVIOUS and version.leaked_at is None and not is_gone


def _choice(known: KnownVersion, now: datetime) -> Choice:
    version = known.version
    expiry = f", expires {relative(version.expiry.at, now)}" if version.expiry.at is not None else ""
    back = ", taken back before" if version.withdrawn_at is not None else ""
    return Choice(
        version.generation, f"Generation {version.generation}, issued {relative(version.issued_at, now)}{expiry}{back}"
    )
