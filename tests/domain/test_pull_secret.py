"""Documents of logins: keys, merging, and what a client would read from them."""

from __future__ import annotations

import base64
import copy
import json
import traceback
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import Entry, Login
from rotator.domain.pull_secret import (
    Convention,
    Shadow,
    auth_of,
    docker_key,
    dump,
    dump_compact,
    held,
    login_of,
    merge,
    parse_document,
    podman_key,
    render,
    shadowed,
    shadowed_by_environment,
)
from rotator.errors import ShapeError
from rotator.secret import Secret

CANARY = "c4n4ry-v4lue"
HUB_KEY = "https://index.docker.io/v1/"


def entry(registry: str, password: str = "new", credential: str = "") -> Entry:
    """Return an entry for ``registry``; the credential is named after it unless told otherwise."""
    return Entry(credential or registry, registry, Login("acme", Secret(password)), 1)


def auth(username: str, password: str) -> dict[str, str]:
    """Return one value of ``auths``."""
    return {"auth": base64.b64encode(f"{username}:{password}".encode()).decode()}


@pytest.mark.parametrize(
    ("registry", "docker", "podman"),
    [
        ("docker.io", HUB_KEY, "docker.io"),
        ("index.docker.io", HUB_KEY, "docker.io"),
        ("registry-1.docker.io", HUB_KEY, "docker.io"),
        (HUB_KEY, HUB_KEY, "docker.io"),
        ("GHCR.io", "ghcr.io", "ghcr.io"),
        ("registry.example:5000", "registry.example:5000", "registry.example:5000"),
        ("registry.example:443", "registry.example:443", "registry.example:443"),
    ],
    ids=str,
)
def test_keys(registry: str, docker: str, podman: str) -> None:
    """Docker Hub has docker's old URL for a key, or podman's host; ports are part of every key."""
    assert docker_key(registry) == docker
    assert podman_key(registry) == podman


def test_only_podman_knows_keys_with_a_path() -> None:
    """A login for one namespace has a key in podman's files and none in docker's."""
    assert podman_key("quay.io/acme/app") == "quay.io/acme/app"
    with pytest.raises(ValueError, match="has a path"):
        docker_key("quay.io/acme/app")
    for path in ("quay.io/", "quay.io/Acme", "quay.io//x", "https://quay.io/acme"):
        with pytest.raises(ValueError, match="write"):
            podman_key(path)


@pytest.mark.parametrize(
    ("value", "username", "password"),
    [
        (auth("acme", "p4ss"), "acme", "p4ss"),
        (auth("acme", "with:colons:"), "acme", "with:colons:"),
        (auth("acme", "padded\0\0"), "acme", "padded"),
        (auth("_json_key", '{"a":\n"b"}'), "_json_key", '{"a":\n"b"}'),
        (auth("acme", "pässwort"), "acme", "pässwort"),
        ({"username": "acme", "password": "p4ss"}, "acme", "p4ss"),
        ({**auth("acme", "wins"), "username": "x", "password": "loses"}, "acme", "wins"),
        ({**auth("acme", "p4ss"), "identitytoken": ""}, "acme", "p4ss"),
    ],
    ids=["auth", "colons", "nul-padding", "json-key", "unicode", "plain", "auth-wins", "empty-identity-token"],
)
def test_login_of(value: dict[str, str], username: str, password: str) -> None:
    """A value is read as docker reads it."""
    assert login_of(value) == Login(username, Secret(password))


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        [],
        "text",
        {"auth": ""},
        {"auth": 7},
        {"auth": "%%%"},
        {"auth": "YQ"},
        {"auth": "YQ=="},
        {"auth": base64.b64encode(b":pass").decode()},
        {"auth": base64.b64encode(b"user:").decode()},
        {"auth": base64.b64encode(b"user:\0\0").decode()},
        {"auth": base64.b64encode(b"user:\xff").decode()},
        {"username": "acme"},
        {"username": "acme", "password": 7},
        {"username": "acme", "password": "\ud800"},
        {**auth("acme", "p4ss"), "identitytoken": "x"},
        {**auth("acme", "p4ss"), "registrytoken": "x"},
    ],
    ids=lambda value: repr(value)[:40],
)
def test_no_login(value: object) -> None:
    """Garbage holds no login, and neither does a token that docker prefers to the password."""
    assert login_of(value) is None


def test_render() -> None:
    """A document of ours holds one auth per registry and nothing else."""
    document = render([entry("ghcr.io", "a"), entry("docker.io", "b")], Convention.DOCKER)
    assert document == {"auths": {"ghcr.io": auth("acme", "a"), HUB_KEY: auth("acme", "b")}}
    assert list(render([entry("docker.io")], Convention.PODMAN)["auths"]) == ["docker.io"]


def test_two_credentials_cannot_share_a_key() -> None:
    """Two logins for one registry would overwrite each other: refused, and both are named."""
    two = [entry("docker.io", credential="hub-a"), entry("index.docker.io", credential="hub-b")]
    with pytest.raises(ValueError, match="'hub-a' and 'hub-b' share the key"):
        render(two, Convention.DOCKER)


def test_merge_keeps_what_is_not_ours() -> None:
    """Other logins, unknown fields and the order of both stay; the original document is left alone."""
    document: dict[str, Any] = {
        "HttpHeaders": {"X": "y"},
        "auths": {"z.example": {"auth": "eg==", "email": "z@example"}, "ghcr.io": {"auth": "b2xk"}, "a.example": {}},
        "detachKeys": "ctrl-e,e",
        "plugins": {"x": {"n": 1.5}},
    }
    before = copy.deepcopy(document)
    merged = merge(document, [entry("ghcr.io"), entry("quay.io")], Convention.DOCKER)
    assert document == before
    assert list(merged) == ["HttpHeaders", "auths", "detachKeys", "plugins"]
    assert list(merged["auths"]) == ["z.example", "ghcr.io", "a.example", "quay.io"]
    assert merged["auths"]["z.example"] == before["auths"]["z.example"]
    assert {**merged, "auths": {}} == {**before, "auths": {}}


def test_merge_replaces_our_value_as_a_whole() -> None:
    """An identity token left beside a new password would win over it, so nothing of the old value stays."""
    document: dict[str, Any] = {
        "auths": {"ghcr.io": {"auth": "b2xk", "email": "e", "identitytoken": "t", "username": "old"}}
    }
    assert merge(document, [entry("ghcr.io")], Convention.DOCKER)["auths"] == {"ghcr.io": auth("acme", "new")}


@pytest.mark.parametrize(
    ("registry", "convention", "alias"),
    [
        ("docker.io", Convention.DOCKER, "docker.io"),
        ("docker.io", Convention.DOCKER, "index.docker.io"),
        ("docker.io", Convention.DOCKER, "https://index.docker.io/v2/"),
        ("docker.io", Convention.DOCKER, "https://registry-1.docker.io"),
        ("docker.io", Convention.PODMAN, HUB_KEY),
        ("ghcr.io", Convention.DOCKER, "https://ghcr.io"),
        ("ghcr.io", Convention.DOCKER, "http://ghcr.io/v1/"),
        ("ghcr.io", Convention.DOCKER, "https://ghcr.io/v2/"),
        ("ghcr.io", Convention.PODMAN, "GHCR.IO"),
        ("r.example:5000", Convention.DOCKER, "https://r.example:5000/v2"),
    ],
    ids=str,
)
def test_merge_replaces_other_spellings(registry: str, convention: Convention, alias: str) -> None:
    """A stale login under another spelling of the same registry cannot win: it goes, and ours takes its place."""
    document: dict[str, Any] = {"auths": {"first.example": {}, alias: auth("acme", "stale"), "last.example": {}}}
    merged = merge(document, [entry(registry)], convention)
    key = next(iter(render([entry(registry)], convention)["auths"]))
    assert list(merged["auths"]) == ["first.example", key, "last.example"]
    assert merged["auths"][key] == auth("acme", "new")


@pytest.mark.parametrize("other", ["ghcr.io:443", "ghcr.io/acme", "https://ghcr.io/acme", "x.ghcr.io", "*.io"])
def test_merge_leaves_narrower_and_other_keys(other: str) -> None:
    """A port, a path, a wildcard or another host is another login."""
    assert other in merge({"auths": {other: {}}}, [entry("ghcr.io")], Convention.DOCKER)["auths"]


def test_merge_removes_keys_to_the_letter() -> None:
    """What is to be taken away goes; a key that is also delivered stays."""
    document: dict[str, Any] = {"auths": {"old.example": {}, "ghcr.io": {}, "https://old.example": {}}}
    merged = merge(document, [entry("ghcr.io")], Convention.DOCKER, remove=["old.example", "ghcr.io"])
    assert list(merged["auths"]) == ["ghcr.io", "https://old.example"]


def test_merging_nothing_changes_nothing() -> None:
    """Without entries a document stays as it is, with or without logins."""
    documents: list[dict[str, Any]] = [{}, {"a": 1}, {"auths": {"x.example": {}}}]
    for document in documents:
        assert merge(document, [], Convention.DOCKER) == document


@pytest.mark.parametrize("auths", [[], "text", 7, True], ids=repr)
def test_auths_of_a_wrong_type_is_refused(auths: object) -> None:
    """A document whose logins are not an object is not guessed at."""
    with pytest.raises(ShapeError, match="auths"):
        merge({"auths": auths}, [entry("ghcr.io")], Convention.DOCKER)
    with pytest.raises(ShapeError, match="auths"):
        held({"auths": auths}, [entry("ghcr.io")], Convention.DOCKER)
    with pytest.raises(ShapeError, match="auths"):
        parse_document(json.dumps({"auths": auths}))


def test_held_names_what_is_there() -> None:
    """A credential is held when its key has a login that docker would use; else its name is absent."""
    document: dict[str, Any] = {
        "auths": {"ghcr.io": auth("acme", "a"), "quay.io": {"auth": "garbage"}, "https://x.example": {}}
    }
    found = held(document, [entry("ghcr.io"), entry("quay.io"), entry("x.example")], Convention.DOCKER)
    assert found == {"ghcr.io": Login("acme", Secret("a"))}


KEYS = st.sampled_from(["ghcr.io", "https://ghcr.io", "docker.io", HUB_KEY, "index.docker.io", "quay.io", "x.example"])
REGISTRIES = st.lists(st.sampled_from(["docker.io", "ghcr.io", "quay.io", "r.example:5000"]), unique=True)
JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), lambda inner: st.lists(inner, max_size=2))
DOCUMENTS = st.builds(
    lambda other, auths: {**other, **({"auths": auths} if auths else {})},
    st.dictionaries(st.text(max_size=5).map("x-".__add__), JSON, max_size=3),
    st.dictionaries(KEYS, st.just(auth("old", "old")) | st.just({}), max_size=5),
)
PASSWORDS = st.text(min_size=1, alphabet=st.characters(exclude_categories=["Cs", "Cc"]))


@settings(deadline=None, max_examples=100)
@given(DOCUMENTS, REGISTRIES, st.sampled_from(Convention), PASSWORDS)
def test_merge_is_idempotent_and_held(
    document: dict[str, Any], registries: list[str], convention: Convention, password: str
) -> None:
    """After a merge every entry is held, a second merge changes nothing, and the text parses back."""
    entries = [entry(registry, password) for registry in registries]
    merged = merge(document, entries, convention)
    assert held(merged, entries, convention) == {one.credential: one.login for one in entries}
    assert merge(merged, entries, convention) == merged
    assert parse_document(dump(merged)) == merged
    assert parse_document(dump_compact(merged)) == merged
    assert {key: value for key, value in merged.items() if key != "auths"} == {
        key: value for key, value in document.items() if key != "auths"
    }


@pytest.mark.parametrize(
    ("document", "convention", "by"),
    [
        ({}, Convention.DOCKER, None),
        ({"credsStore": "pass"}, Convention.DOCKER, "credsStore"),
        ({"credsStore": "pass"}, Convention.PODMAN, None),
        ({"credsStore": ""}, Convention.DOCKER, None),
        ({"credHelpers": {"ghcr.io": "gh"}}, Convention.DOCKER, 'credHelpers["ghcr.io"]'),
        ({"credHelpers": {"ghcr.io": "gh"}}, Convention.PODMAN, 'credHelpers["ghcr.io"]'),
        ({"credHelpers": {"quay.io": "gh"}}, Convention.DOCKER, None),
        ({"credHelpers": {"ghcr.io:443": "gh"}}, Convention.DOCKER, None),
        ({"credHelpers": {"quay.io": "x"}, "credsStore": "pass"}, Convention.DOCKER, "credsStore"),
        ({"credHelpers": {"ghcr.io": ""}, "credsStore": "pass"}, Convention.DOCKER, None),
        ({"credHelpers": []}, Convention.DOCKER, None),
    ],
    ids=[
        "none",
        "store",
        "podman-store",
        "empty-store",
        "helper",
        "podman-helper",
        "other",
        "port",
        "both",
        "off",
        "bad",
    ],
)
def test_shadowed(document: dict[str, Any], convention: Convention, by: str | None) -> None:
    """A login is shadowed exactly when docker or podman would ask a helper instead of the file."""
    expected = [] if by is None else [Shadow("ghcr.io", by)]
    assert shadowed(document, [entry("ghcr.io")], convention) == expected


@pytest.mark.parametrize("helper", ["docker.io", "index.docker.io", HUB_KEY])
def test_docker_hub_is_shadowed_under_every_name(helper: str) -> None:
    """A helper for Docker Hub is found whichever of its names it was configured for."""
    found = shadowed({"credHelpers": {helper: "x"}}, [entry("docker.io")])
    assert found == [Shadow(HUB_KEY, f'credHelpers["{helper}"]')]


def test_a_helper_shadows_narrower_podman_keys() -> None:
    """Podman asks the helper of a host before it looks for keys with a path."""
    found = shadowed({"credHelpers": {"quay.io": "x"}}, [entry("quay.io/acme")], Convention.PODMAN)
    assert found == [Shadow("quay.io/acme", 'credHelpers["quay.io"]')]


def test_the_environment_shadows() -> None:
    """The variable answers for the registries it names, and a broken one for none."""
    entries = [entry("docker.io"), entry("ghcr.io")]
    value = '{"auths": {"https://index.docker.io/v1/": {"auth": "YTpi"}}}'
    assert shadowed_by_environment(value, entries) == [Shadow(HUB_KEY, "DOCKER_AUTH_CONFIG")]
    assert shadowed_by_environment("{", entries) == []
    assert shadowed_by_environment("", entries) == []


@pytest.mark.parametrize("text", ["", "  \n", "{}", '{"auths": null}', '{"auths": {}}'], ids=repr)
def test_an_empty_document_is_one(text: str) -> None:
    """An empty file is an empty document, as for docker."""
    assert held(parse_document(text), [entry("ghcr.io")], Convention.DOCKER) == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"auths":\n  {"' + CANARY + '": ]}}', "line 2"),
        ('{"' + CANARY, "line 1, column"),
        ("\ufeff{}", "line 1, column 1"),
        (f'["{CANARY}"]', "not a JSON object"),
        (f'"{CANARY}"', "not a JSON object"),
        ("null", "not a JSON object"),
        ('{"a": NaN}', "not JSON"),
        ('{"a": -Infinity}', "not JSON"),
        ('{"a": 1e999}', "out of range"),
        ('{"a": ' + "1" * 5000 + "}", "out of range"),
        ('{"' + CANARY + '": 1, "' + CANARY + '": 2}', "appears twice"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_a_broken_document_is_refused_without_its_text(text: str, reason: str) -> None:
    """What docker could not read, or we not write back unchanged, is refused; nothing of it is in the error."""
    with pytest.raises(ShapeError) as caught:
        parse_document(text)
    assert reason in str(caught.value)
    assert caught.value.__context__ is None
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_dump_writes_as_docker_does() -> None:
    """Tabs, no newline at the end, plain ASCII; the compact form has no white space."""
    document = render([entry("ghcr.io", "a")], Convention.DOCKER)
    text = dump({**document, "psFormat": "ü\ud800"})
    assert text.startswith('{\n\t"auths": {\n\t\t"ghcr.io": {\n\t\t\t"auth": "')
    assert text.endswith("}")
    assert text.isascii()
    assert dump_compact(document) == '{"auths":{"ghcr.io":{"auth":"' + auth_of(Login("acme", Secret("a"))) + '"}}}'
