"""What an answer says about a login: what `rotator.registry.diagnose` found, reduced to what a rotation decides by.

Only the registry's own word counts against a login. Everything else, from a proxy's error page to a rate limit, is
"cannot tell".
"""

from __future__ import annotations

from rotator.domain.verdict import Verdict
from rotator.registry.answer import Answer
from rotator.registry.diagnose import Ailment, diagnose

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
    return _VERDICTS.get(diagnosis.ailment, Verdict.CANNOT_TELL), diagnosis.evidence
