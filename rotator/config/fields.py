"""The option of targets that write logins as named fields."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from rotator.domain.fields import Part, check_layout


def _layout(value: dict[str, Part]) -> dict[str, Part]:
    check_layout(value)
    return value


FieldName = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^\S+$")]
Fields = Annotated[dict[FieldName, Part], AfterValidator(_layout)]
"""Name of a field to what it holds; `rotator.domain.fields` says what ``{credential}`` in a name means."""
