"""A peer cannot make a call last longer, grow larger or nest deeper than we allow."""

from __future__ import annotations

import asyncio
import gzip
import tracemalloc
from collections.abc import Awaitable, Callable

import pytest

from rotator.errors import UnavailableError
from rotator.transport import MAX_BODY_BYTES, Call, Peer, Request, Response, Transport

Start = Callable[..., Awaitable[str]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_drip_is_cut_off_at_the_total_deadline(serve: Start, transport: Transport, peer: Peer) -> None:
    """A peer that sends a byte now and then cannot hold a call beyond its deadline."""

    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b".")
            await writer.drain()
            await asyncio.sleep(0.02)

    host = await serve(drip)
    with pytest.raises(UnavailableError, match=r"no complete answer in time \(0\.3 s\)") as raised:
        await transport.send(peer, Request("GET", f"http://{host}/", deadline=0.3))

    assert raised.value.cause == "timeout"


@pytest.mark.parametrize(
    "sent",
    [b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\nX-A: b\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"],
    ids=["nothing", "half a status line", "half a head", "half a body"],
)
async def test_silence_is_cut_off_at_the_total_deadline(
    serve: Start, transport: Transport, peer: Peer, sent: bytes
) -> None:
    """Wherever a peer falls silent, the deadline ends the call."""

    async def fall_silent(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(sent)
        await asyncio.Event().wait()

    host = await serve(fall_silent)
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, Request("GET", f"http://{host}/", deadline=0.1))

    assert raised.value.cause == "timeout"


async def test_peer_that_never_reads_is_cut_off(serve: Start, transport: Transport, peer: Peer) -> None:
    """An upload that nobody takes ends at the deadline too, even when the answer's head came early."""

    async def never_read(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # the stream's transport is a read transport
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc")
        await asyncio.Event().wait()

    host = await serve(never_read)
    body = b"x" * MAX_BODY_BYTES
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, Request("POST", f"http://{host}/", body=body, deadline=0.2))

    assert raised.value.cause == "timeout"


async def test_body_up_to_the_cap_is_read(answering: Start, transport: Transport, peer: Peer) -> None:
    """Exactly 1 MiB is an answer."""
    body = b"x" * MAX_BODY_BYTES
    host = await answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    response = await transport.send(peer, Request("GET", f"http://{host}/"))

    assert len(response.body) == MAX_BODY_BYTES


async def test_body_above_the_cap_is_refused(answering: Start, transport: Transport, peer: Peer) -> None:
    """One byte more than 1 MiB is none."""
    body = b"x" * (MAX_BODY_BYTES + 1)
    host = await answering(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body))
    with pytest.raises(UnavailableError, match="larger than 1048576 bytes") as raised:
        await transport.send(peer, Request("GET", f"http://{host}/"))

    assert raised.value.cause == "protocol"


async def test_endless_chunked_body_is_refused_in_little_memory(serve: Start, transport: Transport, peer: Peer) -> None:
    """An endless body is dropped at the cap; it never costs more than a few MiB."""

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
        while True:
            writer.write(chunk)
            await writer.drain()

    host = await serve(endless)
    tracemalloc.start()
    try:
        with pytest.raises(UnavailableError, match="larger than"):
            await transport.send(peer, Request("GET", f"http://{host}/"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 20 << 20


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "deflate", "br", "gzip, identity"])
async def test_compressed_body_is_refused_unopened(
    answering: Start, transport: Transport, peer: Peer, encoding: str
) -> None:
    """A body that is compressed although we asked for identity is never inflated: 200 MB stay 200 kB."""
    bomb = gzip.compress(bytes(50 << 20))
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(bomb)}\r\n\r\n".encode()
    seen: list[bytes] = []
    host = await answering(head + bomb, seen)
    tracemalloc.start()
    try:
        with pytest.raises(UnavailableError, match="compressed although asked not to be"):
            await transport.send(peer, Request("GET", f"http://{host}/"))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert b"Accept-Encoding: identity\r\n" in seen[0]
    assert peak < 20 << 20


async def test_encoding_of_no_body_is_harmless(answering: Start, transport: Transport, peer: Peer) -> None:
    """The answer to a HEAD may name the encoding that a body would have."""
    host = await answering(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 999\r\n\r\n")
    response = await transport.send(peer, Request("HEAD", f"http://{host}/"))

    assert (response.status, response.body) == (200, b"")


@pytest.mark.parametrize(
    "head",
    [
        b"".join(b"X-%d: a\r\n" % number for number in range(101)),
        b"".join(b"X-%d: a\r\n" % number for number in range(5000)),
        b"X-Large: " + b"a" * 200_000 + b"\r\n",
        b"X" * 200_000 + b": a\r\n",
        b"no colon\r\n",
        b"Content-Length: -1\r\n",
        b"Content-Length: 2\r\nContent-Length: 3\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 2\r\n",
    ],
    ids=[
        "101 headers",
        "5000 headers",
        "200 kB value",
        "200 kB name",
        "no colon",
        "length -1",
        "two lengths",
        "smuggled",
    ],
)
async def test_unreasonable_head_is_refused(answering: Start, transport: Transport, peer: Peer, head: bytes) -> None:
    """A head that is too large or not HTTP is no answer."""
    host = await answering(b"HTTP/1.1 200 OK\r\n" + head + b"\r\nok")
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, Request("POST", f"http://{host}/", deadline=5))

    assert raised.value.cause == "protocol"


@pytest.mark.parametrize("status", [b"101", b"600", b"999"])
async def test_status_that_http_does_not_know_is_refused(
    answering: Start, transport: Transport, peer: Peer, calls: list[Call], status: bytes
) -> None:
    """A status outside 200 to 599 is no answer, and no new metric label."""
    host = await answering(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(UnavailableError):
        await transport.send(peer, Request("GET", f"http://{host}/", deadline=5))

    assert [call.code for call in calls] == ["protocol"]


async def test_answer_that_is_not_http_is_refused(answering: Start, transport: Transport, peer: Peer) -> None:
    """Something that speaks another protocol is told as such."""
    host = await answering(b"220 smtp.example ESMTP\r\n\r\n")
    with pytest.raises(UnavailableError, match="not usable HTTP") as raised:
        await transport.send(peer, Request("GET", f"http://{host}/"))

    assert raised.value.cause == "protocol"


async def test_hundred_headers_are_read(answering: Start, transport: Transport, peer: Peer) -> None:
    """As many headers as allowed are an answer."""
    head = b"".join(b"X-%d: a\r\n" % number for number in range(99))
    host = await answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n" + head + b"\r\nok")

    assert (await transport.send(peer, Request("GET", f"http://{host}/"))).body == b"ok"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b"[" * 65 + b"]" * 65,
        b"<html>",
        b"",
        b"\xff\xfe",
        b"1" * 10_000,
    ],
    ids=["100k lists", "100k objects", "65 lists", "html", "nothing", "not utf-8", "huge number"],
)
def test_json_that_is_too_deep_or_none_is_refused(body: bytes) -> None:
    """Whatever a peer calls JSON ends in a value or in our own error."""
    with pytest.raises(UnavailableError) as raised:
        Response(200, {}, body).json()

    assert raised.value.cause == "protocol"
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


@pytest.mark.parametrize(
    ("body", "value"), [(b"null", None), (b'{"a": [1]}', {"a": [1]}), (b"[" * 64 + b"]" * 64, ...)]
)
def test_json_is_returned(body: bytes, value: object) -> None:
    """JSON up to 64 levels is returned."""
    found = Response(200, {}, body).json()

    assert value is ... or found == value
