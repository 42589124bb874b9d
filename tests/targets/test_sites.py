"""Configurations in which two targets write one place."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rotator.config.load import load
from rotator.errors import ConfigError
from rotator.kinds import kinds

SSH = {"type": "docker_config_ssh", "user": "u", "key": {"file": "/k"}, "known_hosts": "/h", "path": ".docker/c.json"}
KUBERNETES = {"type": "kubernetes", "secret": "pull", "namespaces": ["web"]}
GITHUB = {"type": "github_actions", "repositories": ["acme/web"], "token": {"file": "/t"}}
VAULT = {"type": "vault_kv", "paths": ["registries/pull"]}
AWS = {"type": "aws_secrets_manager", "region": "eu-west-1", "secrets": ["pull"]}
TAGO = {"type": "tagoio_secret", "key": "PULL", "api": {"token": {"file": "/t"}}}
DEPLOY = {"type": "tagoio_deploy", "project": "p", "image": "ghcr.io/a/b", "image_tag": "1"}
TO_FILE = {**DEPLOY, "hand_over": "file", "file": "/run/hand-over"}
TO_DELEGATE = {**DEPLOY, "mode": "delegate", "delegate": {"url": "https://me.example/x", "signing_key": {"file": "/k"}}}
MERGE = {**KUBERNETES, "mode": "merge"}
OPAQUE = {**MERGE, "secret_template": "opaque"}
SWARM = {"type": "swarm"}


@pytest.fixture
def mistakes(tmp_path: Path) -> Callable[..., list[str]]:
    """Return a function that loads two targets, each with a credential, and returns what is wrong with them."""

    def loaded(
        one: dict[str, Any],
        two: dict[str, Any],
        registries: tuple[str, str] = ("ghcr.io", "ghcr.io"),
        policy: dict[str, Any] | None = None,
    ) -> list[str]:
        names = {"a": ("first", registries[0]), "b": ("second", registries[1])}
        credentials = {
            name: {
                "provider": "custom",
                "registry": registry,
                "username": "u",
                "password": {"file": f"/run/{name}"},
                "deliver_to": [target],
            }
            for name, (target, registry) in names.items()
        }
        vault = {"address": "https://vault.example", "auth": {"method": "token", "token": {"file": "/run/token"}}}
        config = {"credentials": credentials, "targets": {"first": one, "second": two}, "vault": vault}
        path = tmp_path / "rotator.yaml"
        path.write_text(json.dumps({**config, "policy": policy} if policy else config))
        try:
            load(path, kinds())
        except ConfigError as error:
            return [line.partition(": ")[2] for line in str(error).splitlines()]
        return []

    return loaded


def test_two_targets_on_one_file_are_refused(mistakes: Callable[..., list[str]], tmp_path: Path) -> None:
    """Both targets, the file by where it really is, both logins and the way out are named."""
    (tmp_path / "docker").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "docker")
    one = {"type": "docker_config", "path": f"{tmp_path}/docker/config.json"}
    two = {"type": "docker_config", "paths": [f"{tmp_path}/other.json", f"{tmp_path}/link/config.json"]}
    expected = (
        f"targets.second.paths: is the file {tmp_path}/docker/config.json, where targets.first writes, too: "
        "credentials.a and credentials.b would replace each other there; "
        "deliver only one of them there, or give one of the two targets another place"
    )
    assert mistakes(one, two) == [expected]
    assert mistakes(one, two, ("ghcr.io", "quay.io")) == []


def test_two_targets_that_own_one_secret_are_refused(mistakes: Callable[..., list[str]]) -> None:
    """A Secret that is not merged is one target's, whichever registries it is for."""
    expected = (
        "targets.second.secret: is the Secret pull in namespaces of the same cluster, where targets.first writes, too: "
        "credentials.a and credentials.b would replace each other there; deliver all of them to one of the two "
        "targets, name another secret in one, or, for different registries, write mode: merge in both"
    )
    assert mistakes(KUBERNETES, KUBERNETES, ("ghcr.io", "quay.io")) == [expected]


ONE_PLACE = [
    pytest.param(
        {**SSH, "hosts": ["Edge.example"]}, {**SSH, "hosts": ["b", "edge.example:22"]}, id="a file on one host"
    ),
    pytest.param(
        {**SSH, "hosts": ["e"], "path": "/etc/c.json"},
        {**SSH, "hosts": ["e"], "path": "/etc/./c.json", "user": "v"},
        id="an absolute path of two users",
    ),
    pytest.param(MERGE, MERGE, id="one registry in a Secret that is merged"),
    pytest.param(MERGE, KUBERNETES, id="a Secret that one of both merges"),
    pytest.param(KUBERNETES, {**KUBERNETES, "namespaces": {"exclude": ["kube-*"]}}, id="namespaces that overlap"),
    pytest.param(
        {**OPAQUE, "keys": {"token": "password"}}, {**OPAQUE, "keys": {"token": "password"}}, id="one key of a Secret"
    ),
    pytest.param(GITHUB, {**GITHUB, "repositories": ["ACME/web", "acme/api"]}, id="secrets of one repository"),
    pytest.param(VAULT, {**VAULT, "paths": ["registries::pull"]}, id="a path in Vault"),
    pytest.param(AWS, AWS, id="a secret in AWS"),
    pytest.param(TAGO, TAGO, id="a secret of TagoIO"),
    pytest.param(TO_FILE, TO_FILE, id="a file for a person"),
    pytest.param(TO_FILE, {"type": "docker_config", "path": "/run/hand-over"}, id="a file that two kinds write"),
    pytest.param(TO_DELEGATE, TO_DELEGATE, id="a project of TagoIO Deploy"),
    pytest.param(SWARM, {**SWARM, "names": ["web_*"], "socket": "/var/run/docker.sock"}, id="services of a swarm"),
]


@pytest.mark.parametrize(("one", "two"), ONE_PLACE)
def test_one_place_of_two_targets_is_refused(
    mistakes: Callable[..., list[str]], one: dict[str, Any], two: dict[str, Any]
) -> None:
    """Two targets that would replace each other's logins are refused, however each names the place."""
    found = mistakes(one, two)
    assert len(found) == 1
    assert found[0].startswith("targets.second.")
    assert ", where targets.first writes, too: credentials.a and credentials.b would replace each other" in found[0]


APART = [
    pytest.param({**SSH, "hosts": ["e"]}, {**SSH, "hosts": ["e"], "user": "v"}, id="the homes of two users"),
    pytest.param({**SSH, "hosts": ["e"]}, {**SSH, "hosts": ["e:2222"]}, id="two ports"),
    pytest.param(KUBERNETES, {**KUBERNETES, "namespaces": ["db"]}, id="other namespaces"),
    pytest.param(KUBERNETES, {**KUBERNETES, "secret": "other"}, id="another Secret"),
    pytest.param(KUBERNETES, {**KUBERNETES, "kubeconfig": "/etc/other"}, id="another cluster"),
    pytest.param(
        {**OPAQUE, "keys": {"{credential}": "password"}}, {**OPAQUE, "keys": {"{credential}": "password"}}, id="keys"
    ),
    pytest.param(GITHUB, {**GITHUB, "fields": {"OTHER": "password"}}, id="other secrets of one repository"),
    pytest.param(GITHUB, {**GITHUB, "environment": "prod"}, id="secrets of an environment"),
    pytest.param(VAULT, {**VAULT, "fields": {"other": "password"}}, id="other fields of a path in Vault"),
    pytest.param(AWS, {**AWS, "region": "eu-west-2"}, id="another region"),
    pytest.param(DEPLOY, DEPLOY, id="people, who know which project is meant"),
    pytest.param({**SWARM, "names": ["api"]}, {**SWARM, "names": ["web_*"]}, id="other services"),
    pytest.param({"type": "exec", "command": ["/x"]}, {"type": "exec", "command": ["/x"]}, id="what cannot be known"),
]


@pytest.mark.parametrize(("one", "two"), APART)
def test_places_that_are_apart_are_taken(
    mistakes: Callable[..., list[str]], one: dict[str, Any], two: dict[str, Any]
) -> None:
    """Nothing is refused that could not be shown to be one place."""
    assert mistakes(one, two) == []


@pytest.mark.parametrize("one", [MERGE, SWARM], ids=["a Secret that is merged", "services of a swarm"])
def test_a_place_is_shared_by_registries(mistakes: Callable[..., list[str]], one: dict[str, Any]) -> None:
    """What holds a login per registry may belong to two targets with different registries."""
    assert mistakes(one, one, ("ghcr.io", "quay.io")) == []


def test_a_secret_at_github_is_not_shared(mistakes: Callable[..., list[str]]) -> None:
    """A docker configuration that cannot be read cannot be merged into, so other registries are no way out."""
    target = {**GITHUB, "fields": {"CONFIG": "docker_config"}}
    assert len(mistakes(target, target, ("ghcr.io", "quay.io"))) == 1


def test_policy_keeps_namespaces_apart(mistakes: Callable[..., list[str]]) -> None:
    """Two targets with the same namespaces are taken where policy allows their credentials different ones."""
    one = {**KUBERNETES, "namespaces": ["*"]}
    rules = [{"credentials": [name], "namespaces": [f"{name}-*"]} for name in "ab"]
    assert mistakes(one, one, policy={"rules": rules}) == []
    assert len(mistakes(one, one, policy={"rules": [{"credentials": ["*"], "namespaces": ["a-*"]}]})) == 1


def test_a_target_that_receives_nothing_takes_no_place(tmp_path: Path) -> None:
    """A target that no credential names writes nowhere; the same credential at one place twice is refused."""
    custom = {"provider": "custom", "registry": "ghcr.io", "username": "u", "password": {"file": "/run/x"}}
    targets = {name: {"type": "docker_config", "path": "/srv/config.json"} for name in ("one", "two")}
    path = tmp_path / "rotator.yaml"
    path.write_text(json.dumps({"credentials": {"a": {**custom, "deliver_to": ["one"]}}, "targets": targets}))
    assert list(load(path, kinds()).targets) == ["one", "two"]
    path.write_text(json.dumps({"credentials": {"a": {**custom, "deliver_to": ["one", "two"]}}, "targets": targets}))
    with pytest.raises(ConfigError, match=r"credentials\.a would be delivered there twice; take it from one of"):
        load(path, kinds())
