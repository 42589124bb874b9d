"""The page of all options is the one that the program makes, and leaves none out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rotator.config.reference import reference
from rotator.config.schema import json_schema
from rotator.kinds import kinds

PAGE = Path(__file__).parents[2] / "docs/configuration.md"
UNWRITTEN = {"version", "credentials", "targets"}
"""Keys of the file itself that have no row: the first is 1, the others have a section."""


def options(schema: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option of every mapping in a schema."""
    if isinstance(schema, dict):
        yield from schema.get("properties", {}).items() if schema.get("type") == "object" else ()
        for one in schema.values():
            yield from options(one)
    elif isinstance(schema, list):
        for one in schema:
            yield from options(one)


def test_it_is_what_the_program_says() -> None:
    """The page is the program's own word; `make reference` writes it anew."""
    assert PAGE.read_text() == reference(json_schema(kinds())), "run: make reference"


def test_every_option_has_a_line_that_says_something() -> None:
    """Each option of each model has a row with what it takes, its default and what it means."""
    rows = re.findall(r"^\| `([^`]+)` \| (.+?) \| (.+?) \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert [row for row in rows if not all(cell.strip() for cell in row)] == []
    schema = json_schema(kinds())
    sections = {name for name, one in schema["properties"].items() if name not in UNWRITTEN}
    inner = {"id", "image", "vault", "file", "env"}
    assert {name for name, _ in options(schema)} - {row[0] for row in rows} <= {*UNWRITTEN, *sections, *inner}
    assert sections == set(re.findall(r"^## `(\w+)`", PAGE.read_text(), re.MULTILINE)) - UNWRITTEN


def test_durations_are_written_as_people_write_them() -> None:
    """No default is in the notation of machines."""
    assert re.findall(r"`P[0-9DTHMS.]+`", PAGE.read_text()) == []
