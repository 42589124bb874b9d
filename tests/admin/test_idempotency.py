"""Answers are remembered by key, in bounded memory."""

from __future__ import annotations

import asyncio
from itertools import count

import pytest

from rotator.admin.failure import KeyReusedError
from rotator.admin.idempotency import MAX_ANSWERS, Answers


async def test_answers_are_bounded() -> None:
    """The oldest answer is forgotten when there are too many; the newest are kept."""
    answers, numbers = Answers[int](), count()

    async def act() -> int:
        return next(numbers)

    for number in range(MAX_ANSWERS + 1):
        await answers.once(("a", str(number)), (), act)
    assert await answers.once(("a", str(MAX_ANSWERS)), (), act) == MAX_ANSWERS
    assert await answers.once(("a", "0"), (), act) == MAX_ANSWERS + 1


async def test_keys_of_two_callers_are_two_keys() -> None:
    """What one caller was answered is never shown to another."""
    answers, numbers = Answers[int](), count()

    async def act() -> int:
        return next(numbers)

    assert [await answers.once((caller, "k"), (), act) for caller in ("a", "b", "a")] == [0, 1, 0]
    with pytest.raises(KeyReusedError):
        await answers.once(("a", "k"), ("else",), act)


async def test_a_caller_who_leaves_interrupts_nothing() -> None:
    """When the first caller goes away, the work goes on, and the next one with the key gets its answer."""
    answers, may_end = Answers[int](), asyncio.Event()

    async def act() -> int:
        await may_end.wait()
        return 7

    first = asyncio.create_task(answers.once(("a", "k"), (), act))
    await asyncio.wait({first}, timeout=0.01)
    first.cancel()
    may_end.set()
    assert await answers.once(("a", "k"), (), act) == 7
