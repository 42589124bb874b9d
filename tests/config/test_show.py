"""The effective configuration can be read back."""

from __future__ import annotations

import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.config.show import show

MINIMAL = "credentials: {a: {provider: minted, registry: ghcr.io}}"

_name = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
_text = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12)
_seconds = st.integers(300, 40_000).map(lambda count: f"{count}s")
_kept = st.fixed_dictionaries(
    {
        "provider": st.just("kept"),
        "registry": st.sampled_from(["ghcr.io", "index.docker.io", "registry.example:5000"]),
        "username": _text.filter(lambda text: text != "root") | st.just({"env": "USER_NAME"}),
        "token": st.dictionaries(st.sampled_from(["file", "env"]), _name, min_size=1, max_size=1),
    },
    optional={"max_age": _seconds, "probe_interval": _seconds, "renew_before": _seconds | st.none()},
)
_shelf = st.fixed_dictionaries(
    {"type": st.just("shelf")},
    optional={
        "tag": _text | st.none() | st.sampled_from(["1.10", "yes", "null", "0600", "12:30", "~", "2026-01-01"]),
        "spots": st.lists(_text, min_size=1, max_size=3) | st.just({"include": ["a-*"]}),
        "required": st.booleans(),
    },
)
_documents = st.fixed_dictionaries(
    {
        "credentials": st.dictionaries(_name, _kept, max_size=3),
        "targets": st.dictionaries(_name, _shelf, max_size=3),
    },
    optional={"admin": st.fixed_dictionaries({"allow_uids": st.lists(st.integers(0, 9), max_size=2)})},
)


def _dumped(document: dict[str, Any]) -> str:
    """Return the document as YAML; through JSON, so that no two parts are one object, which would make an alias."""
    return yaml.safe_dump(json.loads(json.dumps(document)), allow_unicode=True)


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=_documents)
def test_what_is_shown_loads_to_the_same(document: dict[str, Any], write: Callable[[str], Path], kinds: Kinds) -> None:
    """Showing and loading again changes nothing, whatever the values look like."""
    config = load(write(_dumped(document)), kinds)
    text = show(config)
    assert load(write(text), kinds) == config
    assert show(load(write(text), kinds)) == text


def test_defaults_and_references_are_shown(write: Callable[[str], Path], kinds: Kinds) -> None:
    """Every key is there with its value; a secret is shown as where it is."""
    text = MINIMAL.replace("ghcr.io", "ghcr.io, access_key: {id: {env: ID}, secret: {vault: a#b}}")
    shown = yaml.safe_load(
        show(load(write(text + '\nvault: {address: "https://v", auth: {method: token, token: {env: T}}}'), kinds))
    )
    assert shown["log"] == {"level": "info", "format": "auto"}
    assert shown["credentials"]["a"]["access_key"] == {"id": {"env": "ID"}, "secret": {"vault": "a#b"}}
    assert shown["credentials"]["a"]["outage_budget"] == "30m"


def test_entries_are_sorted_by_name(write: Callable[[str], Path], kinds: Kinds) -> None:
    """The order of the files makes no difference to what is shown."""
    text = "targets: {b: {type: shelf}, a: {type: shelf}}"
    swapped = "targets: {a: {type: shelf}, b: {type: shelf}}"
    assert show(load(write(text), kinds)) == show(load(write(swapped), kinds))
