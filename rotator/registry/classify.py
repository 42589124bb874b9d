"""What an answer says about a login: what `rotator.registry.diagnose` found, reduced to what a rotation decides by.

Only the registry's own word counts against a login. Everything else, from a proxy's error page to a rate limit, is
"cannot tell".
"""

from __future__ import annotations

from rotator.domain.attempt import Outcome
from rotator.domain.verdict import Verdict
from rotator.registry.advice import Vendor
from rotator.registry.answer import Answer, Place
from rotator.registry.challenge import find
from rotator.registry.diagnose import Ailment, Detail, diagnose

_VERDICTS = {
    Ailment.OK: Verdict.ACCEPTED,
    Ailment.AUTH_FAILED: Verdict.REJECTED,
    Ailment.AUTH_EXPIRED: Verdict.REJECTED,
    Ailment.TWO_FACTOR: Verdict.REJECTED,
    Ailment.INSUFFICIENT_SCOPE: Verdict.NO_ACCESS,
    Ailment.NO_ACCESS_OR_NOT_FOUND: Verdict.NO_ACCESS,
    Ailment.NOT_FOUND: Verdict.MISSING,
}


def classify(answer: Answer) -> tuple[Verdict, str]:
    """Return what ``answer`` says about the login it was given to, and the evidence in one sentence without secrets."""
    diagnosis = diagnose(answer)
    return verdict_of(diagnosis.ailment), diagnosis.evidence


def verdict_of(ailment: Ailment) -> Verdict:
    """Return what a diagnosis says about the login."""
    return _VERDICTS.get(ailment, Verdict.CANNOT_TELL)


def outcome_of(answer: Answer, vendor: Vendor) -> Outcome:
    """Return what ``answer``, to a request that showed a login, means for a lock-out.

    An answer 200 counts as accepted; whether it proves anything is for the caller to know.
    """
    diagnosis = diagnose(answer, vendor)
    if diagnosis.detail is Detail.LOGIN_LOCKOUT:
        return Outcome.LOCKED_OUT
    if diagnosis.detail is Detail.BAN:
        return Outcome.BANNED
    if diagnosis.ailment is Ailment.RATE_LIMITED:
        return Outcome.UNTOLD if answer.place is Place.MANIFEST else Outcome.SLOWED
    verdict = verdict_of(diagnosis.ailment)
    if verdict is Verdict.REJECTED and answer.place is Place.BASE and find(answer.challenges, "bearer") is not None:
        return Outcome.UNTOLD  # it only wants to see the login elsewhere
    return {Verdict.ACCEPTED: Outcome.ACCEPTED, Verdict.REJECTED: Outcome.REFUSED}.get(verdict, Outcome.UNTOLD)
