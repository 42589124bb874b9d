"""The configurations that are shipped work, and the reference is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]
from pydantic import BaseModel

from rotator.config.files import read
from rotator.config.load import load
from rotator.config.notify import SlackDestination, WebhookDestination
from rotator.config.root import Config
from rotator.config.schema import json_schema
from rotator.config.show import show
from rotator.config.vault import AppRoleAuth, AwsAuth, JwtAuth, KubernetesAuth, TokenAuth
from rotator.config.warning import warnings
from rotator.kinds import kinds

SHIPPED = Path(__file__).parents[2] / "config"
REFERENCE = SHIPPED / "rotator.yaml"
FILES = [REFERENCE, *sorted((SHIPPED / "examples").glob("*.yaml"))]
SCENARIOS = {
    "acr-token-two-passwords",
    "custom-registry-private-ca",
    "dockerhub-to-docker-hosts",
    "ecr-cross-account",
    "ecr-to-kubernetes",
    "ghcr-from-vault",
    "ghcr-to-argocd-and-flux",
    "gitlab-deploy-tokens",
    "many-registries-one-pull-secret",
    "one-host-no-vault",
    "tagoio-deploy",
    "two-tenants",
}
DESTINATIONS: tuple[type[BaseModel], ...] = (WebhookDestination, SlackDestination)
AUTH_METHODS = (AppRoleAuth, AwsAuth, JwtAuth, KubernetesAuth, TokenAuth)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_loads_without_a_doubt(path: Path) -> None:
    """Every shipped configuration is valid, raises no warning, and survives being shown."""
    config = load(path, kinds())
    assert warnings(config) == []
    assert yaml.safe_load(show(config))["version"] == 1


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_file_fits_the_schema(path: Path) -> None:
    """Editors show no error in a shipped configuration, nor in what `show` prints of it."""
    validator = Draft202012Validator(json_schema(kinds()))
    assert [error.message for error in validator.iter_errors(read(path).data)] == []
    assert [error.message for error in validator.iter_errors(yaml.safe_load(show(load(path, kinds()))))] == []


def test_there_is_an_example_per_scenario() -> None:
    """The scenarios people come with each have their file."""
    assert {path.stem for path in FILES[1:]} == SCENARIOS


@pytest.mark.parametrize("path", FILES[1:], ids=lambda path: path.stem)
def test_each_example_says_whom_it_is_for(path: Path) -> None:
    """An example begins with its readers, what it does, and what they must change."""
    comment = path.read_text().partition("\nversion:")[0]
    assert re.findall(r"^# (\w+):", comment, re.MULTILINE) == ["For", "Does", "Change"]


def _uncommented() -> str:
    """Return the reference with every commented setting switched on, except alternatives."""
    return re.sub(r"^( *)#(\w)", r"\1\2", REFERENCE.read_text(), flags=re.MULTILINE)


def _alternatives() -> list[str]:
    return re.findall(r"^ *#\|(.*)$", REFERENCE.read_text(), re.MULTILINE)


def test_the_reference_loads_with_every_setting_switched_on(tmp_path: Path) -> None:
    """Each commented setting is valid as it stands, and all of them together."""
    path = tmp_path / "rotator.yaml"
    path.write_text(_uncommented())
    config = load(path, kinds())
    assert config.admin.tokens_file == "/etc/rotator/tokens"


@pytest.mark.parametrize("line", _alternatives(), ids=lambda line: line[:40])
def test_each_alternative_in_the_reference_is_valid(line: str, tmp_path: Path) -> None:
    """An alternative can take the place of the setting above it."""
    document = yaml.safe_load(REFERENCE.read_text())
    key, value = next(iter(yaml.safe_load(line).items()))
    place = document["vault"] if key == "auth" else document["targets"]["cluster"]
    place[key] = value
    path = tmp_path / "rotator.yaml"
    path.write_text(yaml.safe_dump(document))
    load(path, kinds())


def _fields(section: str, model: type[BaseModel], written: Any) -> Iterator[tuple[str, set[str], set[str]]]:
    known = {field.alias or name for name, field in model.model_fields.items()}
    yield section, known, set(written)


def _sections() -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield for each model of the configuration its name, its keys, and the keys the reference writes."""
    data = yaml.safe_load(_uncommented())
    yield from _fields("", Config, data)
    for name, value in Config():
        if isinstance(value, BaseModel):
            yield from _fields(name, type(value), data[name])
    alternatives = [yaml.safe_load(line) for line in _alternatives()]
    auths = [data["vault"]["auth"], *(item["auth"] for item in alternatives if "auth" in item)]
    for method in AUTH_METHODS:
        name = method.model_fields["method"].annotation.__args__[0]  # type: ignore[union-attr]
        written = {key for auth in auths if auth["method"] == name for key in auth}
        yield from _fields(name, method, written)
    for model in DESTINATIONS:
        name = model.model_fields["type"].annotation.__args__[0]  # type: ignore[union-attr]
        entries = [entry for entry in data["notifications"].values() if entry["type"] == name]
        everywhere = {key for entry in data["notifications"].values() for key in entry}
        shared = set(model.__mro__[1].model_fields) & everywhere  # type: ignore[attr-defined]
        yield from _fields(f"notifications.{name}", model, {key for one in entries for key in one} | shared)
    yield from _kind_fields(data, "credentials", "provider")
    yield from _kind_fields(data, "targets", "type")


def _kind_fields(data: dict[str, Any], section: str, key: str) -> Iterator[tuple[str, set[str], set[str]]]:
    """Yield each kind's keys. What all kinds share, or one says it takes from another, is written once."""
    models: dict[str, type[BaseModel]] = dict(getattr(kinds(), section))
    entries = data[section].values()
    everywhere = {inner for entry in entries for inner in entry}
    for name, model in models.items():
        own = {inner for entry in entries if entry[key] == name for inner in entry}
        inherited = set(model.__mro__[1].model_fields) & everywhere  # type: ignore[attr-defined]
        yield from _fields(f"{section}.{name}", model, own | inherited)


def test_the_reference_covers_every_key() -> None:
    """No key of any section, provider or target is missing from the reference."""
    missing = {section: known - written for section, known, written in _sections()}
    assert {section: keys for section, keys in missing.items() if keys} == {}
