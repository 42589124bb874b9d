"""The body of a signed message. Pure."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from rotator.domain.note import News, Note, Opened

EVENT = "attention.changed"
TEST_EVENT = "attention.test"
SHOWN = 10
"""Needs that one message tells of; the rest is counted."""


def shown(news: News) -> tuple[tuple[Opened, ...], tuple[Note, ...], int]:
    """Return what of ``news`` a message tells of, what is open first, and how many more there are."""
    opened = news.opened[:SHOWN]
    resolved = news.resolved[: SHOWN - len(opened)]
    return opened, resolved, len(news.opened) + len(news.resolved) - len(opened) - len(resolved)


def message_id(destination: str, news: News) -> str:
    """Return the id of the message about ``news``: the same for each try at the same news, and no other's."""
    opened = [["open", *one.need.key, one.need.severity, one.noticed_at.isoformat()] for one in news.opened]
    over = [["resolved", *note.key, note.severity, note.noticed_at.isoformat()] for note in news.resolved]
    text = json.dumps([destination, *sorted(opened), *sorted(over)])
    return f"msg_{hashlib.sha256(text.encode()).hexdigest()[:32]}"


def render(destination: str, news: News, at: datetime) -> bytes:
    """Return the body about ``news``."""
    opened, resolved, more = shown(news)
    needs = [*(_opened(one) for one in opened), *(_resolved(note) for note in resolved)]
    return _body(EVENT, at, {"destination": destination, "needs": needs, "more": more})


def render_test(destination: str, at: datetime) -> bytes:
    """Return the body of a message that only tries whether messages arrive."""
    return _body(TEST_EVENT, at, {"destination": destination, "needs": [], "more": 0})


def _body(event: str, at: datetime, data: dict[str, Any]) -> bytes:
    return json.dumps({"type": event, "timestamp": _written(at), "data": data}, separators=(",", ":")).encode()


def _opened(one: Opened) -> dict[str, Any]:
    need = one.need
    return {
        "state": "open",
        "kind": need.kind,
        "severity": need.severity,
        "credential": need.credential,
        "about": need.about,
        "what": need.what,
        "next_step": need.next_step,
        "since": None if need.since is None else _written(need.since),
        "noticed_at": _written(one.noticed_at),
    }


def _resolved(note: Note) -> dict[str, Any]:
    return {
        "state": "resolved",
        "kind": note.kind,
        "severity": note.severity,
        "credential": note.credential,
        "about": note.about,
        "what": note.what,
        "next_step": "",
        "since": None,
        "noticed_at": _written(note.noticed_at),
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
