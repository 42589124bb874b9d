"""Logins as fields of a shared document: placed beside what is there, and read back for what they are."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.domain.fields import Layout, Part, check_layout, field_name, held_fields, kept_fields, place_fields
from rotator.domain.model import Entry, Login
from rotator.errors import ShapeError
from rotator.secret import Secret

PAIR: Layout = {"username": Part.USERNAME, "password": Part.PASSWORD}
NAMED: Layout = {"{CREDENTIAL}_USER": Part.USERNAME, "{credential}": Part.PASSWORD}
CONFIG: Layout = {"config": Part.DOCKER_CONFIG}
EVERYTHING: Layout = {**PAIR, "registry": Part.REGISTRY, "auth": Part.AUTH, **CONFIG}


def entry(credential: str = "ghcr", registry: str = "ghcr.io", password: str = "s3:cret") -> Entry:
    """Return an entry."""
    return Entry(credential, registry, Login("robot", Secret(password)), 1)


@pytest.mark.parametrize("layout", [PAIR, NAMED, CONFIG, EVERYTHING], ids=["pair", "named", "config", "everything"])
def test_placed_is_held(layout: Layout) -> None:
    """What is placed is read back as the very login; placing it again changes nothing; other fields stay."""
    placed = place_fields({"other": 7}, [entry()], layout)
    assert held_fields(placed, [entry()], layout) == {"ghcr": entry().login}
    assert place_fields(placed, [entry()], layout) == placed
    assert placed["other"] == 7


def test_each_part_has_its_form() -> None:
    """Each part of a login stands in its field as its readers expect it."""
    placed = place_fields({}, [entry(password="pw")], EVERYTHING)
    config = json.dumps({"auths": {"ghcr.io": {"auth": "cm9ib3Q6cHc="}}}, separators=(",", ":"))
    assert placed == {
        "username": "robot",
        "password": "pw",
        "registry": "ghcr.io",
        "auth": "cm9ib3Q6cHc=",
        "config": config,
    }


def test_a_name_may_tell_the_credential() -> None:
    """A credential's name is put into a field's name as it is, or as the name of a variable."""
    assert field_name("{credential}/{CREDENTIAL}_PW", "ecr-prod.eu") == "ecr-prod.eu/ECR_PROD_EU_PW"


def test_several_credentials_need_several_fields() -> None:
    """Two logins never share a field, except a docker configuration, which is made for it."""
    two = [entry(), entry("hub", "docker.io")]
    with pytest.raises(ValueError, match="username would hold both username of ghcr and username of hub"):
        place_fields({}, two, PAIR)
    for layout in (NAMED, CONFIG):
        assert held_fields(place_fields({}, two, layout), two, layout) == {one.credential: one.login for one in two}


def test_other_logins_of_a_configuration_stay() -> None:
    """A docker configuration in a field is merged; one that says the same already is kept to the letter."""
    before = {"config": '{ "auths": {"quay.io": {"auth": "eDp5"}}, "proxies": {} }'}
    placed = place_fields(before, [entry()], CONFIG)
    assert json.loads(placed["config"])["auths"].keys() == {"quay.io", "ghcr.io"}
    spaced = {"config": json.dumps(json.loads(placed["config"]), indent=8)}
    assert place_fields(spaced, [entry()], CONFIG) == spaced


@pytest.mark.parametrize("value", [7, "no json", '["a"]', '{"auths": 3}'], ids=["number", "text", "list", "auths"])
def test_what_cannot_be_merged_is_left(value: Any) -> None:
    """A field that holds something else than a docker configuration is not overwritten; its text is not told."""
    for act in (place_fields, held_fields):
        with pytest.raises(ShapeError, match="the field config") as caught:
            act({"config": value}, [entry()], CONFIG)
        assert caught.value.__cause__ is None


DIFFERENT = [
    pytest.param({"password": "old", "username": "robot"}, PAIR, Login("robot", Secret("old")), id="old password"),
    pytest.param({"password": "s3:cret", "username": "eve"}, PAIR, Login("eve", Secret("s3:cret")), id="old user"),
    pytest.param({"password": "s3:cret"}, PAIR, None, id="no user"),
    pytest.param({"username": "robot"}, PAIR, None, id="no password"),
    pytest.param({"username": "robot", "password": ""}, PAIR, None, id="empty password"),
    pytest.param({"username": "robot", "password": 7}, PAIR, None, id="a number"),
    pytest.param({"p": "s3:cret"}, {"p": Part.PASSWORD}, Login("robot", Secret("s3:cret")), id="no field for users"),
    pytest.param({"auth": "cm9ib3Q6b2xk"}, {"auth": Part.AUTH}, Login("robot", Secret("old")), id="old auth"),
    pytest.param({"auth": "%"}, {"auth": Part.AUTH}, None, id="garbage auth"),
    pytest.param(
        {"a": "s3:cret", "b": "old"},
        {"a": Part.PASSWORD, "b": Part.PASSWORD},
        Login("robot", Secret("old")),
        id="one of two fields is old",
    ),
]


@pytest.mark.parametrize(("document", "layout", "login"), DIFFERENT)
def test_something_else_is_not_taken_for_ours(document: dict[str, Any], layout: Layout, login: Login | None) -> None:
    """Only when every field says so is a login held: what is old, half or garbage is told as such."""
    assert held_fields(document, [entry()], layout).get("ghcr") == login


def test_an_impossible_registry_is_refused() -> None:
    """What cannot be a registry's host is placed nowhere, whether the layout names it or not."""
    with pytest.raises(ValueError, match="not a host"):
        place_fields({}, [entry(registry="not a host")], PAIR)


def test_a_layout_holds_a_password() -> None:
    """A layout from which no password could be read is refused."""
    with pytest.raises(ValueError, match="no field holds the password"):
        check_layout({"username": Part.USERNAME, "registry": Part.REGISTRY})
    check_layout(CONFIG)


def test_nothing_to_hold_changes_nothing() -> None:
    """Without entries a document stays as it is."""
    assert place_fields({"config": "kept"}, [], CONFIG) == {"config": "kept"}


@pytest.mark.parametrize(
    ("layout", "kept"),
    [
        pytest.param({"{CREDENTIAL}_PW": Part.PASSWORD}, {"QUAY_PW": "q"}, id="named"),
        pytest.param({"password": Part.PASSWORD}, {}, id="shared"),
        pytest.param(CONFIG, {"config": '{"auths":{"https://quay.io/v1/":{"auth":"x","y":1}}}'}, id="config"),
        pytest.param({"{credential}": Part.DOCKER_CONFIG}, {"quay": "any text"}, id="named config"),
        pytest.param({"none": Part.DOCKER_CONFIG}, {}, id="absent"),
        pytest.param({"empty": Part.DOCKER_CONFIG}, {}, id="empty"),
    ],
)
def test_kept_is_what_belongs_to_the_credentials(layout: Layout, kept: dict[str, str]) -> None:
    """Of a document is kept what stands in fields of the credentials, and the logins of their registries, verbatim."""
    config = json.dumps({"auths": {"ghcr.io": {"auth": "z"}, "https://quay.io/v1/": {"auth": "x", "y": 1}}, "a": 1})
    document = {"QUAY_PW": "q", "GHCR_PW": "g", "password": "p", "config": config, "quay": "any text", "empty": "{}"}
    assert kept_fields(document, {"quay": "quay.io"}, layout) == kept
    assert kept_fields(document, {}, layout) == {}


def test_what_cannot_be_read_cannot_be_kept() -> None:
    """A field that should hold a docker configuration and does not is an error that names it, not its text."""
    with pytest.raises(ShapeError, match="the field config") as caught:
        kept_fields({"config": "s3cret"}, {"quay": "quay.io"}, CONFIG)
    assert "s3cret" not in str(caught.value)
