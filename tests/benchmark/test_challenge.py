"""What a challenge made to be slow costs, against a plain one of the same length."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import pytest

from rotator.registry.challenge import MAX_CHARS, parse

ROUNDS = 20
PLAIN = f'Bearer realm="https://registry.example/token",service="{"s" * MAX_CHARS}'[: MAX_CHARS - 1] + '"'
HOSTILE = {
    "quotes": '"' * MAX_CHARS,
    "parameters": ("a=," * MAX_CHARS)[:MAX_CHARS],
    "schemes": ("a " * MAX_CHARS)[:MAX_CHARS],
    "escapes": ('Bearer realm="' + '\\"' * MAX_CHARS)[:MAX_CHARS],
}


def seconds(text: str) -> float:
    """Return the median processor time of reading ``text``."""
    taken = []
    for _ in range(ROUNDS):
        started = time.thread_time()
        parse([text])
        taken.append(time.thread_time() - started)
    return median(taken)


@pytest.mark.benchmark
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_challenge(name: str, report: Callable[[str], None]) -> None:
    """No text of the longest length that is read costs more than linear work."""
    plain, hostile = seconds(PLAIN), seconds(HOSTILE[name])
    report(f"{name}: {hostile * 1000:.2f} ms for {MAX_CHARS} characters; a plain one {plain * 1000:.2f} ms")
