"""Which keys a type knows at a path, and what is said about an unknown name."""

from __future__ import annotations

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, Field

from rotator.config.keys import MAX_COMPARED, is_tagged, known_keys, unknown_name
from rotator.config.mistake import KeyPath
from rotator.config.ref import SecretRef


class One(BaseModel):
    """A branch."""

    kind: Literal["one"]
    x: int


class Two(BaseModel):
    """Another branch."""

    kind: Literal["two"]
    y: SecretRef


Either = Annotated[One | Two, Field(discriminator="kind")]


class Root(BaseModel):
    """All ways to be inside something."""

    optional: One | None = None
    items: tuple[One, ...] = ()
    mapping: dict[str, Two] = {}
    either: Either
    renamed: int = Field(default=0, alias="new-name")


@pytest.mark.parametrize(
    ("path", "known"),
    [
        pytest.param((), ["optional", "items", "mapping", "either", "new-name"], id="root"),
        pytest.param(("optional",), ["kind", "x"], id="optional"),
        pytest.param(("items",), [], id="a-list-has-no-keys"),
        pytest.param(("items", 3), ["kind", "x"], id="item"),
        pytest.param(("mapping",), [], id="a-mapping-takes-any-key"),
        pytest.param(("mapping", "any"), ["kind", "y"], id="mapping"),
        pytest.param(("either",), ["kind", "x", "y"], id="union"),
        pytest.param(("either", "y"), ["vault", "file", "env"], id="secret-as-it-is-written"),
        pytest.param(("optional", "x"), [], id="number"),
        pytest.param(("nowhere", "x"), [], id="unknown"),
    ],
)
def test_known_keys_follow_the_types(path: KeyPath, known: list[str]) -> None:
    """Through options, lists, mappings and unions, the keys are those of the model that stands there."""
    assert known_keys(Root, path) == known


def test_only_unions_with_a_discriminator_are_tagged() -> None:
    """A plain union, an optional and a list of a tagged one are not tagged themselves."""
    assert is_tagged(Either)
    assert is_tagged(Either | None)
    assert not is_tagged(One | Two)
    assert not is_tagged(list[Either])
    assert not is_tagged(int)


@pytest.mark.parametrize(
    ("name", "known", "text"),
    [
        pytest.param("imags", ["images", "grace"], "unknown key; did you mean images?", id="near"),
        pytest.param("zzz", ["images", "grace"], "unknown key; the known ones are images, grace", id="far"),
        pytest.param("zzz", [], "unknown key; there is none to choose from", id="none"),
        pytest.param(
            "k1x",
            [f"k{n}" for n in range(MAX_COMPARED + 1)],
            f"unknown key; the known ones are {', '.join(f'k{n}' for n in range(20))} and 481 more",
            id="too-many-to-compare",
        ),
    ],
)
def test_an_unknown_name_gets_the_nearest(name: str, known: list[str], text: str) -> None:
    """The nearest known name is offered, else all of them, up to a length that can be read."""
    assert unknown_name(name, known, what="key") == text
