"""YAML to plain data: what is read, what is refused, and that nothing hostile costs much."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.config.document import MAX_DEPTH, _sentence, parse, resolve

BOMB = "a: &a [x, x]\n" + "".join(f"b{n}: &b{n} [{', '.join(['*a'] * 9)}]\n" for n in range(9))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("null", None, id="null"),
        pytest.param("~", None, id="tilde"),
        pytest.param("true", True, id="true"),
        pytest.param("False", False, id="false"),
        pytest.param("12", 12, id="int"),
        pytest.param("-3", -3, id="negative"),
        pytest.param("1.50", 1.5, id="fraction"),
        pytest.param("yes", "yes", id="yes-is-text"),
        pytest.param("on", "on", id="on-is-text"),
        pytest.param("12:30", "12:30", id="sexagesimal-is-text"),
        pytest.param("0600", "0600", id="octal-is-text"),
        pytest.param("012345678901", "012345678901", id="account-number-is-text"),
        pytest.param("1_000", "1_000", id="underscore-is-text"),
        pytest.param("0x1F", "0x1F", id="hex-is-text"),
        pytest.param("1e3", "1e3", id="exponent-is-text"),
        pytest.param(".inf", ".inf", id="infinity-is-text"),
        pytest.param("2026-01-01", "2026-01-01", id="date-is-text"),
        pytest.param("9" * 19, "9" * 19, id="huge-is-text"),
    ],
)
def test_only_what_looks_like_one_value_is_more_than_text(text: str, value: Any) -> None:
    """An unquoted word is null, a boolean, a number, or else stays as written."""
    assert resolve(text) == value
    assert type(resolve(text)) is type(value)


def test_quotes_make_text() -> None:
    """A quoted number, boolean or null is text."""
    assert parse("""a: "1"\nb: 'true'\nc: ""\n""", "f").data == {"a": "1", "b": "true", "c": ""}


def test_every_value_has_a_line() -> None:
    """Keys of mappings stand at the key's line, items of lists at their own."""
    document = parse("a:\n  b: 1\n  c:\n    - x\n    - y\n", "f.yaml")
    lines = {path: place.line for path, place in document.places.items()}
    assert lines == {(): 1, ("a",): 1, ("a", "b"): 2, ("a", "c"): 3, ("a", "c", 0): 4, ("a", "c", 1): 5}
    assert {place.file for place in document.places.values()} == {"f.yaml"}


def test_all_mistakes_of_a_file_are_found() -> None:
    """An alias, an anchor, a tag and a duplicate in one file are four mistakes, and the rest is still read."""
    document = parse("a: &x 1\nb: *x\nc: !!set {}\nd: 1\nd: 2\ne: 5\n", "f")
    assert [mistake.path for mistake in document.mistakes] == [("a",), ("b",), ("c",), ("d",)]
    assert document.data == {"a": None, "b": None, "c": None, "d": 1, "e": 5}
    assert document.complete


def test_an_alias_bomb_is_not_unfolded() -> None:
    """A file that would unfold to billions of values is refused value by value."""
    document = parse(BOMB, "f")
    assert len(document.mistakes) == 10 + 81
    assert len(document.places) < 200


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "], ids=["flow-list", "flow-mapping", "block-list"])
def test_deep_nesting_ends_at_the_limit(opening: str) -> None:
    """However deep a file nests, reading stops at the limit instead of exhausting the stack."""
    document = parse("a: " * (opening != "- ") + opening * 100_000, "f")
    assert not document.complete
    assert f"deeper than {MAX_DEPTH}" in document.mistakes[0].text or opening == "- "


@pytest.mark.parametrize(
    "text",
    [
        "a: !!python/object/apply:os.system ['touch /tmp/x']",
        "!!python/object/new:os.system ['x']",
        "a: !!python/name:os.system",
        "a: !include /etc/passwd",
        "a: !!binary aGk=",
        "a: ! x",
    ],
    ids=["apply", "new-at-root", "name", "include", "binary", "non-specific"],
)
def test_a_tag_is_never_acted_on(text: str) -> None:
    """Each tag is refused, and stands as None."""
    document = parse(text, "f")
    assert "tag" in document.mistakes[0].text
    assert document.data in ({}, {"a": None})


def test_a_control_character_is_found_by_line() -> None:
    """A character that no text holds is named by its line."""
    (mistake,) = parse("a: 1\nb: \x07\n", "f").mistakes
    assert str(mistake) == "f:2: a control character; write the file as plain UTF-8 text"


@pytest.mark.parametrize(
    "text",
    ["a:\n\tb: x", 'a: "x', "a: [1, 2", "a: b: c", "a: {b", "a: [", "a:\n  b: 1\n c: 2", 'a: "\\q"', "a\nb: 1"],
    ids=["tab", "quote", "list", "colons", "mapping", "bracket", "indentation", "escape", "no-colon"],
)
def test_both_parsers_of_pyyaml_get_the_same_sentence(text: str) -> None:
    """With and without the C library a mistake is explained alike, and never left unexplained."""
    sentences = set()
    for loader in (yaml.SafeLoader, yaml.CSafeLoader):
        with pytest.raises(yaml.YAMLError) as caught:
            list(yaml.parse(text, Loader=loader))
        sentences.add(_sentence(caught.value))
    (sentence,) = sentences
    assert "not valid YAML" not in sentence


# YAML 1.1 folds these three like a line break, and the library that dumps does not escape them: its quirk, not ours.
_characters = st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029")
_plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**17), 10**17) | st.text(_characters, max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=12,
)


@settings(deadline=None, max_examples=100)
@given(st.dictionaries(st.text("abcxyz", min_size=1), _plain, min_size=1, max_size=4))
def test_what_was_dumped_is_read_back(data: dict[str, Any]) -> None:
    """Whatever plain data a YAML library writes, this reader reads the same."""
    text = yaml.safe_dump(data, allow_unicode=True)
    assert parse(text, "f").data == data


@settings(deadline=None, max_examples=100)
@given(st.text(st.sampled_from("ab:-[]{}&*!|>'\"#%@`\t\n ,?0"), max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    """Any text gives a document or mistakes, never an exception."""
    document = parse(text, "f")
    assert document.mistakes or isinstance(document.data, dict)
