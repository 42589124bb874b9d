"""`Secret`: a value that does not print itself, and `Fingerprinter`: the only way to compare two in the open."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from typing import TYPE_CHECKING, NoReturn, final
from urllib.parse import quote
from weakref import WeakValueDictionary

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler
    from pydantic_core import CoreSchema

MASK = "********"
MIN_REDACTED_CHARS = 6
"""A shorter value is not searched for in log lines: it would match half of every sentence."""

_LIVE: WeakValueDictionary[int, Secret] = WeakValueDictionary()


@final
class Secret:
    """A secret string. Only a sink calls `reveal`; everything else sees a mask.

    Comparing takes constant time. Pickling and copying into another process are refused.
    """

    __slots__ = ("__weakref__", "_value")

    def __init__(self, value: str) -> None:
        self._value = value
        _LIVE[id(self)] = self

    def reveal(self) -> str:
        """Return the value itself. Call it only where the value leaves for a place that is meant to hold it."""
        return self._value

    def __len__(self) -> int:
        """Return the number of characters."""
        return len(self._value)

    def __bool__(self) -> bool:
        """Return whether there is any character at all."""
        return bool(self._value)

    def __repr__(self) -> str:
        """Return a mask."""
        return f"Secret('{MASK}')"

    def __str__(self) -> str:
        """Return a mask."""
        return MASK

    def __format__(self, spec: str) -> str:
        """Return a mask, whatever the format."""
        return MASK

    def __eq__(self, other: object) -> bool:
        """Compare in constant time; a plain string is never equal."""
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        """Return a hash that differs from run to run, as `str`'s does."""
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        """Refuse to be pickled."""
        raise TypeError("a Secret cannot be pickled")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Refuse to be a configuration value: configuration holds references, not secrets."""
        raise TypeError("a Secret cannot be a model field")


class Redactor:
    """Replaces every secret that is alive in this process by a mask, in any of the forms it may take in a text.

    The last line of defence: `hits` must stay 0, and a hit is a defect of the code that wrote the line.
    """

    def __init__(self) -> None:
        self.hits = 0

    def __call__(self, text: str) -> str:
        """Return ``text`` without any live secret. Cost: one search per live secret and form."""
        for form in _forms():
            if form in text:
                text = text.replace(form, MASK)
                self.hits += 1
        return _TOKEN.sub(self._mask_token, text)

    def _mask_token(self, match: re.Match[str]) -> str:
        self.hits += 1
        return f"{match.group(1)}{MASK}"


# Tokens that announce themselves, even when they never were a `Secret` here.
_TOKEN = re.compile(
    r"\b(dckr_[po]at_|gh[pousr]_|github_pat_|glpat-|gldt-|hvs\.|AKIA)[A-Za-z0-9_\-]{12,}",
)


def _forms() -> set[str]:
    """Return every text form of every live secret that is long enough to be searched for."""
    forms: set[str] = set()
    for secret in list(_LIVE.values()):
        value = secret.reveal()
        if len(value) >= MIN_REDACTED_CHARS:
            forms |= {value, quote(value, safe=""), json.dumps(value)[1:-1], repr(value)[1:-1]}
            forms |= base64_forms(value)
    return forms


def base64_forms(value: str) -> set[str]:
    """Return the base64 text that ``value`` leaves inside any longer encoded text, such as ``user:value``.

    Three alignments are possible; from each the characters that also depend on the neighbours are cut.
    """
    encoded = value.encode()
    forms = set()
    for offset in range(3):
        text = base64.b64encode(b"\0" * offset + encoded).decode()
        first = 0 if offset == 0 else offset + 1
        last = len(text) if (offset + len(encoded)) % 3 == 0 else text.index("=") - 1
        forms.add(text[first:last])
    return {form for form in forms if len(form) >= MIN_REDACTED_CHARS}


class Fingerprinter:
    """Makes short keyed fingerprints, safe to log: without the key a guess cannot be checked.

    Args:
        key: At least 16 random bytes that stay inside this installation.
    """

    def __init__(self, key: bytes) -> None:
        self._key = hmac.digest(key, b"rotator fingerprint v1", "sha256")

    def __call__(self, secret: Secret) -> str:
        """Return 16 hex digits; equal secrets have equal fingerprints under one key."""
        return hmac.digest(self._key, secret.reveal().encode(), hashlib.sha256).hex()[:16]
