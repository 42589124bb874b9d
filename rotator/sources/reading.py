"""`SourceReading`: what every source hands over, and the one check every value passes on its way."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import ShapeError
from rotator.secret import Secret


@dataclass(frozen=True, slots=True)
class SourceReading:
    """One value read from a source.

    Args:
        secret: The value, not empty. Secret.
        revision: The source's version of the value; changes whenever the value does. Not secret.
        expiry: When the value stops working, where the source was told; else unknown.
    """

    secret: Secret
    revision: str
    expiry: Expiry = UNKNOWN


def checked_secret(value: object, origin: str) -> Secret:
    """Return ``value`` as a secret.

    Args:
        value: What the source holds; any type.
        origin: Where it was found, for the message.

    Raises:
        ShapeError: It is not text, is empty, or holds what UTF-8 cannot write (a lone surrogate).
    """
    if not isinstance(value, str):
        kind = _KINDS.get(type(value), "not text")
        raise ShapeError(f"{origin} is {kind}", hint="Store the secret as text, in quotes")
    if not value:
        raise ShapeError(f"{origin} is empty", hint="An empty value is never taken for a secret; write it again")
    if any("\ud800" <= char <= "\udfff" for char in value):
        raise ShapeError(f"{origin} is not valid UTF-8 text", hint="Store the secret as text; encode binary as base64")
    return Secret(value)


_KINDS: dict[type, str] = {
    bool: "true or false, not text",
    int: "a number, not text",
    float: "a number, not text",
    dict: "an object, not text",
    list: "a list, not text",
    type(None): "null, not text",
}
