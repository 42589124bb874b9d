"""Loading as a whole."""

from __future__ import annotations

import json
import string
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rotator.config.credential import CredentialConfig
from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.config.ref import SecretRef
from rotator.config.root import Config
from rotator.errors import ConfigError

SOUND = """
version: 1
store: {url: "postgresql://rotator@db.example/rotator", seal_key_file: /etc/rotator/seal.key}
credentials:
  b:
    provider: kept
    registry: ghcr.io
    username: bot
    token: {file: /run/secrets/token}
    images: [ghcr.io/acme/app]
    deliver_to: [shelf]
  a: {provider: minted, registry: index.docker.io, renew_before: 1h30m, deliver_to: [shelf]}
targets:
  shelf: {type: shelf, tag: "1.10"}
"""


def test_a_sound_file_becomes_values(write: Callable[[str], Path], kinds: Kinds) -> None:
    """Entries have the models of their kinds, hosts and images their canonical form, the rest its defaults."""
    config = load(write(SOUND), kinds)
    assert [type(credential).__name__ for credential in config.credentials.values()] == ["Kept", "Minted"]
    assert config.credentials["a"].registry == "docker.io"
    assert config.credentials["b"].images == ("ghcr.io/acme/app:latest",)
    assert config.log == Config().log


def test_loading_twice_gives_equal_values(write: Callable[[str], Path], kinds: Kinds) -> None:
    """Equal files are equal configurations."""
    path = write(SOUND)
    assert load(path, kinds) == load(path, kinds)


def test_words_for_yes_and_no_are_booleans_where_one_is_expected(write: Callable[[str], Path], kinds: Kinds) -> None:
    """`yes` is true for a flag, and the text `yes` for a text."""
    config = load(write("registries: {ghcr.io: {insecure: yes}}\ntargets: {a: {type: shelf, tag: no}}"), kinds)
    assert config.registries["ghcr.io"].insecure is True
    assert config.targets["a"].model_dump()["tag"] == "no"


def test_a_secret_reference_keeps_its_words(write: Callable[[str], Path], kinds: Kinds) -> None:
    """A reference is the source and the place in it."""
    token = load(write(SOUND), kinds).credentials["b"].model_dump()["token"]
    assert SecretRef.model_validate(token) == SecretRef(source="file", location="/run/secrets/token")


def test_only_the_kinds_that_are_used_are_loaded(write: Callable[[str], Path], kinds: Kinds) -> None:
    """The model of a provider that nobody configured is not asked for, so that its SDK is not imported."""
    asked: list[str] = []

    class Watched(Mapping[str, type[CredentialConfig]]):
        def __getitem__(self, name: str) -> type[CredentialConfig]:
            asked.append(name)
            return kinds.credentials[name]

        def __iter__(self) -> Iterator[str]:
            return iter(kinds.credentials)

        def __len__(self) -> int:
            return len(kinds.credentials)

        def __contains__(self, name: object) -> bool:
            return name in kinds.credentials

    text = "credentials: {a: {provider: minted, registry: ghcr.io}}"
    load(write(text), Kinds(credentials=Watched(), targets=kinds.targets))
    assert set(asked) == {"minted"}


def test_a_thousand_mistakes_are_a_thousand_lines(write: Callable[[str], Path], kinds: Kinds) -> None:
    """Nothing is cut off, and each line is sorted by where it is."""
    text = "credentials:\n" + "".join(f"  c{n}: {{provider: minted, registry: a b}}\n" for n in range(1000))
    with pytest.raises(ConfigError) as caught:
        load(write(text), kinds)
    lines = [int(mistake.split(":")[1]) for mistake in caught.value.mistakes]
    assert lines == list(range(2, 1002))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from _paths(inner, (*path, key))


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(string.printable, max_size=8),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("abe", max_size=3), inner, max_size=2),
    max_leaves=4,
)


def _mistakes(file: Path, kinds: Kinds) -> list[str]:
    try:
        load(file, kinds)
    except ConfigError as error:
        return error.mistakes
    return []


@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_stands_anywhere_is_loaded_or_refused(
    data: st.DataObject, write: Callable[[str], Path], kinds: Kinds
) -> None:
    """Any value in any place gives a configuration or a list of mistakes, each with a file, never another error."""
    document = yaml.safe_load(SOUND)
    path = data.draw(st.sampled_from(list(_paths(document))[1:]))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = data.draw(_junk)
    file = write(json.dumps(document))
    assert all(mistake.startswith(f"{file}:") for mistake in _mistakes(file, kinds))
