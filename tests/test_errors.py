"""The error tree answers whether to try again, and prints what a person needs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from rotator import errors
from rotator.errors import ConfigError, FencedError, PermanentError, RotatorError, TemporaryError, UnavailableError


def tree(of: type[RotatorError]) -> list[type[RotatorError]]:
    """Return ``of`` and every class below it."""
    return [of, *(found for child in of.__subclasses__() for found in tree(child))]


ALL = [one for one in tree(RotatorError) if one.__module__ == errors.__name__]


def test_codes_are_unique() -> None:
    """Each class has a machine word of its own, which is a metric label and fits the journal's column."""
    codes = [one.code for one in ALL]

    assert len(set(codes)) == len(codes)
    assert all(code.isidentifier() and len(code) <= 32 for code in codes)


def test_every_class_is_public_and_says_whether_to_retry() -> None:
    """Every class of the tree lives in one module; apart from configuration each is permanent or temporary."""
    undecided = {one for one in ALL if not issubclass(one, PermanentError | TemporaryError)}

    assert undecided == {RotatorError, ConfigError}
    assert all(getattr(errors, one.__name__) is one for one in ALL)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RotatorError("a failed"), "a failed"),
        (PermanentError("a failed", hint="Do b"), "a failed. Do b"),
        (ConfigError(["one", "two"]), "one\ntwo"),
        (ConfigError(["one", "two"], hint="Do b"), "one\ntwo\nDo b"),
        (UnavailableError("a failed", retry_after=timedelta(seconds=3), cause="dns"), "a failed"),
        (FencedError("held", generation=4), "held"),
    ],
    ids=["message", "hint", "mistakes", "mistakes and hint", "unavailable", "fenced"],
)
def test_text_is_the_message_and_the_hint(error: RotatorError, text: str) -> None:
    """What people read is the message, then the hint where there is one."""
    assert str(error) == text
