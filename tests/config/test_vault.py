"""The ``vault`` section: what it accepts, and the words with which it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal

import pytest
from pydantic import ValidationError

from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.config.target import TargetConfig
from rotator.config.vault import (
    AppRoleAuth,
    AwsAuth,
    JwtAuth,
    KubernetesAuth,
    TokenAuth,
    VaultConfig,
)
from rotator.errors import ConfigError

TOKEN = {"method": "token", "token": {"env": "VAULT_TOKEN"}}


def section(**settings: Any) -> VaultConfig:
    """Parse a section whose other settings are fine."""
    return VaultConfig.model_validate({"address": "https://vault.test:8200", "auth": TOKEN, **settings})


def test_defaults_are_safe() -> None:
    """With an address and a login the rest is verified TLS, no proxy, ten seconds and a look every thirty."""
    config = section()
    assert (config.insecure, config.proxy, config.ca_file, config.namespace) == (False, None, None, None)
    assert (config.timeout, config.poll_interval) == (timedelta(seconds=10), timedelta(seconds=30))


@pytest.mark.parametrize(
    ("auth", "kind"),
    [
        (TOKEN, TokenAuth),
        ({"method": "approle", "role_id": {"file": "/r"}, "secret_id": {"file": "/s"}}, AppRoleAuth),
        ({"method": "approle", "role_id": {"file": "/r"}}, AppRoleAuth),
        ({"method": "kubernetes", "role": "rotator"}, KubernetesAuth),
        ({"method": "jwt", "role": "rotator", "jwt": {"file": "/j"}, "mount": "team/jwt"}, JwtAuth),
        ({"method": "aws", "role": "rotator"}, AwsAuth),
        ({"method": "aws", "role": "r", "access_key_id": {"env": "A"}, "secret_access_key": {"env": "B"}}, AwsAuth),
    ],
    ids=["token", "approle", "approle without secret-id", "kubernetes", "jwt", "aws chain", "aws keys"],
)
def test_each_login_is_recognised_by_its_method(auth: dict[str, Any], kind: type) -> None:
    """The word under ``method`` decides which settings there are."""
    assert type(section(auth=auth).auth) is kind


def test_kubernetes_reads_the_pods_own_token_by_default() -> None:
    """Nobody has to write where the kubelet puts the token."""
    auth = section(auth={"method": "kubernetes", "role": "rotator"}).auth
    assert isinstance(auth, KubernetesAuth)
    assert str(auth.jwt) == "file:/var/run/secrets/kubernetes.io/serviceaccount/token"


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"address": "http://vault.test"}, "insecure: true if plain HTTP is really meant"),
        ({"address": "vault.test:8200"}, "not an http or https URL with a host"),
        ({"address": "ftp://vault.test"}, "not an http or https URL with a host"),
        ({"address": "https://"}, "not an http or https URL with a host"),
        ({"address": "https://vault.test:port"}, "is not a URL"),
        ({"address": "https://user:pw@vault.test"}, "holds a user name or password"),
        ({"address": "https://vault.test/v1/"}, "ends with /v1; leave that out"),
        ({"address": "https://vault.test/?a=b"}, "has a query or fragment"),
        ({"proxy": "http://user:pw@proxy.test:3128"}, "holds a user name or password"),
        ({"proxy": "proxy.test:3128"}, "not an http or https URL with a host"),
        ({"auth": {"method": "token", "token": {"vault": "kv/a#b"}}}, "what opens Vault cannot itself be in Vault"),
        ({"auth": {"method": "token", "token": "hvs.inline"}}, "a secret is never written here"),
        ({"auth": {"method": "userpass"}}, "'token', 'approle', 'kubernetes', 'jwt', 'aws'"),
        ({"auth": {"method": "kubernetes", "role": ""}}, "at least 1 character"),
        ({"auth": {"method": "kubernetes", "role": "a\nb"}}, "should match pattern"),
        ({"auth": {"method": "kubernetes", "role": "r", "mount": "a/../b"}}, "is not a mount name"),
        ({"auth": {"method": "kubernetes", "role": "r", "jtw": {"env": "X"}}}, "Extra inputs are not permitted"),
        ({"auth": {"method": "aws", "role": "r", "access_key_id": {"env": "A"}}}, "write both access_key_id and"),
        ({"auth": {"method": "aws", "role": "r", "session_token": {"env": "A"}}}, "session_token needs"),
        ({"kv_versions": {"kv": 3}}, "Input should be 1 or 2"),
        ({"timeout": 10}, "write a number with a unit"),
        ({"timeout": "0s"}, "longer than zero"),
        ({"adress": "x"}, "Extra inputs are not permitted"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_mistake_is_refused_in_words(settings: dict[str, Any], words: str) -> None:
    """Each mistake is refused with what to write instead."""
    with pytest.raises(ValidationError) as caught:
        section(**settings)
    assert words in str(caught.value)


def test_plain_http_is_possible_when_it_is_meant() -> None:
    """`insecure: true` accepts an http address."""
    assert section(address="http://127.0.0.1:8200/", insecure=True).address == "http://127.0.0.1:8200"


def test_path_before_vault_is_kept() -> None:
    """A Vault behind a path of a reverse proxy keeps that path, without the slash at its end."""
    assert section(address="https://gate.test/vault/").address == "https://gate.test/vault"


def test_section_does_not_change() -> None:
    """A loaded section is frozen."""
    with pytest.raises(ValidationError, match="frozen"):
        section().insecure = True  # type: ignore[misc]  # the mistake under test


class Vaulted(TargetConfig):
    """A place inside Vault."""

    needs_vault: ClassVar[bool] = True

    type: Literal["vaulted"]


@pytest.mark.parametrize(
    "section", ["", "vault: {address: 'https://v', auth: {method: token, token: {env: T}}}\n"], ids=["without", "with"]
)
def test_a_target_in_vault_needs_the_section(write: Callable[[str], Path], section: str) -> None:
    """A target that writes to Vault is refused where nobody said which Vault, with its place in the file."""
    path = write(f"version: 1\n{section}targets:\n  hub:\n    type: vaulted\n")
    kinds = Kinds(credentials={}, targets={"vaulted": Vaulted})
    if section:
        load(path, kinds)
        return
    with pytest.raises(ConfigError, match=r"4: targets.hub.type: writes to Vault, but there is no vault section"):
        load(path, kinds)
