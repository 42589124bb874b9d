"""What the targets that hold named fields share: our errors for a document, and the marks of generations as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rotator.domain.fence import Mark, fenced_off
from rotator.domain.fields import Layout, held_fields, place_fields
from rotator.domain.model import Entry, Login
from rotator.errors import FencedError, ShapeError, UnavailableError, UnsupportedError


def placed(document: Mapping[str, Any], entries: Sequence[Entry], layout: Layout, place: str) -> dict[str, Any]:
    """Return ``document`` with ``entries`` in it. Secret.

    Raises:
        UnsupportedError: The layout cannot hold them. ShapeError: What is there cannot be kept.
    """
    try:
        return place_fields(document, entries, layout)
    except ShapeError as error:
        raise _unreadable(error, place) from None
    except ValueError as error:
        raise UnsupportedError(f"{place}: {error}") from error


def found(document: Mapping[str, Any], entries: Sequence[Entry], layout: Layout, place: str) -> dict[str, Login]:
    """Return, by credential, the logins that ``document`` holds. Secret.

    Raises:
        ShapeError: What is there cannot be read.
    """
    try:
        return held_fields(document, entries, layout)
    except ShapeError as error:
        raise _unreadable(error, place) from None
    except ValueError as error:
        raise UnsupportedError(f"{place}: {error}") from error


def _unreadable(error: ShapeError, place: str) -> ShapeError:
    return ShapeError(f"{place}: {error.message}", hint=error.hint)


def refuse_older(marks: Mapping[str, Mark], held: Mapping[str, Login], entries: Sequence[Entry], place: str) -> None:
    """Check that none of ``entries`` is older than what is there.

    Raises:
        FencedError: One is: another daemon, or one with newer state, wrote here.
    """
    older = fenced_off(marks, held, entries)
    if older is not None:
        newest = marks[older.credential].generation
        raise FencedError(
            f"{place}: holds generation {newest} of {older.credential}, not older than our {older.generation}",
            generation=newest,
            hint="Does another daemon write it? If this one lost its state, it goes above that by itself",
        )


def waits_for(place: str, unissued: Mapping[str, str]) -> UnavailableError:
    """Return that ``place`` is not written now: what it holds of ``unissued`` is not shown, and would be dropped."""
    return UnavailableError(
        f"{place}: waits for the first version of {', '.join(sorted(unissued))}: a login of it may be there already, "
        "and could not be kept",
        hint="Mend its provider or source, or take it out of this target",
        cause="protocol",
    )


def mark_text(mark: Mark) -> str:
    """Return ``mark`` as ``generation:fingerprint``; `parse_mark` gives it back."""
    return f"{mark.generation}:{mark.fingerprint}"


def parse_mark(text: object) -> Mark | None:
    """Return the mark in ``text``; None when it is none: a damaged mark must not keep a fresh credential out."""
    generation, colon, fingerprint = text.partition(":") if isinstance(text, str) else ("", "", "")
    if not colon or not (generation.isascii() and generation.isdecimal()):
        return None
    return Mark(int(generation[:18]), fingerprint)
