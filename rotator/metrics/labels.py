"""The closed sets of label values. Whatever is not in them is exported as ``other``."""

from __future__ import annotations

import re
from collections.abc import Collection

from rotator.domain.alert import Outcome
from rotator.domain.due import ASKED, REASONS
from rotator.domain.rotation import Step

OTHER = "other"

TRIGGERS = (*REASONS, *ASKED, OTHER)
STEPS = (*(step.value for step in Step), OTHER)
ERRORS = (
    "awaiting_operator",
    "config",
    "conflict",
    "fenced",
    "halted",
    "internal",
    "not_found",
    "permanent",
    "permission_denied",
    "rate_limited",
    "shape",
    "store",
    "temporary",
    "unauthenticated",
    "unavailable",
    "unsupported",
    "verification",
    OTHER,
)
"""Every ``code`` of the error tree."""

CODES = (
    *("2xx", "3xx", "4xx", "401", "403", "404", "409", "429", "5xx"),
    *("timeout", "dns", "tls", "refused", "reset", "protocol", OTHER),
)
"""What may become of an outgoing request."""

SENT = "sent"
"""What became of a notification that was taken."""

MISSED = ("late", "busy", OTHER)
DIRECTIONS = ("forward", "backward")
ACTIONS = (
    *("rotate", "issue", "verify", "deliver", "promote", "withdraw", "retire", "leak", "acknowledge", "reveal"),
    *("configure", OTHER),
)
REFUSALS = (
    *("caller_not_allowed", "cross_site", "header_required", "role_too_low", "token_required", "token_unknown"),
    *("too_many_failures", "wrong_host", OTHER),
)
"""Why the admin API does not let somebody in."""
ALERT_OUTCOMES = (*(outcome.value for outcome in Outcome), OTHER)
STORE_OPERATIONS = ("journal", "probe", "delivery", "load", "notes", OTHER)
IMAGE_REASONS = (
    *("ok", "auth_failed", "auth_expired", "auth_missing", "insufficient_scope", "not_found"),
    *("no_access_or_not_found", "rate_limited", "unreachable", "not_a_registry", "two_factor"),
    *("client_key_mismatch", "not_tried", "unclear", OTHER),
)
"""What a look at an image may find."""

TARGET_STATES = ("in_sync", "stale", "unknown", "failing", "fenced")
"""Best first: a target counts in the last of these that any of its credentials is in."""

WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.\-]{0,62}", re.ASCII)
PEER = re.compile(r"[A-Za-z0-9\[][A-Za-z0-9_.\-:\]]{0,254}", re.ASCII)
"""A configured name, or the host of a configured registry, with its port."""


def closed(value: str, known: Collection[str]) -> str:
    """Return ``value`` if it is one of ``known``, else ``other``."""
    return value if value in known else OTHER


class Admitted:
    """A set of words that grows as they are seen, but only so far; the rest is ``other``.

    Args:
        most: How many different words are let through.
        pattern: What they look like.
    """

    def __init__(self, most: int, pattern: re.Pattern[str] = WORD) -> None:
        self._most = most
        self._pattern = pattern
        self._words: set[str] = set()

    def __call__(self, word: str) -> str:
        """Return ``word`` if it is a plain word and there was room for it, else ``other``."""
        if word in self._words:
            return word
        if len(self._words) >= self._most or not self._pattern.fullmatch(word):
            return OTHER
        self._words.add(word)
        return word
