"""An older generation does not replace a newer one."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.fence import Mark, fenced_off, marked, parse_fence, render_fence
from rotator.domain.model import Entry, Login
from rotator.secret import Secret

OURS = Login("acme", Secret("ours"))
THEIRS = Login("acme", Secret("theirs"))


def entry(generation: int, fingerprint: str = "aa") -> Entry:
    """Return an entry of credential ``c`` with ``OURS``."""
    return Entry("c", "ghcr.io", OURS, generation, fingerprint)


@pytest.mark.parametrize(
    ("mark", "login", "generation", "fingerprint", "refused"),
    [
        (None, THEIRS, 1, "aa", False),
        (Mark(1, "bb"), THEIRS, 2, "aa", False),
        (Mark(3, "bb"), THEIRS, 2, "aa", True),
        (Mark(3, "bb"), None, 2, "aa", False),
        (Mark(3, "bb"), OURS, 2, "aa", False),
        (Mark(2, "bb"), THEIRS, 2, "aa", True),
        (Mark(2, "aa"), THEIRS, 2, "aa", False),
        (Mark(2), THEIRS, 2, "aa", False),
        (Mark(2, "bb"), THEIRS, 2, "", False),
    ],
    ids=["unknown", "newer", "older", "key-gone", "same-login", "twin", "drift", "no-mark-print", "no-entry-print"],
)
def test_what_is_refused(
    mark: Mark | None,
    login: Login | None,
    generation: int,
    fingerprint: str,
    refused: bool,  # noqa: FBT001 - expected value
) -> None:
    """Refused is what is older than the record, or a twin of it, while another login is there."""
    one = entry(generation, fingerprint)
    marks = {"c": mark} if mark else {}
    logins = {"c": login} if login else {}
    assert fenced_off(marks, logins, [one]) == (one if refused else None)


def test_marks_of_others_stay() -> None:
    """Writing one credential leaves the record of another."""
    assert marked({"other": Mark(9, "x"), "c": Mark(1)}, [entry(2)]) == {"other": Mark(9, "x"), "c": Mark(2, "aa")}


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), st.builds(Mark, st.integers(min_value=0, max_value=10**6), st.text()), max_size=5))
def test_a_record_parses_back(marks: dict[str, Mark]) -> None:
    """What was recorded is read again."""
    assert parse_fence(render_fence(marks)) == marks


@pytest.mark.parametrize(
    "content",
    [None, b"", b"{", b"[]", b"\xff", b'{"c": 1}', b'{"c": {"generation": "x", "fingerprint": ""}}', b"[" * 100_000],
    ids=lambda value: repr(value)[:30],
)
def test_a_damaged_record_refuses_nobody(content: bytes | None) -> None:
    """A record that cannot be read counts as absent."""
    assert parse_fence(content) == {}
