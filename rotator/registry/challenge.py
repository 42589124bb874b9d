"""Reads ``WWW-Authenticate``: what a server wants to see before it answers.

Grammar: RFC 9110 section 11.6.1 (https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1, read 2026-11-23). Lenient where
servers are sloppy, and total: no text makes it raise, what cannot be read is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MAX_CHARS = 8192
"""A longer header value is ignored as a whole: a cut one could be misread."""
MAX_CHALLENGES = 16
"""Challenges beyond this are ignored."""

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_TOKEN68 = re.compile(r"[ \t]+([A-Za-z0-9\-._~+/]+=*)[ \t]*(?=,|\Z)")
_EQUALS = re.compile(r"[ \t]*=[ \t]*")
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_BARE = re.compile(r"[^\s,\"]*")
_SEPARATOR = re.compile(r"[\s,]*")
_JUNK = re.compile(r"[^,]*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to log in that a server offers.

    Args:
        scheme: Lower case: ``bearer``, ``basic``, ...
        parameters: Lower-case name to value; of a name given twice, the first value.
        token68: What some schemes (``negotiate``) send instead of parameters; empty otherwise.
    """

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    token68: str = ""

    def get(self, name: str) -> str:
        """Return the parameter called ``name`` (lower case), or an empty text."""
        return self.parameters.get(name, "")


def parse(values: Iterable[str]) -> tuple[Challenge, ...]:
    """Return every readable challenge, in order.

    Args:
        values: Each ``WWW-Authenticate`` header of a response; each may hold several challenges.
    """
    found = [challenge for value in values if len(value) <= MAX_CHARS for challenge in _parse_value(value)]
    return tuple(found[:MAX_CHALLENGES])


def render(challenge: Challenge) -> str:
    """Return ``challenge`` as header text, every value quoted; `parse` gives it back."""
    if challenge.token68:
        return f"{challenge.scheme} {challenge.token68}"
    pairs = [f'{name}="{_escape(value)}"' for name, value in challenge.parameters.items()]
    return " ".join([challenge.scheme, ",".join(pairs)]).rstrip(" ")


def find(challenges: Iterable[Challenge], scheme: str) -> Challenge | None:
    """Return the first challenge of ``scheme`` (lower case), or None."""
    return next((challenge for challenge in challenges if challenge.scheme == scheme), None)


def _parse_value(text: str) -> list[Challenge]:
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    position = _end(_SEPARATOR, text, 0)
    while position < len(text):
        word = _TOKEN.match(text, position)
        if word is None:
            position = _end(_JUNK, text, position)
        elif equals := _EQUALS.match(text, word.end()):
            value, position = _parse_parameter(text, equals.end())
            if value is not None:
                parameters.setdefault(word.group().lower(), value)
        else:
            token68, position = _parse_token68(text, word.end())
            parameters = {}  # what follows belongs to the challenge that begins here
            found.append(Challenge(word.group().lower(), parameters, token68))
        position = _end(_SEPARATOR, text, position)
    return found


def _parse_parameter(text: str, start: int) -> tuple[str | None, int]:
    """Return the value at ``start`` and where it ends; None, and the end of the text, for a quote never closed."""
    if not text.startswith('"', start):
        bare = _BARE.match(text, start)
        return (bare.group(), bare.end()) if bare else ("", start)
    quoted = _QUOTED.match(text, start)
    if quoted is None:
        return None, len(text)
    return _ESCAPE.sub(r"\1", quoted.group(1)), quoted.end()


def _parse_token68(text: str, start: int) -> tuple[str, int]:
    match = _TOKEN68.match(text, start)
    return (match.group(1), match.end()) if match else ("", start)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _escape(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
