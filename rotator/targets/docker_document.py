"""What a docker or podman configuration file must hold: decided from bytes, for files here and on other hosts. Pure.

Errors name the file and the place in it, never its text, nor does the chain behind them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rotator.domain.fence import fenced_off, marked, parse_fence, render_fence
from rotator.domain.pull_secret import Convention, merge, parse_document, shadowed
from rotator.errors import FencedError, ShapeError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from rotator.domain.model import Entry, Login


def parse_content(content: bytes | None, path: str) -> dict[str, Any]:
    """Return the document in a file; an empty one when there is no file.

    Raises:
        ShapeError: It is not what docker could read.
    """
    if content is None:
        return {}
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        problem, hint = f"byte {error.start + 1} is not UTF-8", "repair it by hand; it was left as it is"
    else:
        try:
            return parse_document(text)
        except ShapeError as error:
            problem, hint = error.message, error.hint
    # Raised here, outside of the handlers: the decoder's error carries the bytes and must not travel along.
    raise ShapeError(f"{path}: {problem}", hint=hint)


def merged(document: Mapping[str, Any], entries: Sequence[Entry], convention: Convention) -> dict[str, Any]:
    """Return ``document`` as it must be. Secret.

    Raises:
        UnsupportedError: Two entries have one key, or a registry has none under ``convention``.
    """
    try:
        return merge(document, entries, convention)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error


def refuse_shadowed(document: Mapping[str, Any], path: str, entries: Sequence[Entry], convention: Convention) -> None:
    """Return if clients would use the logins of ``entries`` from the file.

    Raises:
        UnsupportedError: A credential helper answers instead of the file, or a registry has no key.
    """
    try:
        shadows = shadowed(document, entries, convention)
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    if shadows:
        reasons = "; ".join(f"{shadow.by} answers for {shadow.key}" for shadow in shadows)
        raise UnsupportedError(
            f"{path}: {reasons}, a login in the file would not be used",
            hint="remove it from the file, or give the registry an empty helper, or deliver elsewhere",
        )


def raised_fence(
    record: bytes | None, path: str, logins: Mapping[str, Login], entries: Sequence[Entry]
) -> bytes | None:
    """Return the record of generations as it must be before ``entries`` are written; None when it is that already.

    Args:
        record: The record as it is; None when there is none.
        path: The file it speaks of.
        logins: What that file holds, by credential.
        entries: What is to be written.

    Raises:
        FencedError: One of ``entries`` is older than what is recorded.
    """
    marks = parse_fence(record)
    older = fenced_off(marks, logins, entries)
    if older is not None:
        newest = marks[older.credential].generation
        raise FencedError(
            f"{path} holds generation {newest} of {older.credential}; generation {older.generation} is not newer",
            generation=newest,
            hint="Does another daemon write it? If this one lost its state, it goes above that by itself",
        )
    after = marked(marks, entries)
    return render_fence(after) if after != marks else None
