"""Makes an ambiguous diagnosis plainer by questions that cost nothing; what stays hidden is said to be. Pure.

Registries hide what a login may not see, and some hand a scoped token to any login, even a wrong one (Harbor). The
login alone is then asked about, without a scope, and the token's own word is read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rotator.registry.diagnose import Ailment, Detail, Diagnosis

REFUSED = frozenset({Ailment.AUTH_FAILED, Ailment.AUTH_EXPIRED, Ailment.TWO_FACTOR})
"""Diagnoses that blame the login itself."""


@dataclass(frozen=True, slots=True)
class Probes:
    """What the further questions brought.

    Args:
        login: The diagnosis of the login alone; None when it was not asked about.
        granted: What a token of this login grants on the repository; None when that could not be told.
        is_public: Whether the image pulls without a login; None when that could not be told.
    """

    login: Diagnosis | None = None
    granted: frozenset[str] | None = None
    is_public: bool | None = None


def is_ambiguous(found: Diagnosis) -> bool:
    """Return whether asking further may make ``found`` plainer."""
    return found.ailment is Ailment.NO_ACCESS_OR_NOT_FOUND or (
        found.ailment is Ailment.UNCLEAR and found.detail in {Detail.NONE, Detail.CLOCK}
    )


def resolve(found: Diagnosis, probes: Probes) -> Diagnosis:
    """Return ``found``, made plainer where ``probes`` allow it.

    Args:
        found: Of the image, asked for with a login.
        probes: What else was asked.
    """
    if not is_ambiguous(found) or probes.login is None:
        return found
    if probes.login.ailment in REFUSED:
        return replace(probes.login, evidence=f"{probes.login.evidence}, asked about the login alone")
    if probes.login.ailment is not Ailment.OK:
        return found
    more = ["the login itself is accepted"]
    if probes.granted is not None and "pull" not in probes.granted:
        more.append("its token grants no pull here")
    if probes.granted is not None and "pull" in probes.granted:
        more.append("its token grants the pull all the same")
    if probes.is_public:
        more.append("without a login it pulls")
    return replace(found, evidence=f"{found.evidence}; {', '.join(more)}")
