"""The text for Slack: nothing in it is a link, a mention or a second line."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rotator.domain.attention import Kind, Need, Severity
from rotator.domain.note import News, Opened
from rotator.notify.slack import MAX_CHARS, escaped, render

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def text_of(*needs: Need) -> str:
    """Return the text about these needs."""
    text: str = json.loads(render(News(tuple(Opened(need, NOW) for need in needs))))["text"]
    return text


@pytest.mark.parametrize(
    ("raw", "sent"),
    [
        ("a & b", "a &amp; b"),
        ("<!channel> <@U1>", "&lt;!channel&gt; &lt;@U1&gt;"),
        ("<https://evil.example|click>", "&lt;https://evil.example|click&gt;"),
        ("two\nlines\r\x1b[31m", "two lines [31m"),
        ("@channel @Here a@all.example", "@\u200bchannel @\u200bHere a@\u200ball.example"),
        ("app@sha256:00", "app@sha256:00"),
    ],
    ids=["ampersand", "mention", "link", "control characters", "mention of others", "a digest"],
)
def test_special_characters_are_taken_apart(raw: str, sent: str) -> None:
    """Slack's control characters are escaped, line breaks become spaces, mentions mention nobody."""
    assert escaped(raw) == sent


@given(st.lists(st.text(), min_size=1, max_size=30))
def test_any_text_is_one_line_that_fits(texts: list[str]) -> None:
    """Whatever the sentences hold, each need is one line, no angle bracket is left, and the message is short enough."""
    needs = [Need(Kind.FAILING, Severity.WARNING, "c", text * 40, text * 9) for text in texts]

    sent = text_of(*needs)

    assert len(sent) <= MAX_CHARS
    assert "<" not in sent
    assert ">" not in sent
    assert len(sent.split("\n")) == min(len(texts), 10) + (len(texts) > 10)


def test_what_a_line_says(need: Any) -> None:
    """A line begins with the severity and ends with what to do."""
    assert text_of(need()) == "*CRITICAL* ecr: expired. Next: look at ecr."
