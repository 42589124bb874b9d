"""What is better changed about something that works."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Lint:
    """Something that works, or would, and is better changed.

    Args:
        code: For machines: ``mutable_tag``.
        text: What it is and what to do, in a sentence. No secret.
    """

    code: str
    text: str
