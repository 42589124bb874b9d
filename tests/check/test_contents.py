"""Manifests are read for what they list, and nothing else is taken for one."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.check.contents import Child, Layers, base_of, children, layers, preferred
from rotator.check.report import Base

DIGEST = f"sha256:{'0' * 64}"


def index(*platforms: dict[str, Any]) -> bytes:
    """Return an index of these platforms."""
    return json.dumps({"manifests": [{"digest": DIGEST, "platform": one} for one in platforms]}).encode()


def test_platforms_of_an_index() -> None:
    """Every platform is listed with its variant; attestations are not images."""
    content = index(
        {"os": "linux", "architecture": "arm64", "variant": "v8"},
        {"os": "unknown", "architecture": "unknown"},
        {"os": "linux", "architecture": "amd64"},
    )
    found = children(content)
    assert [child.platform for child in found] == ["linux/arm64/v8", "linux/amd64"]
    assert preferred(found) == Child("linux/amd64", DIGEST)
    assert preferred(found[:1]) == found[0]
    assert preferred([]) is None


def test_layers_are_counted_and_added() -> None:
    """The size is that of all layers and the configuration; what is no size counts as nothing."""
    content = json.dumps({"config": {"size": 1}, "layers": [{"size": 20}, {"size": 300}, {"size": "x"}, {}]}).encode()
    assert layers(content) == Layers(4, 321)


@pytest.mark.parametrize(
    ("annotations", "base"),
    [
        pytest.param({"name": "debian:12", "digest": DIGEST}, Base("debian:12", DIGEST), id="name and digest"),
        pytest.param({"name": "debian:12", "digest": "../x"}, Base("debian:12"), id="no digest"),
        pytest.param({"digest": DIGEST}, None, id="no name"),
        pytest.param({"name": "a\x1b[2Jb"}, None, id="control characters"),
        pytest.param({"name": "a" * 300}, None, id="long"),
        pytest.param({"name": 3}, None, id="number"),
    ],
)
def test_a_base_is_what_the_annotations_say(annotations: dict[str, Any], base: Base | None) -> None:
    """A base is a printable name, with a digest where it is one."""
    named = {f"org.opencontainers.image.base.{key}": value for key, value in annotations.items()}
    assert base_of(json.dumps({"annotations": named}).encode()) == base
    assert base_of(json.dumps({"annotations": list(named)}).encode()) is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b'{"manifests": 3}',
        b'{"manifests": [1, {"digest": "../../x", "platform": {"os": "linux"}}]}',
        b"[" * 100_000,
    ],
    ids=["empty", "bytes", "list", "null", "number", "path for a digest", "deep"],
)
def test_what_is_no_manifest_has_nothing(content: bytes) -> None:
    """Garbage has neither platforms nor layers, and never a digest that could be asked for."""
    assert children(content) == []
    assert layers(content) is None


_JSON = st.recursive(
    st.none() | st.text(max_size=5) | st.integers() | st.booleans(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["manifests", "layers", "config", "platform", "digest", "size"]), inner)
    ),
)


@settings(deadline=None, max_examples=100)
@given(_JSON)
def test_any_json_is_survived(value: object) -> None:
    """No document raises."""
    content = json.dumps(value).encode()
    children(content)
    layers(content)
    base_of(content)
