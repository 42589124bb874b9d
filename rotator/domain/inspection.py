"""What a vendor tells about a login: until when it works, what it may do, whose it is. Never a guess."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.model import UNKNOWN, Expiry


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
