"""What the rules of ``policy`` see of a credential and a target."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.config.root import RegistryConfig
from rotator.config.subject import destination_of, subject_of
from rotator.kinds import kinds

TOKEN = {"vault": "team-a/x#token"}
HUB = {"provider": "dockerhub_token", "identifier": "me", "secret": TOKEN}


@pytest.mark.parametrize(
    ("options", "registries", "shown_to"),
    [
        pytest.param({"registry": "ghcr.io"}, {}, ("ghcr.io",), id="its registry"),
        pytest.param({"registry": "r.internal:5000"}, {}, ("r.internal:5000",), id="with a port"),
        pytest.param(
            {"registry": "ghcr.io", "api_url": "https://API.github.com"}, {}, ("ghcr.io", "api.github.com"), id="an API"
        ),
        pytest.param(
            {"registry": "ghcr.io", "api_url": "https://api.github.com"}, {}, ("ghcr.io",), id="the vendor's own API"
        ),
        pytest.param(
            {"registry": "ghcr.io", "proxy": "http://p.internal:3128"}, {}, ("ghcr.io", "p.internal:3128"), id="a proxy"
        ),
        pytest.param(
            {"registry": "ghcr.io"},
            {
                "ghcr.io": {"realm_hosts": ["Auth.internal"], "proxy": "http://p.internal:3128"},
                "x": {"proxy": "http://q"},
            },
            ("ghcr.io", "auth.internal", "p.internal:3128"),
            id="what its registry's entry names",
        ),
    ],
)
def test_all_that_a_login_is_shown_to_is_seen(
    options: dict[str, Any], registries: dict[str, dict[str, Any]], shown_to: tuple[str, ...]
) -> None:
    """The registry, and each token server, proxy and address that options name; not what a vendor has by default."""
    model = (
        kinds().credentials["ghcr"].model_validate({"provider": "ghcr", "username": "me", "token": TOKEN, **options})
    )
    known = {name: RegistryConfig.model_validate(one) for name, one in registries.items()}
    seen = subject_of("one", model, known)
    assert (seen.shown_to, seen.reads) == (shown_to, ("vault:team-a/x#token",))


@pytest.mark.parametrize(
    ("options", "reads"),
    [
        pytest.param(
            {"type": "kubernetes", "secret": "s", "namespaces": ["a"], "kubeconfig": "/k"},
            ("file:/k",),
            id="kubeconfig",
        ),
        pytest.param({"type": "kubernetes", "secret": "s", "namespaces": ["a"]}, (), id="in the cluster"),
        pytest.param(
            {"type": "swarm", "url": "https://m:2376", "cert_file": "/c", "key_file": "/key"},
            ("file:/key",),
            id="client certificate",
        ),
        pytest.param(
            {"type": "github_actions", "repositories": ["a/b"], "token": TOKEN}, ("vault:team-a/x#token",), id="token"
        ),
    ],
)
def test_what_a_target_reads_is_seen(options: dict[str, Any], reads: tuple[str, ...]) -> None:
    """References to secrets, and the files with secrets that are options by themselves."""
    assert destination_of("one", kinds().targets[options["type"]].model_validate(options)).reads == reads
