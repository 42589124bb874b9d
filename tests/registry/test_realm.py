"""Only known pairs of registry and token server are let pass."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.registry.realm import Realm, Refusal, pin_realm, realm_allowed


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("docker.io", "https://auth.docker.io/token"),
        ("registry-1.docker.io", "https://auth.docker.io/token"),
        ("ghcr.io", "https://ghcr.io/token"),
        ("quay.io", "https://quay.io/v2/auth"),
        ("acme.azurecr.io", "https://acme.azurecr.io/oauth2/token"),
        ("europe-docker.pkg.dev", "https://europe-docker.pkg.dev/v2/token"),
        ("registry.gitlab.com", "https://gitlab.com/jwt/auth"),
        ("public.ecr.aws", "https://public.ecr.aws/token/"),
        ("harbor.example.com:8443", "https://harbor.example.com:8443/service/token"),
    ],
)
def test_real_registries_pass(host: str, realm: str) -> None:
    """The token servers that real registries name are asked at exactly the URL they name."""
    pinned = pin_realm(host, realm, insecure=False)
    assert isinstance(pinned, Realm)
    assert pinned.url == realm


@pytest.mark.parametrize(
    ("host", "realm", "url"),
    [
        ("ghcr.io", "HTTPS://GHCR.IO/token", "https://ghcr.io/token"),
        ("GHCR.io", "https://ghcr.io./token", "https://ghcr.io/token"),
        ("ghcr.io", "https://ghcr.io:443/token", "https://ghcr.io/token"),
        ("ghcr.io:443", "https://ghcr.io", "https://ghcr.io/"),
        ("ghcr.io", "https://ghcr.io/token#fragment", "https://ghcr.io/token"),
        ("xn--bcher-kva.example", "https://b\u00fccher.example/t", "https://xn--bcher-kva.example/t"),
        ("ghcr.io", "https://\uff47hcr.io/token", "https://ghcr.io/token"),
        ("10.0.0.1:5000", "https://10.0.0.1:5000/t", "https://10.0.0.1:5000/t"),
        ("[::1]:5000", "https://[0:0::1]:5000/t", "https://[::1]:5000/t"),
    ],
)
def test_same_host_in_another_spelling_passes(host: str, realm: str, url: str) -> None:
    """Case, a trailing dot, the default port and IDNA make no difference, and the normal form is what is asked."""
    pinned = pin_realm(host, realm, insecure=False)
    assert isinstance(pinned, Realm)
    assert pinned.url == url


@pytest.mark.parametrize(
    ("host", "realm"),
    [
        ("ghcr.io", "https://evil.example/token"),
        ("ghcr.io", "https://token.ghcr.io/"),
        ("ghcr.io", "https://ghcr.io.evil.example/"),
        ("ghcr.io", "https://evil-ghcr.io/"),
        ("ghcr.io", "https://ghcr.io:8443/token"),
        ("ghcr.io:8443", "https://ghcr.io/token"),
        ("ghcr.io", "http://ghcr.io/token"),
        ("ghcr.io", "ftp://ghcr.io/token"),
        ("ghcr.io", "//ghcr.io/token"),
        ("ghcr.io", "https:ghcr.io/token"),
        ("ghcr.io", "https:/ghcr.io/token"),
        ("ghcr.io", "https:///ghcr.io/token"),
        ("ghcr.io", "ghcr.io/token"),
        ("ghcr.io", "/token"),
        ("ghcr.io", ""),
        ("ghcr.io", "https://"),
        ("ghcr.io", "https://user@ghcr.io/token"),
        ("ghcr.io", "https://ghcr.io@evil.example/token"),
        ("ghcr.io", "https://ghcr.io:pw@evil.example/token"),
        ("ghcr.io", "https://@ghcr.io/token"),
        ("ghcr.io", "https://ghcr.io\\@evil.example/token"),
        ("ghcr.io", "https://ghcr.io\\.evil.example/token"),
        ("ghcr.io", "https://ghcr.io\t.evil.example/token"),
        ("ghcr.io", "https://ghcr.io\n/token"),
        ("ghcr.io", " https://ghcr.io/token"),
        ("ghcr.io", "https://ghcr.io /token"),
        ("ghcr.io", "https://ghcr.io\x00/token"),
        ("ghcr.io", "https://ghcr%2eio/token"),
        ("ghcr.io", "https://ghcr.io%2f.evil.example/"),
        ("ghcr.io", "https://ghcr.io:0/token"),
        ("ghcr.io", "https://ghcr.io:99999/token"),
        ("ghcr.io", "https://ghcr.io:abc/token"),
        ("ghcr.io", "https://ghcr..io/token"),
        ("ghcr.io", "https://ghcr.io/t\u00f6ken"),
        ("ghcr.io", "https://127.0.0.1/token"),
        ("ghcr.io", "https://0x7f.1/token"),
        ("ghcr.io", "https://2130706433/token"),
        ("ghcr.io", "https://017700000001/token"),
        ("ghcr.io", "https://169.254.169.254/token"),
        ("ghcr.io", "https://[::1]/token"),
        ("ghcr.io", "https://[::ffff:127.0.0.1]/token"),
        ("ghcr.io", "https://[::1/token"),
        ("ghcr.io", "https://localhost/token"),
        ("ghcr.io", "https://api.localhost/token"),
        ("10.0.0.1:5000", "https://10.0.0.1:5001/token"),
        ("localhost:5000", "https://localhost:5001/token"),
        ("docker.io", "https://auth.docker.io.evil.example/token"),
        ("docker.io", "http://auth.docker.io/token"),
        ("docker.io", "https://auth.docker.io:8443/token"),
        ("registry.gitlab.example", "https://gitlab.com/jwt/auth"),
        ("ghcr.io", "https://ghcr.io/" + "a" * 3000),
        ("ghcr.io", "https://" + "a" * 300 + ".io/"),
    ],
)
def test_everything_else_is_refused(host: str, realm: str) -> None:
    """Another host, port or scheme, a user name, an address, or a URL that can be read two ways is refused."""
    assert isinstance(realm_allowed(host, realm, insecure=False), Refusal)


def test_refusal_says_which_line_to_add() -> None:
    """For another host the refusal holds the exact line of configuration that would allow it, and the line works."""
    refusal = realm_allowed("registry.example.com", "https://Auth.Example.com:8443/t", insecure=False)
    assert refusal is not None
    assert 'registries: {"registry.example.com": {realm_hosts: ["auth.example.com:8443"]}}' in refusal.hint
    allowed = ["auth.example.com:8443"]
    assert realm_allowed("registry.example.com", "https://Auth.Example.com:8443/t", allowed, insecure=False) is None


@pytest.mark.parametrize(
    "realm",
    [
        "http://auth.example.com/t",
        "https://auth.example.com:444/t",
        "https://x.auth.example.com/t",
        "https://10.0.0.2/t",
    ],
)
def test_configured_host_is_exact(realm: str) -> None:
    """A configured token server does not stretch to http, another port, a subdomain, or another address."""
    allowed = ["auth.example.com", "10.0.0.1"]
    assert realm_allowed("registry.example.com", realm, allowed, insecure=False) is not None
    assert realm_allowed("registry.example.com", realm, allowed, insecure=True) is not None


@pytest.mark.parametrize(
    ("realm", "passes"),
    [
        ("http://registry.local:5000/token", True),
        ("https://registry.local:5000/token", True),
        ("http://registry.local:5001/token", False),
        ("http://registry.local/token", False),
        ("http://evil.local:5000/token", False),
    ],
)
def test_plain_http_only_to_the_same_insecure_host(realm: str, passes: bool) -> None:  # noqa: FBT001
    """A registry configured as plain HTTP may name itself over http, and nobody else."""
    assert (realm_allowed("registry.local:5000", realm, insecure=True) is None) is passes


@settings(deadline=None, max_examples=100)
@given(st.text(max_size=60) | st.text(alphabet="htps:/@.\\[]%0x1 gcrio?#", max_size=40).map("https://".__add__))
def test_whatever_passes_leads_to_the_registry(realm: str) -> None:
    """No text raises, and whatever passes is asked at the registry's own host over https."""
    outcome = pin_realm("ghcr.io", realm, insecure=False)
    if isinstance(outcome, Realm):
        assert (outcome.scheme, outcome.host) == ("https", "ghcr.io")


def test_configured_address_is_allowed() -> None:
    """An address that the configuration names for this registry may be asked, a private network's usual layout."""
    assert realm_allowed("10.0.0.1:5000", "https://10.0.0.1:5001/t", ["10.0.0.1:5001"], insecure=False) is None


def test_plain_http_needs_the_port_in_the_configuration() -> None:
    """A plain-HTTP registry may use a plain-HTTP token server only where the configuration names its port."""
    realm = "http://127.0.0.1:5001/t"
    assert realm_allowed("127.0.0.1:5000", realm, ["127.0.0.1:5001"], insecure=True) is None
    assert realm_allowed("127.0.0.1:5000", realm, ["127.0.0.1:5001"], insecure=False) is not None
    assert realm_allowed("127.0.0.1:5000", realm, ["127.0.0.1"], insecure=True) is not None
