"""The text for Slack and what takes its messages. Pure.

Source: https://docs.slack.dev/messaging/formatting-message-text (``&``, ``<`` and ``>`` are control characters and are
escaped; a message of more than 4,000 characters is better cut; reference documentation, not read again). Mattermost
takes ``@channel`` and ``@all`` in plain text for mentions, Slack does not; so their at sign is parted from the word.
"""

from __future__ import annotations

import json
import re

from rotator.domain.attention import Severity
from rotator.domain.note import News, Note, Opened
from rotator.notify.message import shown

MAX_CHARS = 4000
LINE_CHARS = 380
"""Of one line as it is sent: ten of them and a last one fit into a message."""
_MENTION = re.compile(r"@(?=channel|all|here|everyone)", re.IGNORECASE)
_PARTED = "@\N{ZERO WIDTH SPACE}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\N{LINE SEPARATOR}\N{PARAGRAPH SEPARATOR}]+")


def render(news: News) -> bytes:
    """Return the body about ``news``: a line for each need, worst first."""
    opened, resolved, more = shown(news)
    lines = [*(_opened(one) for one in opened), *(_resolved(note) for note in resolved)]
    if more:
        lines.append(f"and {more} more; `rotator status` shows all")
    return _body("\n".join(lines))


def render_test(destination: str) -> bytes:
    """Return the body of a message that only tries whether messages arrive."""
    return _body(f"rotator: a test of the destination {escaped(destination)}; nothing needs to be done")


def escaped(text: str) -> str:
    """Return ``text`` so that nothing in it is a link, a mention or a second line."""
    plain = _CONTROL.sub(" ", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MENTION.sub(_PARTED, plain)


def _body(text: str) -> bytes:
    return json.dumps({"text": text}).encode()


def _opened(one: Opened) -> str:
    need = one.need
    mark = "*CRITICAL*" if need.severity is Severity.CRITICAL else "*Warning*"
    room = LINE_CHARS - len(mark) - len(" . Next: .")
    step = _cut(need.next_step, room // 2)
    what = _cut(need.what, room - len(step))
    return f"{mark} {what}. Next: {step}."


def _resolved(note: Note) -> str:
    return f"*Resolved* {_cut(note.what, LINE_CHARS - len('*Resolved* '))}"


def _cut(text: str, room: int) -> str:
    """Return ``text`` escaped and at most ``room`` characters long; an escape is never cut in two."""
    whole = escaped(text)
    if len(whole) <= room:
        return whole
    kept = text
    while len(escaped(kept)) > room - 1:
        kept = kept[: -max(1, (len(escaped(kept)) - room) // 6)]
    return f"{escaped(kept)}\N{HORIZONTAL ELLIPSIS}"
