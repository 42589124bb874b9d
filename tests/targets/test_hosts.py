"""The hosts that a target's options send logins to, as policy sees them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter

from rotator.kinds import kinds

KEY = {"file": "/run/key"}
API = {"url": "https://api.eu-w1.tago.io", "token": KEY}
ROWS: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("docker_config", {"path": "/root/.docker/config.json"}, ()),
    (
        "docker_config_ssh",
        {"hosts": ["Edge-1.example:2222", "[::1]:22"], "user": "u", "key": KEY, "known_hosts": "/k", "path": "c.json"},
        ("edge-1.example", "::1"),
    ),
    (
        "github_actions",
        {"repositories": ["a/b"], "token": KEY, "api_url": "https://GHE.example:8443/api/v3"},
        ("ghe.example",),
    ),
    (
        "http",
        {"url": "https://api.example:8443/v1", "secret": KEY, "preset": "portainer", "values": {"id": "1"}},
        ("api.example",),
    ),
    ("kubernetes", {"namespaces": ["web"], "secret": "pull"}, ()),
    ("swarm", {}, ()),
    ("swarm", {"url": "https://manager.example:2376"}, ("manager.example",)),
    ("tagoio_deploy", {"project": "p", "image": "ghcr.io/a/b", "image_tag": "1"}, ()),
    (
        "tagoio_deploy",
        {
            "project": "p",
            "image": "ghcr.io/a/b",
            "image_tag": "1",
            "mode": "delegate",
            "delegate": {"url": "https://me.example/x", "signing_key": KEY},
        },
        ("me.example",),
    ),
    ("tagoio_secret", {"key": "K", "api": API}, ("api.eu-w1.tago.io",)),
    ("webhook", {"url": "https://Hooks.example/in", "signing_keys": [KEY]}, ("hooks.example",)),
]


@pytest.mark.parametrize(("kind", "options", "hosts"), ROWS, ids=[f"{row[0]}-{len(row[2])}" for row in ROWS])
def test_hosts_are_named_without_ports(kind: str, options: dict[str, Any], hosts: tuple[str, ...]) -> None:
    """Every host that a login is sent to is named, in lower case and without a port."""
    model = TypeAdapter(kinds().targets[kind]).validate_python({"type": kind, **options})
    assert model.hosts_sent_to() == hosts


def test_only_kubernetes_has_namespaces() -> None:
    """Placements of other kinds are not taken for namespaces."""
    assert [kind for kind, model in kinds().targets.items() if model.has_namespaces] == ["kubernetes"]
