"""Old versions that wait for their end at the vendor: how many, and what it changes that they are many.

None is let go of while it may still work, so something else bounds how many there are: the oldest are ended before
their grace is over, and while that does not help, no new version is made before it must be.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rotator.domain.model import Stage, Strategy, Version
from rotator.domain.schedule import RenewalRule, as_late_as_possible
from rotator.domain.succession import KEPT
from rotator.domain.words import counted
from rotator.engine.credential import Credential
from rotator.engine.ledger import Ledger
from rotator.ports import Retires


def unended(credential: Credential, ledger: Ledger, now: datetime) -> Sequence[Version]:
    """Return the old versions that were made at the vendor and may work there still, newest first.

    None where each dies by itself or a person ends it: rotator makes no living logins there that only pile up.
    """
    live = ledger.live_versions(credential.name)
    if (
        len(live) < KEPT
        or credential.provider.strategy is Strategy.READ
        or not isinstance(credential.provider, Retires)
    ):
        return ()
    old = [one for one in live if one.stage is Stage.PREVIOUS and not one.expiry.is_past(now)]
    theirs = [one for one in old if one.is_for(credential.registry) and one.is_by(credential.maker)]
    return sorted(theirs, key=lambda one: -one.generation)


def is_crowded_out(credential: Credential, version: Version, ledger: Ledger, now: datetime) -> bool:
    """Return whether ``version`` is too old to have a grace, since `KEPT` newer ones wait for their end as well."""
    return any(one.generation == version.generation for one in unended(credential, ledger, now)[KEPT:])


def rule_of(credential: Credential, ledger: Ledger, now: datetime) -> RenewalRule:
    """Return when ``credential`` is renewed: as late as possible while too many old versions cannot be ended."""
    is_crowded = len(unended(credential, ledger, now)) > KEPT
    return as_late_as_possible(credential.rule) if is_crowded else credential.rule


def why_late(credential: Credential, ledger: Ledger, now: datetime) -> str:
    """Return why ``credential`` is renewed as late as possible, in half a sentence; empty when it is not."""
    count = len(unended(credential, ledger, now))
    if count <= KEPT:
        return ""
    return f"{counted(count, 'old version')} could not be ended yet, so that a new one is made only when it must be"
