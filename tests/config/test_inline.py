"""Secrets that were written inline are recognised; names, hosts and paths are not taken for them."""

from __future__ import annotations

import pytest

from rotator.config.inline import TOKEN, URL, inline_secret, inline_secrets

ZEROS = "0" * 40


@pytest.mark.parametrize(
    "text",
    [
        f"dckr_pat_{ZEROS}",
        f"dckr_oat_{ZEROS}",
        f"ghp_{ZEROS}",
        f"gho_{ZEROS}",
        f"ghs_{ZEROS}",
        f"github_pat_{ZEROS}",
        f"glpat-{ZEROS}",
        f"gldt-{ZEROS}",
        f"hvs.{ZEROS}",
        f"hvb.{ZEROS}",
        "AKIA0000000000000000",
        "ASIA0000000000000000",
        "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.",
        "-----BEGIN PRIVATE KEY-----",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA",
        f"Bearer ghp_{ZEROS}",
        f"https://x-access-token:ghp_{ZEROS}@github.com",
    ],
    ids=lambda text: text[:24],
)
def test_known_tokens_are_recognised(text: str) -> None:
    """What begins as a vendor's token begins, and is long enough, is a secret wherever it stands in a text."""
    assert inline_secret(text) == TOKEN


@pytest.mark.parametrize(
    "text",
    ["https://user:hunter2@proxy.example", "postgresql://u:p@h/d", "redis://:p@h"],
    ids=["proxy", "database", "no-user"],
)
def test_passwords_in_urls_are_recognised(text: str) -> None:
    """A URL with a password is refused, whatever its scheme."""
    assert inline_secret(text) == URL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ghp_short",
        "hvs.example.com",
        "AKIA",
        "eyJ",
        "glpat-docs",
        "registry.example/app@sha256:" + "a" * 64,
        "https://registry.example:5000/path@x:y",
        "postgresql://rotator@db.example:5432/rotator",
        "-----BEGIN CERTIFICATE-----",
        "123456789012.dkr.ecr.eu-west-1.amazonaws.com",
        "arn:aws:iam::123456789012:role/pull",
        "team in (a, b)",
        "MAKIA0000000000000000",
    ],
    ids=lambda text: text[:24] or "empty",
)
def test_ordinary_values_are_left_alone(text: str) -> None:
    """Names, hosts, images, paths, ARNs and certificates are no secrets."""
    assert inline_secret(text) == ""


def test_every_string_is_looked_at() -> None:
    """However deep it stands, in mappings and lists, a token is found by its path."""
    token = f"ghp_{ZEROS}"
    assert [path for path, _ in inline_secrets({"a": [{"b": token}, 1, None], "c": token})] == [("a", 0, "b"), ("c",)]
