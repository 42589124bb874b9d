"""Templates of requests: every hole is filled to the letter, and nothing that is filled in can do anything."""

from __future__ import annotations

import json

import pytest

from rotator.targets.template import fill, fill_path, holes

HOSTILE = 'a"b\\c\n{username}%/../?#é'


def test_holes_are_filled_in_texts_only() -> None:
    """Texts are filled at any depth; keys, numbers, booleans and nulls stay."""
    template = {"{a}": ["{a}-{b}", 1, None, {"x": "{b}"}], "flag": True}
    assert fill(template, {"a": "1", "b": "2"}) == {"{a}": ["1-2", 1, None, {"x": "2"}], "flag": True}
    assert template["{a}"] == ["{a}-{b}", 1, None, {"x": "{b}"}]


def test_what_is_filled_in_stays_inside_its_text() -> None:
    """Quotes, backslashes, newlines and braces of a password reach the peer as they are, and nothing else changes."""
    body = json.dumps(
        fill({"password": "{password}", "username": "{username}"}, {"password": HOSTILE, "username": "u"})
    )
    assert json.loads(body) == {"password": HOSTILE, "username": "u"}


def test_other_braces_are_text() -> None:
    """GraphQL and JSON inside a text need no escaping."""
    query = "mutation($i: Input!) { update(input: $i) { id } } {} {A} {a-b} {{"
    assert fill(query, {}) == query
    assert holes(query) == frozenset()


@pytest.mark.parametrize("make", [fill, fill_path], ids=["text", "path"])
def test_a_missing_value_is_named(make: object) -> None:
    """A hole without a value is an error that names it and what there is, not an empty text."""
    with pytest.raises(ValueError, match=r"\{token\}; there are: password, username"):
        make("/{token}", {"username": "u", "password": "p"})  # type: ignore[operator]


def test_a_path_is_quoted() -> None:
    """No value can add a segment, a query or a fragment to a path."""
    assert fill_path("/a/{x}?b={y}", {"x": "../é?#", "y": "1&c=2"}) == "/a/..%2F%C3%A9%3F%23?b=1%26c%3D2"


@pytest.mark.parametrize("value", ["", ".", ".."], ids=["empty", "dot", "dots"])
def test_a_path_cannot_be_moved(value: str) -> None:
    """A value that would make the path another one is refused."""
    with pytest.raises(ValueError, match="cannot be part of a path"):
        fill_path("/a/{x}", {"x": value})


def test_holes_are_found_everywhere() -> None:
    """Every hole is listed, so that a configuration can be checked before anything is sent."""
    assert holes({"a": ["{x}", {"b": "/{y}/{x}"}], "{z}": 3}) == {"x", "y"}
