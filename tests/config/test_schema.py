"""The JSON Schema for editors agrees with the loader."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from rotator.config.files import read
from rotator.config.kinds import Kinds
from rotator.config.schema import DIALECT, json_schema

BAD = Path(__file__).parent / "bad"
WRONG_BY_SHAPE = [
    "not_a_choice",
    "not_a_number",
    "number_too_small",
    "duration_without_unit",
    "provider_missing",
    "provider_unknown",
    "type_unknown",
    "credential_name",
    "registry_missing",
    "reference_inside",
    "reference_with_two_sources",
    "reference_to_unknown_source",
    "secret_inline",
    "text_is_a_number",
    "union_branch",
    "unknown_key",
    "unknown_key_of_a_kind",
    "unknown_section",
    "vault_unknown_method",
    "version",
]


@pytest.fixture(scope="module")
def schema(kinds: Kinds) -> dict[str, Any]:
    """Return the schema of the stand-in kinds."""
    return json_schema(kinds)


def test_it_is_a_valid_schema(schema: dict[str, Any]) -> None:
    """The result is JSON Schema 2020-12, says so, and has a title."""
    Draft202012Validator.check_schema(schema)
    assert (schema["$schema"], schema["title"]) == (DIALECT, "rotator configuration")


def test_it_is_the_same_every_time(schema: dict[str, Any], kinds: Kinds) -> None:
    """Two runs give the same text, so that it can be kept under version control."""
    swapped = Kinds(credentials=dict(sorted(kinds.credentials.items(), reverse=True)), targets=kinds.targets)
    assert json.dumps(json_schema(swapped)) == json.dumps(schema)


@pytest.mark.parametrize("name", WRONG_BY_SHAPE)
def test_mistakes_of_shape_are_seen_in_the_editor(name: str, schema: dict[str, Any]) -> None:
    """What is wrong by its shape alone does not validate."""
    assert not Draft202012Validator(schema).is_valid(read(BAD / f"{name}.yaml").data)


def test_every_key_is_described(schema: dict[str, Any]) -> None:
    """Each key of each section and kind has a description on one line, inherited where it is only narrowed."""
    for name, definition in schema["$defs"].items():
        for key, value in definition.get("properties", {}).items():
            assert value.get("description"), f"{name}.{key}"
            assert "\n" not in value["description"]


def test_each_kind_is_one_branch(schema: dict[str, Any]) -> None:
    """The union is told apart by the constant in `provider` and `type`."""
    for key, section in (("provider", "credentials"), ("type", "targets")):
        branches = schema["properties"][section]["additionalProperties"]["oneOf"]
        names = [branch["$ref"].rpartition(".")[2] for branch in branches]
        assert [schema["$defs"][f"{key}.{name}"]["properties"][key]["const"] for name in names] == names
