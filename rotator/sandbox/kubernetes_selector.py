"""Label selectors, as in ``labelSelector=``. Pure.

Source: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/ (reference documentation of
Kubernetes). As there, ``!=`` and ``notin`` also match objects without the label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

Labels = Mapping[str, str]
Matcher = Callable[[Labels], bool]

_KEY = r"[A-Za-z0-9](?:[A-Za-z0-9._/-]*[A-Za-z0-9])?"
_SET = re.compile(rf"({_KEY})\s+(in|notin)\s+\(([^()]*)\)")
_EQUALITY = re.compile(rf"({_KEY})\s*(==|=|!=)\s*([A-Za-z0-9._-]*)")
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_COMMA = re.compile(r",(?![^()]*\))")


def parse_selector(text: str) -> Matcher:
    """Return a function that tells whether labels match ``text``; an empty text matches everything.

    Raises:
        ValueError: ``text`` is no label selector.
    """
    if not text.strip():
        return lambda _: True
    matchers = [_parse_requirement(part.strip()) for part in _COMMA.split(text)]
    return lambda labels: all(matches(labels) for matches in matchers)


def _parse_requirement(text: str) -> Matcher:
    if found := _SET.fullmatch(text):
        key, operator, listed = found.groups()
        values = frozenset(value.strip() for value in listed.split(","))
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if found := _EQUALITY.fullmatch(text):
        key, operator, value = found.groups()
        if operator == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _EXISTS.fullmatch(text):
        negation, key = found.groups()
        return lambda labels: (key in labels) is not bool(negation)
    raise ValueError(f"unable to parse requirement: {text!r}")
