"""What a vendor tells about a login: until when it works, what it may do, whose it is. Never a guess."""

from __future__ import annotations

from dataclasses import dataclass, replace

from rotator.domain.model import UNKNOWN, Expiry, Strategy, Version


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was learnt about one login. Not secret.

    Args:
        expiry: Known, never, or unknown.
        scopes: What it may do, in the vendor's own words; empty when the vendor said "nothing", None when nobody knows.
        principal: Whom the vendor takes it for, in the vendor's own words; empty when it did not say.
    """

    expiry: Expiry = UNKNOWN
    scopes: frozenset[str] | None = None
    principal: str = ""


NOTHING_KNOWN = Inspection()


def learned(version: Version, found: Inspection, strategy: Strategy) -> Version:
    """Return ``version`` with what was found out about it; what is unknown now leaves what was known.

    Args:
        version: As it is known.
        found: What its vendor tells now.
        strategy: How it is replaced. Of a login that was read, the source may know an earlier end than the vendor does,
            so only an earlier one is news.
    """
    return replace(
        version,
        expiry=_later_word(version.expiry, found.expiry, strategy),
        scopes=version.scopes if found.scopes is None else found.scopes,
        principal=found.principal or version.principal,
    )


def _later_word(known: Expiry, told: Expiry, strategy: Strategy) -> Expiry:
    if told == UNKNOWN:
        return known
    if strategy is not Strategy.READ or known.at is None:
        return told
    return known if told.at is None or told.at >= known.at else told
