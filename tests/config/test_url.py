"""Addresses in providers' options."""

from __future__ import annotations

import pytest

from rotator.config.url import base_url, proxy_url


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("https://api.example.com", "https://api.example.com", id="plain"),
        pytest.param("https://ghe.example.com/api/v3/", "https://ghe.example.com/api/v3", id="path"),
        pytest.param("http://127.0.0.1:4566", "http://127.0.0.1:4566", id="port"),
        pytest.param("https://[::1]:8443", "https://[::1]:8443", id="ipv6"),
    ],
)
def test_an_address_loses_only_its_last_slash(value: str, expected: str) -> None:
    """Scheme, host, port and path are kept."""
    assert base_url(value) == expected


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("", id="empty"),
        pytest.param("api.example.com", id="no-scheme"),
        pytest.param("ftp://api.example.com", id="other-scheme"),
        pytest.param("https://user:pw@api.example.com", id="user"),
        pytest.param("https://api.example.com?x=1", id="query"),
        pytest.param("https://api.example.com#x", id="fragment"),
        pytest.param("https://api.example.com\n", id="newline"),
        pytest.param("https://api_example.com", id="underscore"),
    ],
)
def test_what_is_not_a_plain_address_is_refused(value: str) -> None:
    """Neither users nor queries nor anything that no client could reach is an address."""
    with pytest.raises(ValueError, match="write scheme, host"):
        base_url(value)


def test_a_proxy_with_a_password_is_refused() -> None:
    """The configuration holds no secrets, not even inside a proxy's address."""
    with pytest.raises(ValueError, match="cannot be written here") as caught:
        proxy_url("http://user:hunter2@proxy:3128")
    assert "hunter2" not in str(caught.value)
    assert proxy_url("http://proxy:3128/") == "http://proxy:3128"
