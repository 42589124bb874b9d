"""Images as they are written in the configuration: a reference, or a reference with an id of one's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from rotator.domain.image import ID, image_id
from rotator.domain.reference import parse

_KEYS = {"id", "image"}
_FORM = "write an image reference such as ghcr.io/acme/app:1.4.2, or {id: app, image: ghcr.io/acme/app:1.4.2}"


class Image(str):
    """A full image reference that also knows the id it goes by in metrics and status.

    Args:
        reference: What a person would give to ``docker pull``; the value is its full form.
        id: Its id; None for the one made of repository and tag.

    Raises:
        ValueError: It is no reference; the message says why and what to write instead.
    """

    __slots__ = ("id",)

    id: str

    def __new__(cls, reference: str, id: str | None = None) -> Self:  # noqa: A002 (the word in the configuration)
        """Make one of its reference."""
        parsed = parse(reference)
        self = super().__new__(cls, parsed)
        self.id = id or image_id(parsed)
        return self

    @property
    def has_own_id(self) -> bool:
        """Whether a person chose its id."""
        return self.id != image_id(parse(self))


def _read(value: Any) -> Image:
    if isinstance(value, Image):
        return value
    if isinstance(value, str):
        return Image(value)
    if not isinstance(value, Mapping) or set(value) != _KEYS or not all(isinstance(one, str) for one in value.values()):
        raise ValueError(_FORM)
    if not re.fullmatch(ID, value["id"]):
        raise ValueError(
            "its id must be 1 to 63 of a-z, 0-9, '.', '_' and '-', and begin and end with a letter or digit"
        )
    return Image(value["image"], value["id"])


def _write(value: Image) -> str | dict[str, str]:
    return {"id": value.id, "image": str(value)} if value.has_own_id else str(value)


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["id", "image"],
            "properties": {
                "id": {"type": "string", "pattern": ID, "description": "Its id in metrics and status."},
                "image": {"type": "string", "description": "The reference."},
            },
        },
    ]
}

ConfiguredImage = Annotated[Image, PlainValidator(_read), PlainSerializer(_write), WithJsonSchema(_SCHEMA)]
"""An entry of a credential's ``images``."""
