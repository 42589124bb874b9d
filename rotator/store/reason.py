"""What a database's refusal means, in words for people."""

from __future__ import annotations

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

MEND = "Look at the disk (full, read-only, permissions) and at who else has the database open"
_DAMAGED = (
    "The file is damaged. Move it (and its -wal and -shm) aside, or restore a backup; with a new state every "
    "credential is issued anew and no target is touched before the new version was verified"
)
_HINTS = (
    ("not a database", _DAMAGED),
    ("malformed", _DAMAGED),
    ("quick_check", _DAMAGED),
    ("locked", "Another process has it open; find it with: fuser -v FILE"),
    ("full", "The disk is full. Make room; nothing was changed, and what failed is tried again by itself"),
    ("authentication failed", "Check the user in store.url, and the password in ~/.pgpass or $PGPASSFILE"),
    ("no password supplied", "Give the password by libpq's own means: ~/.pgpass or $PGPASSFILE"),
)
_LONGEST = 200


def reason_of(error: Exception) -> str:
    """Return what the database said, in its own first line; statements and their values are left out."""
    origin = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
    if not isinstance(error, SQLAlchemyError):
        return "a value cannot be written as text or number" if isinstance(error, ValueError) else type(error).__name__
    lines = str(origin).strip().splitlines()
    return lines[0][:_LONGEST] if lines else type(origin).__name__


def hint_for(reason: str) -> str:
    """Return what to do about ``reason``."""
    return next((hint for words, hint in _HINTS if words in reason), MEND)
