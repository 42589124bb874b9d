"""Which addresses are taken for TagoIO's."""

from __future__ import annotations

import pytest

from rotator.targets.tagoio.address import api_url, loose_url


@pytest.mark.parametrize(
    ("written", "used"),
    [
        pytest.param("https://api.us-e1.tago.io", "https://api.us-e1.tago.io", id="region"),
        pytest.param("https://API.eu-w1.tago.io/", "https://api.eu-w1.tago.io", id="case and slash"),
        pytest.param(
            "https://api.68951c0e023862b2aea00f3f.tagoio.net",
            "https://api.68951c0e023862b2aea00f3f.tagoio.net",
            id="project",
        ),
        pytest.param("https://iot.acme.example", "https://iot.acme.example", id="a domain of its own"),
    ],
)
def test_an_address_is_taken(written: str, used: str) -> None:
    """Regions, projects and customers' domains are addresses."""
    assert api_url(written) == used


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        pytest.param("http://api.tago.io", "https://", id="plain HTTP"),
        pytest.param("api.tago.io", "https://", id="no scheme"),
        pytest.param("", "https://", id="empty"),
        pytest.param("https://", "public host", id="no host"),
        pytest.param("https://user@api.tago.io", "names a user", id="user"),
        pytest.param("https://api.tago.io@evil.example", "names a user", id="user that looks like a host"),
        pytest.param("https://api.tago.io:8443", "port", id="port"),
        pytest.param("https://api.tago.io:99999", "port", id="impossible port"),
        pytest.param("https://10.0.0.1", "public host", id="IPv4"),
        pytest.param("https://[::1]", "public host", id="IPv6"),
        pytest.param("https://tagoio", "public host", id="one label"),
        pytest.param("https://api.localhost", "public host", id="localhost"),
        pytest.param("https://vault.internal", "public host", id="internal"),
        pytest.param("https://printer.corp", "public host", id="corp"),
        pytest.param("https://api..io", "host name", id="empty label"),
        pytest.param("https://api.tago.io/v1", "path", id="path"),
        pytest.param("https://api.tago.io?x=1", "path or a query", id="query"),
        pytest.param("https://api.tago.io#x", "path or a query", id="fragment"),
        pytest.param("https://api.tago.io\n.evil.example", "not a URL", id="line break"),
        pytest.param("https://[::", "not a URL", id="broken"),
        pytest.param("https://äpi.tago.io", "not a URL", id="not ASCII"),
    ],
)
def test_an_address_is_refused(written: str, reason: str) -> None:
    """What could lead the token elsewhere is refused, with the reason."""
    with pytest.raises(ValueError, match=reason):
        api_url(written)


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("ftp://127.0.0.1", id="scheme"),
        pytest.param("http://", id="no host"),
        pytest.param("http://127.0.0.1/x", id="path"),
        pytest.param("http://u:p@127.0.0.1", id="user"),
        pytest.param("http://127.0.0.1:0x", id="port"),
    ],
)
def test_a_test_server_is_a_server(written: str) -> None:
    """A test server may be anywhere, but must still be one."""
    with pytest.raises(ValueError, match=r"\w"):
        loose_url(written)


def test_a_test_server_may_be_here() -> None:
    """A test server may be on this machine, at any port, without TLS."""
    assert loose_url("http://127.0.0.1:8080/") == "http://127.0.0.1:8080"
