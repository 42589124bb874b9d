"""Which parts of a place are meant, by name: namespaces of a cluster, services of a swarm. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import lru_cache
from itertools import product

_WILDCARDS = frozenset("*?[")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")
_ANY_TEXT = ("", "\0" * 300)
"""What stands in for ``*`` when a pattern is held against another: nothing, and more than a name has room for."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Names of parts.

    Args:
        include: Names or patterns (``*`` any text, ``?`` one character), one of which matches.
        exclude: Names or patterns, none of which matches.
        selector: What else a part must be, in the place's own words; empty for nothing.
    """

    include: tuple[str, ...] = ("*",)
    exclude: tuple[str, ...] = ()
    selector: str = ""
    _names: frozenset[str] = field(init=False, repr=False, compare=False)
    _patterns: tuple[str, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Sort names from patterns once."""
        patterns = tuple(text for text in self.include if _WILDCARDS & set(text))
        object.__setattr__(self, "_patterns", patterns)
        object.__setattr__(self, "_names", frozenset(self.include).difference(patterns))

    def overlaps(self, other: Extent) -> bool:
        """Return whether one part can be meant by both.

        Two selectors that differ count as apart: whether a part fits both is known to the place alone.
        """
        if self.selector and other.selector and self.selector != other.selector:
            return False
        return any(not self._leaves_out(one) and not other._leaves_out(one) for one in self._shared(other))

    def _shared(self, other: Extent) -> Iterator[str]:
        """Yield the names, and the patterns of which some name, that both include."""
        yield from self._names & other._names
        yield from (name for name in self._names if _fits(name, other._patterns))
        yield from (name for name in other._names if _fits(name, self._patterns))
        for mine, its in product(self._patterns, other._patterns):
            if _meet(_widened(mine), _widened(its)) and not (self._leaves_out(its) or other._leaves_out(mine)):
                yield mine

    def _leaves_out(self, text: str) -> bool:
        """Return whether all that the name or pattern ``text`` stands for is excluded."""
        return any(_covers(pattern, text) for pattern in self.exclude)


def _fits(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _widened(pattern: str) -> str:
    """Return ``pattern`` with any character where it has a choice of some."""
    return _CLASS.sub("?", pattern)


def _covers(pattern: str, text: str) -> bool:
    plain = _widened(text).replace("?", "\0")
    return all(fnmatchcase(plain.replace("*", some), pattern) for some in _ANY_TEXT)


@lru_cache(maxsize=1 << 14)
def _meet(one: str, other: str) -> bool:
    """Return whether a text exists that matches both patterns."""
    if not one or not other:
        return not (one + other).strip("*")
    if one[0] == "*":
        return _meet(one[1:], other) or _meet(one, other[1:])
    if other[0] == "*":
        return _meet(other, one)
    return (one[0] == other[0] or "?" in {one[0], other[0]}) and _meet(one[1:], other[1:])
