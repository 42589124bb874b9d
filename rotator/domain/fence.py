"""Remember beside a file which generation it holds, so that an older daemon cannot take it back.

The record is a small JSON document without secrets: ``{"ecr-prod": {"generation": 7, "fingerprint": "..."}}``. It is
written before the file it speaks of: after a crash in between it speaks of a generation that was never written, which
refuses nobody who brings that one or a newer one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.domain.model import Entry, Login


@dataclass(frozen=True, slots=True)
class Mark:
    """What was written last for one credential.

    Args:
        generation: Its generation.
        fingerprint: Its keyed fingerprint; empty when the writer had none.
    """

    generation: int
    fingerprint: str = ""


def parse_fence(content: bytes | None) -> dict[str, Mark]:
    """Return the marks in ``content``, by credential.

    What cannot be read counts as absent: a damaged record must not keep a fresh credential from its file.
    """
    try:
        document = json.loads(content or b"{}")
    except (ValueError, RecursionError):
        return {}
    if not isinstance(document, dict):
        return {}
    marks = {credential: _mark(value) for credential, value in document.items()}
    return {credential: mark for credential, mark in marks.items() if mark is not None}


def render_fence(marks: Mapping[str, Mark]) -> bytes:
    """Return ``marks`` as a document, sorted; `parse_fence` gives them back."""
    document = {
        credential: {"generation": mark.generation, "fingerprint": mark.fingerprint}
        for credential, mark in sorted(marks.items())
    }
    return json.dumps(document, indent="\t").encode("ascii")


def marked(marks: Mapping[str, Mark], entries: Sequence[Entry]) -> dict[str, Mark]:
    """Return ``marks`` as they are once ``entries`` are written; those of other credentials stay."""
    return {**marks, **{entry.credential: Mark(entry.generation, entry.fingerprint) for entry in entries}}


def fenced_off(marks: Mapping[str, Mark], held: Mapping[str, Login], entries: Sequence[Entry]) -> Entry | None:
    """Return the first of ``entries`` that must not be written because a newer one is there; None when all may.

    An entry is older when a higher generation was recorded, or the same generation of another daemon (a different
    fingerprint). It is refused only while the file holds some other login under its key: where the key is gone there
    is nothing to protect, and where the login is the same nothing would change.

    Args:
        marks: What was recorded.
        held: What the file holds now, by credential.
        entries: What is to be written.
    """
    for entry in entries:
        mark, login = marks.get(entry.credential), held.get(entry.credential)
        if mark is not None and login is not None and _is_newer(mark, entry) and login != entry.login:
            return entry
    return None


def _is_newer(mark: Mark, entry: Entry) -> bool:
    if mark.generation != entry.generation:
        return mark.generation > entry.generation
    return bool(mark.fingerprint and entry.fingerprint and mark.fingerprint != entry.fingerprint)


def _mark(value: Any) -> Mark | None:
    if not isinstance(value, dict):
        return None
    generation, fingerprint = value.get("generation"), value.get("fingerprint")
    if not isinstance(generation, int) or not isinstance(fingerprint, str):
        return None
    return Mark(generation, fingerprint)
