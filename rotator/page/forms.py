"""Forms as browsers send them: parsed strictly, and nothing kept that was not asked for. Pure."""

from __future__ import annotations

from urllib.parse import parse_qsl

from pydantic import TypeAdapter, ValidationError

from rotator.admin.models import Reason

MEDIA_TYPE = "application/x-www-form-urlencoded"
MAX_FIELDS = 16
_REASON: TypeAdapter[str] = TypeAdapter(Reason)


def parse_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form; of a repeated one the last. What is no form has no fields."""
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        return {}
    return dict(pairs)


def reason_in(form: dict[str, str]) -> tuple[str, str]:
    """Return the reason that was given, and what is wrong with it; one of the two is empty."""
    try:
        return _REASON.validate_python(form.get("reason", "")), ""
    except ValidationError:
        return "", "Say why, in one line of at most 500 characters: it is kept in the audit."


def generation_in(form: dict[str, str]) -> int | None:
    """Return the generation that was chosen; None when none was."""
    text = form.get("generation", "")
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 10 else None  # noqa: PLR2004
