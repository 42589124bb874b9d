"""How the API's values are put for people: short, and complete without colour. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from rotator.admin.models import CredentialView, ImageView, LimitView, RotationView
from rotator.domain.headroom import HeadroomState
from rotator.domain.rotation import State
from rotator.domain.status import Health
from rotator.domain.words import counted, span


@dataclass(frozen=True, slots=True)
class Life:
    """What is left of a version's life.

    Args:
        left: Share that is left, in [0, 1]; None when it never ends or nobody knows.
        text: The same in words.
    """

    left: float | None
    text: str


@dataclass(frozen=True, slots=True)
class Look:
    """How a health is shown.

    Args:
        symbol: One character; beside the word, never instead of it.
        plain_symbol: The same for terminals without Unicode.
        style: Rich style.
    """

    symbol: str
    plain_symbol: str
    style: str


LOOKS: dict[Health, Look] = {
    Health.OK: Look("\N{CHECK MARK}", "+", "green"),
    Health.PARTIAL: Look("\N{BLACK LOZENGE}", "~", "yellow"),
    Health.FAILING: Look("!", "!", "yellow"),
    Health.MISSING: Look("?", "?", "red"),
    Health.REJECTED: Look("\N{MULTIPLICATION X}", "x", "bold red"),
    Health.EXPIRED: Look("\N{MULTIPLICATION X}", "x", "bold red"),
}


def life(credential: CredentialView, now: datetime) -> Life:
    """Return what is left of the life of the version in use."""
    if not credential.generation:
        return Life(None, "none yet")
    expires_at, issued_at = credential.expiry.at, credential.issued_at
    if expires_at is None or issued_at is None:
        return Life(None, "no end" if credential.expiry.kind == "never" else "end unknown")
    whole, left = expires_at - issued_at, expires_at - now
    if left <= timedelta():
        return Life(0.0, f"over for {span(-left)}")
    share = left / whole if whole > timedelta() else 0.0
    return Life(min(1.0, share), f"{span(left)} of {span(whole)}")


def placed(credential: CredentialView) -> str:
    """Return how many placements hold the version in use: ``12/12``; ``?`` where a target could not be asked."""
    confirmed = sum(target.confirmed for target in credential.targets)
    known = sum(target.placements for target in credential.targets)
    unasked = "?" if any(target.error for target in credential.targets) else ""
    return f"{confirmed}/{known}{unasked}"


def upcoming(credential: CredentialView, now: datetime) -> str:
    """Return when it is next rotated."""
    if credential.running is not None and credential.running.state is State.RUNNING:
        return "now"
    retry = credential.next_attempt_at
    if credential.failures and retry is not None:
        return f"retry {span(retry - now)}" if retry > now else "retry now"
    if credential.renewal_at is None:
        return "on change" if credential.strategy == "read" else "-"
    return f"in {span(credential.renewal_at - now)}" if credential.renewal_at > now else "due"


def outage(credential: CredentialView, now: datetime) -> str:
    """Return how long its source may be down before a target has no valid login; empty when no end is known."""
    at = credential.outage_deadline
    if at is None:
        return ""
    when = f"{at:%H:%M} UTC" if at.date() == now.date() else f"{at:%Y-%m-%d %H:%M} UTC"
    if at <= now:
        return f"target {credential.outage_target} is without a valid login since {when}"
    first = f"the first target ({credential.outage_target})"
    return f"if its source is down, {first} is without a valid login at {when}, in {span(at - now)}"


def unwell(credential: CredentialView, now: datetime) -> str:
    """Return how a credential stands, why its latest attempt failed, and when the next is; empty where all is well."""
    if credential.health is Health.OK:
        return ""
    last = credential.last
    has_reason = credential.failures > 0 and last is not None and bool(last.error)
    why = f": {last.message.rstrip('.')}" if last is not None and has_reason else ""
    following = upcoming(credential, now) if credential.failures else "it is tried again by itself"
    return f"{credential.name}: {credential.message}{why}; {following}"


def pullable(image: ImageView, now: datetime) -> str:
    """Return whether an image pulls, since when that is known, and what was found where it does not."""
    if image.looked_at is None:
        return image.message
    if image.is_pullable is None or image.told_at is None:
        return f"cannot tell whether it pulls: {image.message}"
    word, ago = "pulls" if image.is_pullable else "does not pull", span(now - image.told_at)
    if image.looked_at > image.told_at:
        return f"{word} as of {ago} ago; cannot tell since: {image.message}"
    return f"{word}, looked at {ago} ago" if image.is_pullable else f"{word}: {image.message}"


def left_of(limit: LimitView) -> str:
    """Return what is left of a pull limit: ``76 of 100 in 6h``, or that there is none."""
    if limit.state is HeadroomState.UNLIMITED:
        return "no limit"
    whole = "" if limit.limit is None else f" of {limit.limit}"
    window = "" if limit.window_seconds is None else f" in {span(timedelta(seconds=limit.window_seconds))}"
    return f"{limit.remaining}{whole}{window}"


def forecast(limit: LimitView, now: datetime) -> str:
    """Return when a pull limit will be used up, and for how long it has been."""
    if limit.state is HeadroomState.UNLIMITED:
        return "-"
    if limit.exhausted_at is None:
        return "lasts"
    if limit.exhausted_at > now:
        return f"used up in {span(limit.exhausted_at - now)}"
    return f"used up for {span(now - limit.exhausted_at)}" if limit.remaining == 0 else "used up about now"


def ended(rotation: RotationView, outcome: str, lacking: int = 0) -> str:
    """Return how a rotation ended and what to do next, in one or two sentences.

    Args:
        rotation: The rotation.
        outcome: How it ended.
        lacking: Placements that do not hold the version in use, required or not.
    """
    name = rotation.credential
    rest = f"{counted(lacking, 'placement')} still {'lacks' if lacking == 1 else 'lack'} the version in use"
    after = {
        "succeeded": f"{rest}; `rotator status {name}` says which." if lacking else "Nothing is left to do.",
        "unchanged": "If you expected a new value, change it at its source first.",
        "partial": f"The rest is tried again by itself; `rotator status {name}` names it.",
        "failed": f"Nothing was replaced; `rotator status {name}` shows how it stands.",
        "abandoned": f"`rotator status {name}` shows what took its place.",
    }.get(outcome, f"`rotator status {name}` shows how it stands.")
    generation = f" (generation {rotation.generation})" if rotation.generation else ""
    return f"{name}: {outcome}{generation}: {rotation.message.rstrip('.')}. {after}"
