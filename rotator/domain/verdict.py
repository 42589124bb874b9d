"""What a registry made of a login, and what follows for a rotation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """What one probe could tell."""

    ACCEPTED = "accepted"
    """The registry accepted the login; for an image: it pulls."""
    REJECTED = "rejected"
    """The registry refused the login itself."""
    NO_ACCESS = "no_access"
    """The login may be good, but this image is not granted to it, or does not exist: not always distinguishable."""
    MISSING = "missing"
    """The login reaches the repository; this tag or repository does not exist."""
    CANNOT_TELL = "cannot_tell"
    """429, 5xx, time-out, DNS, TLS, an answer that is not a registry's: says nothing about the login."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One probe's verdict with its evidence.

    Args:
        subject: The image reference, or the registry's host for the auth probe.
        verdict: What it could tell.
        evidence: What the registry answered, in a sentence without secrets and without a body.
        retry_after: Seconds the registry asked us to wait; None when it did not.
        reason: What was found, in one word for machines (`rotator.registry.advice.Ailment`); empty where nobody asked.
    """

    subject: str
    verdict: Verdict
    evidence: str
    retry_after: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """All findings about one login: the auth probe first, then one per image.

    Args:
        auth: The vendor's auth probe.
        images: One finding per configured image, in configuration order.
    """

    auth: Finding
    images: tuple[Finding, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Return the worst of all: a refusal outweighs "cannot tell", which outweighs a good answer."""
        order = (Verdict.REJECTED, Verdict.NO_ACCESS, Verdict.CANNOT_TELL, Verdict.MISSING)
        verdicts = [finding.verdict for finding in (self.auth, *self.images)]
        return next((worst for worst in order if worst in verdicts), Verdict.ACCEPTED)


class Judgement(StrEnum):
    """What a rotation does with a pending version after it was verified."""

    PROMOTE = "promote"
    WAIT = "wait"
    ABANDON = "abandon"


def judge(pending: Verification, current: Verification | None) -> tuple[Judgement, str]:
    """Decide whether a pending version may replace the current one: never replace good with worse.

    An image that the current version cannot pull either is no reason to withhold the pending one: the configuration
    names an image nobody may pull, and holding back would let every other image die with the old version.

    Args:
        pending: What was found about the pending version.
        current: What was found, just now, about the current one; None when there is none or it was not asked.

    Returns:
        The judgement and a sentence with the evidence.
    """
    if pending.auth.verdict in {Verdict.REJECTED, Verdict.NO_ACCESS}:
        return Judgement.ABANDON, f"{pending.auth.subject}: {pending.auth.evidence}"
    unsure = [finding for finding in (pending.auth, *pending.images) if finding.verdict is Verdict.CANNOT_TELL]
    if unsure:
        return Judgement.WAIT, f"{unsure[0].subject}: {unsure[0].evidence}"
    worse = [finding for finding in pending.images if finding.verdict in {Verdict.REJECTED, Verdict.NO_ACCESS}]
    pulled = _pulled(current)
    for finding in worse:
        if current is None or finding.subject in pulled:
            return Judgement.ABANDON, f"{finding.subject}: {finding.evidence}"
    if worse:
        names = ", ".join(finding.subject for finding in worse)
        return Judgement.PROMOTE, f"accepted; {names} cannot be pulled, as before"
    missing = [finding.subject for finding in pending.images if finding.verdict is Verdict.MISSING]
    return Judgement.PROMOTE, f"accepted; does not exist: {', '.join(missing)}" if missing else "accepted"


def _pulled(verification: Verification | None) -> set[str]:
    """Return the images for which ``verification`` did not positively show that they cannot be pulled."""
    if verification is None:
        return set()
    refused = {Verdict.REJECTED, Verdict.NO_ACCESS}
    if verification.auth.verdict in refused:
        return set()
    return {finding.subject for finding in verification.images if finding.verdict not in refused}
