"""What each vendor's words allow, and what to request instead."""

from __future__ import annotations

import re

import pytest

from rotator.domain.model import Login
from rotator.domain.privilege import INSTEAD, MAX_NAMED, SCOPES, instead, password_lints, privilege_of, vendor_word
from rotator.secret import Secret

KNOWN = [
    ("acr", "*", True),
    ("acr", "read", False),
    ("acr", "write", True),
    ("acr", "delete", True),
    ("acr", "deleted/restore/action", None),
    ("acr", "repositories/app/content/read", False),
    ("acr", "repositories/app/content/write", True),
    ("acr", "repositories/app/content/delete", True),
    ("acr", "_repositories_pull", False),
    ("acr", "_repositories_push", True),
    ("acr", "_repositories_admin", True),
    ("custom", "repository:acme/app:pull", False),
    ("custom", "repository:acme/app:push", True),
    ("custom", "repository:acme/app:delete", True),
    ("custom", "repository:acme/app:*", True),
    ("digitalocean", "read-only", False),
    ("dockerhub", "repo:read", False),
    ("dockerhub", "repo:public_read", False),
    ("dockerhub", "repo:write", True),
    ("dockerhub", "repo:admin", True),
    ("dockerhub", "acme/*:scope-image-pull", False),
    ("dockerhub", "acme/*:scope-image-push", True),
    ("dockerhub", "scope-image-pull-not", None),
    ("ghcr", "read:packages", False),
    ("ghcr", "read:org", False),
    ("ghcr", "write:packages", True),
    ("ghcr", "delete:packages", True),
    ("ghcr", "repo", True),
    ("ghcr", "repo:status", True),
    ("ghcr", "public_repo", True),
    ("ghcr", "delete_repo", True),
    ("ghcr", "workflow", True),
    ("ghcr", "admin:org", True),
    ("ghcr", "manage_billing:enterprise", True),
    ("ghcr", "gist", True),
    ("ghcr", "user:email", False),
    ("ghcr", "brand_new", None),
    ("gitlab", "read_registry", False),
    ("gitlab", "read_api", False),
    ("gitlab", "self_rotate", False),
    ("gitlab", "write_registry", True),
    ("gitlab", "write_repository", True),
    ("gitlab", "api", True),
    ("gitlab", "sudo", True),
    ("gitlab", "create_runner", True),
    ("gitlab", "ai_features", None),
    ("google", "roles/artifactregistry.reader", False),
    ("google", "roles/artifactregistry.writer", True),
    ("google", "roles/artifactregistry.repoAdmin", True),
    ("google", "roles/storage.objectViewer", False),
    ("google", "roles/storage.admin", True),
    ("google", "roles/editor", True),
    ("google", "roles/owner", True),
    ("google", "https://www.googleapis.com/auth/cloud-platform", None),
    ("google", "https://www.googleapis.com/auth/cloud-platform.read-only", False),
    ("google", "https://www.googleapis.com/auth/devstorage.read_only", False),
    ("google", "openid", False),
    ("harbor", "project library repository:pull", False),
    ("harbor", "project library repository:push", True),
    ("harbor", "project library artifact:delete", True),
    ("harbor", "project library tag:list", False),
    ("harbor", "system / robot:create", True),
    ("harbor", "project library *:*", True),
    ("harbor", "project library repository:scanner-pull", None),
    ("jfrog", "applied-permissions/admin", True),
    ("jfrog", "jfrt@01abc:admin", True),
    ("jfrog", "applied-permissions/user", None),
    ("jfrog", "applied-permissions/groups:readers", None),
    ("jfrog", "applied-permissions/groups:admin", None),
    ("quay", "app:read", False),
    ("quay", "app:write", True),
    ("quay", "app:admin", True),
    ("quay", "team dev", None),
]


@pytest.mark.parametrize(
    ("vendor", "scope", "expected"), [pytest.param(*row, id=f"{row[0]} {row[1]}") for row in KNOWN]
)
def test_each_word_is_judged(vendor: str, scope: str, *, expected: bool | None) -> None:
    """A word is for reading, allows more, or is not known; of the last nothing is concluded."""
    found = privilege_of(vendor, frozenset({scope}))
    assert found.is_excessive is expected
    assert [lint.code for lint in found.lints] == (["over_privileged"] if expected else [])


def test_every_row_is_tried_above() -> None:
    """Each row of the table is the one that judges some word above."""
    used = set()
    for vendor, scope, _ in KNOWN:
        used |= {row for row in SCOPES if row.vendor in {vendor, "*"} and re.fullmatch(row.pattern, scope)}
    assert [row for row in SCOPES if row not in used] == []


def test_the_sentence_names_scope_right_and_remedy() -> None:
    """What is too much is named in the vendor's word and in plain ones, with what to request instead."""
    (lint,) = privilege_of("ghcr", frozenset({"read:packages", "write:packages", "repo"})).lints
    assert "push (write:packages)" in lint.text
    assert "(repo)" in lint.text
    assert "read:packages)" not in lint.text.split(": to pull,")[0]
    assert INSTEAD["ghcr"] in lint.text


def test_many_scopes_are_counted() -> None:
    """A sentence names a few scopes and counts the rest."""
    scopes = frozenset(f"repository:app{number}:push" for number in range(MAX_NAMED + 3))
    (lint,) = privilege_of("custom", scopes).lints
    assert (lint.text.count("(repository:"), "and 3 scopes more" in lint.text) == (MAX_NAMED, True)


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        pytest.param(None, None, id="not told"),
        pytest.param(frozenset(), False, id="nothing"),
        pytest.param(frozenset({"read:packages", "brand_new"}), None, id="known and unknown"),
        pytest.param(frozenset({"write:packages", "brand_new"}), True, id="too much and unknown"),
    ],
)
def test_one_unknown_word_makes_the_whole_unknown(scopes: frozenset[str] | None, *, expected: bool | None) -> None:
    """Only where every word is known to be for reading is the login known to be small."""
    assert privilege_of("ghcr", scopes).is_excessive is expected


@pytest.mark.parametrize(
    ("vendor", "username", "registry", "expected"),
    [
        pytest.param("acr", "contoso", "contoso.azurecr.io", True, id="admin"),
        pytest.param("acr", "Contoso", "contoso-a1b2c3.azurecr.io", True, id="host with a hash"),
        pytest.param("acr", "puller", "contoso.azurecr.io", None, id="a token"),
        pytest.param("acr", "", "", None, id="nothing"),
        pytest.param("custom", "harbor", "harbor.example", None, id="another vendor"),
    ],
)
def test_the_admin_user_of_azure_is_known_by_name(
    vendor: str, username: str, registry: str, *, expected: bool | None
) -> None:
    """The account with the registry's own name may do everything, whatever its scopes are said to be."""
    assert privilege_of(vendor, None, username, registry).is_excessive is expected


@pytest.mark.parametrize(
    ("vendor", "username", "secret", "codes"),
    [
        pytest.param("dockerhub", "me", "hunter2", ["password"], id="hub password"),
        pytest.param("dockerhub", "me", "xdckr_pat_a", ["password"], id="prefix inside"),
        pytest.param("dockerhub", "me", "dckr_pat_a", [], id="hub personal"),
        pytest.param("dockerhub", "acme", "dckr_oat_a", [], id="hub organisation"),
        pytest.param("dockerhub", "me", "0f8fad5b-d9cb-469f-a165-70867728950e", [], id="hub old"),
        pytest.param("ghcr", "me", "hunter2", ["password"], id="github password"),
        pytest.param("ghcr", "me", "ghp_a", [], id="github classic"),
        pytest.param("ghcr", "me", "f" * 40, [], id="github old"),
        pytest.param("ghcr", "me", "github_pat_a", ["fine_grained_token"], id="github fine-grained"),
        pytest.param("gitlab", "me", "hunter2", ["password"], id="gitlab password"),
        pytest.param("gitlab", "me", "glpat-a", [], id="gitlab personal"),
        pytest.param("gitlab", "gitlab+deploy-token-7", "abc", [], id="gitlab old deploy token"),
        pytest.param("jfrog", "me", "hunter2", ["password"], id="jfrog password"),
        pytest.param("jfrog", "me", "eyJ2.a.b", [], id="jfrog jwt"),
        pytest.param("jfrog", "me", "c" * 64, [], id="jfrog reference"),
        pytest.param("harbor", "robot$a", "hunter2", [], id="no known tokens"),
    ],
)
def test_passwords_are_named_where_tokens_exist(vendor: str, username: str, secret: str, codes: list[str]) -> None:
    """What does not look like the vendor's tokens is reported, without a letter of it."""
    found = list(password_lints(vendor, Login(username, Secret(secret))))
    assert [lint.code for lint in found] == codes
    assert not any(secret in lint.text for lint in found)


@pytest.mark.parametrize(
    ("provider", "host", "expected"),
    [
        pytest.param("custom", "quay", "quay", id="custom by its host"),
        pytest.param("gar", "other", "google", id="gar"),
        pytest.param("dockerhub_token", "dockerhub", "dockerhub", id="another way"),
        pytest.param("harbor", "other", "harbor", id="as it is"),
    ],
)
def test_whose_words_they_are(provider: str, host: str, expected: str) -> None:
    """The provider says whose words scopes are; of a custom login only the host's name can tell."""
    assert vendor_word(provider, host) == expected


def test_an_unknown_vendor_has_a_remedy_too() -> None:
    """Whoever the vendor is, the sentence has an end."""
    assert instead("other") == "use one that may only pull"
