"""SR-15: the admin API over TCP: TLS or a proxy that ends it, and never without tokens."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from rotator.config.root import Config
from rotator.errors import ConfigError

MakeServed = Callable[[Config], AbstractAsyncContextManager[Any]]
TOKEN = "correct-horse-battery-staple-0123456789"


@pytest.fixture
def authority() -> trustme.CA:
    """Return an authority of our own."""
    return trustme.CA()


@pytest.fixture
def pair(authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
    """Return the options that name a certificate for 127.0.0.1 and its key."""
    issued = authority.issue_cert("127.0.0.1")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "tls.crt")
    issued.private_key_pem.write_to_path(tmp_path / "tls.key")
    (tmp_path / "tls.key").chmod(0o640)
    return {"tls_cert_file": str(tmp_path / "tls.crt"), "tls_key_file": str(tmp_path / "tls.key")}


def _with(config: Config, **options: Any) -> Config:
    admin = config.admin.model_copy(update={"behind_proxy": False, **options})
    return config.model_copy(update={"admin": admin})


async def test_it_talks_tls(
    make_served: MakeServed, config: Config, pair: dict[str, Any], authority: trustme.CA
) -> None:
    """SR-15: with a certificate the listener talks TLS, and still wants a token."""
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    connector = aiohttp.TCPConnector(ssl=trusting)
    async with make_served(_with(config, **pair)) as served, aiohttp.ClientSession(connector=connector) as session:
        url = f"{served.addresses['admin.listen']}/api/v1/status"
        assert url.startswith("https://127.0.0.1:")
        async with session.get(url) as refused:
            assert refused.status == 401
        async with session.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
            assert answer.status == 200


async def test_it_talks_nothing_older_than_1_2(
    make_served: MakeServed, config: Config, pair: dict[str, Any], authority: trustme.CA
) -> None:
    """SR-15: a client that knows no newer TLS than 1.1 is not talked to."""
    old = ssl.create_default_context()
    authority.configure_trust(old)
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="deprecated"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    connector = aiohttp.TCPConnector(ssl=old)
    async with make_served(_with(config, **pair)) as served, aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"{served.addresses['admin.listen']}/api/v1/status")


@pytest.mark.parametrize("tls", ["none", "half", "pair"])
@pytest.mark.parametrize("proxy", [False, True], ids=["no proxy", "proxy"])
@pytest.mark.parametrize("has_tokens", [False, True], ids=["no tokens", "tokens"])
async def test_what_starts(
    make_served: MakeServed,
    config: Config,
    pair: dict[str, Any],
    tls: str,
    proxy: bool,  # noqa: FBT001 (a row)
    has_tokens: bool,  # noqa: FBT001 (a row)
) -> None:
    """SR-15: TCP starts with tokens, and with TLS or a proxy, and in no other case; then no socket is left either."""
    wanted = {"none": {}, "half": {"tls_cert_file": pair["tls_cert_file"]}, "pair": pair}[tls]
    tokens = {} if has_tokens else {"tokens_file": None}
    asked = _with(config, **wanted, **tokens, behind_proxy=proxy)
    if has_tokens and (tls == "pair" or proxy):
        async with make_served(asked) as served:
            assert served.addresses["admin.listen"].startswith("https" if tls == "pair" else "http:")
        return
    with pytest.raises(ConfigError, match=r"admin\.listen: needs admin\."):
        async with make_served(asked):
            pass
    assert not Path(config.admin.socket).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        pytest.param(lambda pair: Path(pair["tls_key_file"]).chmod(0o644), "may be read by all", id="an open key"),
        pytest.param(lambda pair: Path(pair["tls_key_file"]).unlink(), "No such file", id="no key"),
        pytest.param(
            lambda pair: Path(pair["tls_cert_file"]).write_text("x"), "is no certificate", id="no certificate"
        ),
        pytest.param(
            lambda pair: trustme.CA().issue_cert("a.example").private_key_pem.write_to_path(pair["tls_key_file"]),
            "is no certificate of the key",
            id="another's key",
        ),
    ],
)
async def test_files_that_cannot_be_used_are_named(
    make_served: MakeServed, config: Config, pair: dict[str, Any], spoil: Callable[[Any], None], message: str
) -> None:
    """SR-15: a certificate or key that cannot be used keeps it from starting, and the file is named."""
    spoil(pair)
    with pytest.raises(ConfigError, match=message) as raised:
        async with make_served(_with(config, **pair)):
            pass
    assert "admin.tls_" in str(raised.value)
