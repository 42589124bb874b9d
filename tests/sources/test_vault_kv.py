"""Locations, and the end of a secret's life as its metadata tells it."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import ConfigError
from rotator.sources.vault_kv import Place, parse_expires_at, parse_location

NEW_YEAR = datetime(2027, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("location", "place"),
    [
        ("registries/ghcr#token", Place("registries", "ghcr", "token")),
        ("registries/team/ghcr#token", Place("registries", "team/ghcr", "token")),
        ("team/kv::ghcr#token", Place("team/kv", "ghcr", "token")),
        ("kv::a/b#.dockerconfigjson", Place("kv", "a/b", ".dockerconfigjson")),
        ("kv/a b#user name", Place("kv", "a b", "user name")),
        ("kv/host:5000#token", Place("kv", "host:5000", "token")),
        ("kv/a?b&c%2f#token", Place("kv", "a?b&c%2f", "token")),
    ],
    ids=["usual", "deep", "nested mount", "mount in words", "spaces", "colon", "url characters"],
)
def test_location_has_three_parts(location: str, place: Place) -> None:
    """The first segment is the mount unless ``::`` says otherwise; the key follows ``#``."""
    assert parse_location(location) == place


@pytest.mark.parametrize(
    "location",
    [
        *("", "kv", "kv/a", "kv/#k", "/a#k", "kv/a#", "kv/../sys#k", "kv/a/./b#k", "kv//a#k", "kv/a/#k", "::a#k"),
        *("a/../b::c#k", "kv/a\n#k", "kv/a#k#l", "kv/a\0#k"),
    ],
)
def test_other_locations_are_refused(location: str) -> None:
    """What lacks a part, climbs out of its mount or cannot be printed is a configuration error with an example."""
    with pytest.raises(ConfigError, match="registries/ghcr#token"):
        parse_location(location)


@given(st.text(max_size=30))
@settings(max_examples=100, deadline=None)
def test_any_text_is_a_place_or_a_configuration_error(location: str) -> None:
    """No text makes the parser fail in another way, and no place leaves its mount."""
    try:
        place = parse_location(location)
    except ConfigError:
        return
    assert not {"", ".", ".."} & set(str(place).split("/"))


@pytest.mark.parametrize(
    "text",
    [
        "2027-01-01",
        "2027-01-01T00:00:00Z",
        "2027-01-01t00:00:00z",
        "2027-01-01 02:00:00+02:00",
        "2026-12-31T19:00:00.000000000-05:00",
        "1798761600",
        " 2027-01-01 ",
    ],
)
def test_end_is_read_in_each_notation(text: str) -> None:
    """RFC 3339, a date and Unix seconds all name the same instant, in UTC."""
    assert parse_expires_at(text) == Expiry(NEW_YEAR)


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1798761600, "", "never", "soon", "2027", "20270101", "1798761600000", "-1798761600", "2027-13-01"),
        *("2027-02-30", "2027-01-01T00:00:00", "2027-01-01T25:00:00Z", "2027-W01", "0000-01-01", "999999999"),
        *("2027-01-01T00:00:60Z", "9999-12-31T23:59:59-23:00", "\u0662\u0660\u0662\u0667-01-01"),
    ],
    ids=repr,
)
def test_garbage_is_unknown(value: object) -> None:
    """A note that cannot be understood is no expiry and no error."""
    assert parse_expires_at(value) == UNKNOWN


@given(st.text(max_size=40))
@settings(max_examples=100, deadline=None)
def test_any_note_is_harmless(text: str) -> None:
    """Whatever people write, the result is an expiry."""
    assert isinstance(parse_expires_at(text), Expiry)
