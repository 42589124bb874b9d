"""How an old version comes to its end at the vendor."""

from __future__ import annotations

from enum import StrEnum


class Retirement(StrEnum):
    """What was done about an old version, or will happen to it."""

    ENDED = "ended"
    """The vendor was told to end it and said that it did, or that it was gone already."""
    DIES = "dies"
    """The vendor cannot end it; it stops working at its expiry."""
    PERSON = "person"
    """Only a person can end it, where they made it."""
