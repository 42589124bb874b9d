"""Every way in which a TLS peer can be the wrong one fails closed, and says why."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import DEVNULL, PIPE, Popen
from typing import Any

import pytest
import trustme

from rotator.errors import ConfigError, UnavailableError
from rotator.transport import Call, Peer, Request, Transport

Start = Callable[..., Awaitable[str]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
NOW = datetime.now(UTC)
"""OpenSSL compares certificates with the machine's clock, not with ours."""

DAY = timedelta(days=1)


def context_of(certificate: trustme.LeafCert) -> ssl.SSLContext:
    """Return a server's context that shows ``certificate``."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a server that is what it should be."""
    return context_of(authority.issue_cert("127.0.0.1"))


async def refusal(transport: Transport, host: str, peer: Peer) -> UnavailableError:
    """Return the error of a call that must not succeed."""
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, Request("GET", f"https://{host}/", {"Authorization": "canary"}, deadline=5))
    return raised.value


async def test_own_authority_works(
    answering: Start, transport: Transport, context: ssl.SSLContext, ca_file: str
) -> None:
    """A peer whose certificate is of the configured authority is trusted."""
    host = await answering(OK, context=context)

    assert (await transport.send(Peer("stub", ca_file=ca_file), Request("GET", f"https://{host}/"))).body == b"ok"


async def test_unknown_authority_is_refused_before_anything_is_sent(
    answering: Start, transport: Transport, context: ssl.SSLContext, calls: list[Call]
) -> None:
    """A certificate of an authority that nobody configured ends the call; the server never sees the request."""
    seen: list[bytes] = []
    host = await answering(OK, seen, context=context)
    error = await refusal(transport, host, Peer("stub"))

    assert (error.cause, seen) == ("tls", [])
    assert str(error) == (
        f"stub: https://{host}: its certificate is not trusted (unable to get local issuer certificate)"
    )
    assert [call.code for call in calls] == ["tls"]


@pytest.mark.parametrize(
    ("leaf", "reason"),
    [
        ({"identity": "other.example"}, "IP address mismatch"),
        ({"not_before": NOW - 3 * DAY, "not_after": NOW - DAY}, "certificate has expired"),
        ({"not_before": NOW + DAY, "not_after": NOW + 3 * DAY}, "certificate is not yet valid"),
    ],
    ids=["wrong host", "expired", "not yet valid"],
)
async def test_wrong_certificate_is_refused(
    answering: Start, transport: Transport, authority: trustme.CA, leaf: dict[str, Any], reason: str
) -> None:
    """A certificate for another host, or of another time, ends the call with the reason."""
    certificate = authority.issue_cert(leaf.pop("identity", "127.0.0.1"), **leaf)
    host = await answering(OK, context=context_of(certificate))
    with authority.cert_pem.tempfile() as ca_file:
        error = await refusal(transport, host, Peer("stub", ca_file=ca_file))

    assert error.cause == "tls"
    assert f"its certificate is not trusted ({reason}" in str(error)


@pytest.fixture
def openssl_server(
    program: Callable[[str], str], authority: trustme.CA, ca_file: str, tmp_path: Path
) -> Iterator[Callable[..., str]]:
    """Return a function that starts OpenSSL's own server, which sends alerts as real servers do."""
    pem = tmp_path / "server.pem"
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(pem))
    command = [program("openssl"), "s_server", "-accept", "127.0.0.1:0", "-cert", str(pem), "-CAfile", ca_file, "-www"]
    with ExitStack() as running:

        def start(*options: str) -> str:
            server = running.enter_context(Popen([*command, *options], stdout=PIPE, stderr=DEVNULL, stdin=PIPE))
            running.callback(server.kill)
            assert server.stdout is not None
            return next(line for line in server.stdout if line.startswith(b"ACCEPT")).decode().split()[1]

        yield start


@pytest.mark.parametrize("options", [["-tls1"], ["-tls1_1"]], ids=["1.0", "1.1"])
async def test_older_tls_is_refused(
    openssl_server: Callable[..., str], transport: Transport, ca_file: str, options: list[str]
) -> None:
    """A server that speaks TLS 1.1 at most is not spoken to; neither when certificates are not verified."""
    host = openssl_server(*options, "-cipher", "ALL:@SECLEVEL=0")
    for peer in (Peer("stub", ca_file=ca_file), Peer("stub", insecure=True)):
        error = await refusal(transport, host, peer)

        assert error.cause == "tls"
        assert "no TLS connection could be agreed on (tlsv1 alert protocol version)" in str(error)


async def test_reset_in_the_handshake_is_a_reset(serve: Start, transport: Transport) -> None:
    """A server that hangs up in the handshake was reached; it is not told as one that refuses connections."""

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.transport.abort()

    assert (await refusal(transport, await serve(hang_up), Peer("stub"))).cause == "reset"


async def test_plain_http_behind_https_is_refused(serve: Start, transport: Transport) -> None:
    """A server that answers TLS with plain HTTP is told as such."""

    async def plain(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        await reader.read()

    error = await refusal(transport, await serve(plain), Peer("stub"))

    assert error.cause == "tls"
    assert "wrong version number" in str(error)


async def test_insecure_peer_is_not_verified(answering: Start, transport: Transport, context: ssl.SSLContext) -> None:
    """A peer that says so in words is spoken to over TLS without verification."""
    host = await answering(OK, context=context)

    assert (await transport.send(Peer("stub", insecure=True), Request("GET", f"https://{host}/"))).status == 200


@pytest.fixture
def identity(authority: trustme.CA, tmp_path: Path) -> tuple[str, str]:
    """Return the paths of a client certificate and its key."""
    leaf = authority.issue_cert("rotator.example")
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    leaf.cert_chain_pems[0].write_to_path(str(certificate))
    leaf.private_key_pem.write_to_path(str(key))
    return str(certificate), str(key)


async def test_client_certificate_works(
    openssl_server: Callable[..., str], transport: Transport, ca_file: str, identity: tuple[str, str]
) -> None:
    """A peer that wants a certificate of us is shown the configured one."""
    host = openssl_server("-Verify", "1", "-verify_return_error")
    peer = Peer("stub", ca_file=ca_file, client_cert=identity)

    assert (await transport.send(peer, Request("GET", f"https://{host}/"))).status == 200


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_missing_client_certificate_is_a_tls_failure(
    openssl_server: Callable[..., str], transport: Transport, ca_file: str, version: str, method: str
) -> None:
    """A server that refuses us for want of a certificate is ``tls``, also when TLS 1.3 says so after the handshake."""
    host = openssl_server("-Verify", "1", "-verify_return_error", version)
    with pytest.raises(UnavailableError, match="no TLS connection could be agreed on") as raised:
        await transport.send(Peer("stub", ca_file=ca_file), Request(method, f"https://{host}/"))

    assert raised.value.cause == "tls"


def missing(path: Path) -> str:
    """Return a path where nothing is."""
    return str(path / "none.pem")


def garbage(path: Path) -> str:
    """Return a file that is not PEM."""
    (path / "garbage.pem").write_bytes(b"\x00not a certificate")
    return str(path / "garbage.pem")


@pytest.mark.parametrize("make", [missing, garbage, str], ids=["missing", "garbage", "directory"])
async def test_unusable_files_are_configuration_mistakes(
    transport: Transport, calls: list[Call], ca_file: str, tmp_path: Path, make: Callable[[Path], str]
) -> None:
    """A certificate file that cannot be used is named; nothing is sent and nothing is counted."""
    path = make(tmp_path)
    for peer in (Peer("stub", ca_file=path), Peer("stub", ca_file=ca_file, client_cert=(path, path))):
        with pytest.raises(ConfigError) as raised:
            await transport.send(peer, Request("GET", "https://127.0.0.1:1/"))

        assert path in str(raised.value)
    assert calls == []


async def test_encrypted_key_is_refused_without_asking(transport: Transport, tmp_path: Path, ca_file: str) -> None:
    """A client key with a pass phrase is a mistake; nobody is asked for it on a terminal."""
    key = tmp_path / "encrypted.key"
    key.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQww\n-----END-----\n"
    )
    with pytest.raises(ConfigError, match="not PEM, or not a pair"):
        await transport.send(Peer("stub", client_cert=(ca_file, str(key))), Request("GET", "https://127.0.0.1:1/"))


async def test_replaced_authority_is_taken_up(
    answering: Start, transport: Transport, context: ssl.SSLContext, ca_file: str, tmp_path: Path
) -> None:
    """A certificate file that was replaced counts from the next call on, without a restart; a broken one never does."""
    path = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(path))
    peer = Peer("stub", ca_file=str(path))
    host = await answering(OK, context=context)
    await refusal(transport, host, peer)
    for content in (Path(ca_file).read_bytes(), b"half a fi"):
        (tmp_path / "new").write_bytes(content)
        os.replace(tmp_path / "new", path)  # noqa: PTH105 (the call that people use)

        assert (await transport.send(peer, Request("GET", f"https://{host}/"))).body == b"ok"
