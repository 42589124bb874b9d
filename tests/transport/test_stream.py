"""An endless answer, line by line."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Awaitable, Callable

import pytest

from rotator.errors import UnavailableError
from rotator.transport import MAX_BODY_BYTES, Call, Peer, Transport

Start = Callable[..., Awaitable[str]]
HEAD = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """Return one chunk of a chunked body."""
    return b"%x\r\n%s\r\n" % (len(data), data)


class Script:
    """A server that sends parts one by one, each after it was told to."""

    def __init__(self) -> None:
        self.parts: asyncio.Queue[bytes] = asyncio.Queue()
        self.left = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Play the parts until the client leaves; an empty part closes."""
        await reader.readuntil(b"\r\n\r\n")
        gone = asyncio.ensure_future(reader.read())
        gone.add_done_callback(lambda _: self.left.set())
        while part := await self.parts.get():
            writer.write(part)
            await writer.drain()

    def play(self, *parts: bytes) -> None:
        """Send ``parts`` at once."""
        for part in parts:
            self.parts.put_nowait(part)


@pytest.fixture
def script() -> Script:
    """Return what the server plays."""
    return Script()


@pytest.fixture
async def url(serve: Start, script: Script) -> str:
    """Return the address of the server that plays the script."""
    return f"http://{await serve(script)}/"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([b"one\ntwo\n"], [b"one", b"two"]),
        ([b"o", b"n", b"e\ntw", b"o\n\nthree\n"], [b"one", b"two", b"", b"three"]),
        ([b"one\n", b"rest"], [b"one", b"rest"]),
        ([b"\xc3", b"\xa9\r\n"], [b"\xc3\xa9\r"]),
        ([], []),
    ],
    ids=["whole", "split", "no last end", "inside a character", "nothing"],
)
async def test_lines_are_whole_however_they_arrive(
    transport: Transport, peer: Peer, script: Script, url: str, parts: list[bytes], expected: list[bytes]
) -> None:
    """Lines come without their ends, whatever the chunks, and the iterator ends when the peer does."""
    script.play(HEAD, *(chunk(part) for part in parts), END)
    async with transport.stream(peer, url) as (response, lines):
        found = [line async for line in lines]

    assert (response.status, found) == (200, expected)


async def test_line_is_handed_over_at_once(transport: Transport, peer: Peer, script: Script, url: str) -> None:
    """A line does not wait for the next one."""
    script.play(HEAD)
    async with transport.stream(peer, url) as (_, lines), asyncio.timeout(5):
        for number in range(3):
            script.play(chunk(b"%d\n" % number))

            assert await anext(lines) == b"%d" % number


@pytest.mark.parametrize("drip", [b"", chunk(b".")], ids=["silence", "bytes that never make a line"])
async def test_waiting_too_long_for_a_line_fails(
    transport: Transport, peer: Peer, script: Script, url: str, drip: bytes
) -> None:
    """A stream without a line for too long is dead, though single bytes keep coming."""

    async def keep_dripping() -> None:
        while drip:
            script.play(drip)
            await asyncio.sleep(0.02)

    script.play(HEAD, chunk(b"one\n"))
    dripping = asyncio.create_task(keep_dripping())
    async with transport.stream(peer, url, idle=0.2) as (_, lines):
        assert await anext(lines) == b"one"
        with pytest.raises(UnavailableError, match=r"no complete answer in time \(0\.2 s\)") as raised:
            await anext(lines)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)

    assert raised.value.cause == "timeout"


async def test_slow_caller_is_not_idle(transport: Transport, peer: Peer, script: Script, url: str) -> None:
    """The time that the caller spends on a line does not count as silence of the peer."""
    script.play(HEAD, chunk(b"one\n"), chunk(b"two\n"))
    async with transport.stream(peer, url, idle=0.05) as (_, lines):
        assert await anext(lines) == b"one"
        await asyncio.sleep(0.15)

        assert await anext(lines) == b"two"


@pytest.mark.parametrize("error", [TimeoutError("own"), OSError("own"), ValueError("own"), KeyError("own")], ids=repr)
async def test_callers_own_error_passes_unchanged(
    transport: Transport, peer: Peer, script: Script, url: str, error: Exception
) -> None:
    """What the caller's block raises is not taken for the connection's."""
    script.play(HEAD, chunk(b"one\n"))

    async def fail() -> None:
        async with transport.stream(peer, url) as (_, lines):
            await anext(lines)
            raise error

    with pytest.raises(type(error)) as raised:
        await fail()

    assert raised.value is error
    await asyncio.wait_for(script.left.wait(), 5)


async def test_callers_own_timeout_passes_unchanged(transport: Transport, peer: Peer, script: Script, url: str) -> None:
    """A deadline of the caller ends the wait for a line as a TimeoutError, and the connection is closed."""
    script.play(HEAD)

    async def read() -> None:
        async with asyncio.timeout(None) as deadline, transport.stream(peer, url) as (_, lines):
            deadline.reschedule(asyncio.get_running_loop().time())  # over now that we are connected
            await anext(lines)

    with pytest.raises(TimeoutError):
        await read()

    await asyncio.wait_for(script.left.wait(), 5)


async def test_cancelling_closes_the_connection(transport: Transport, peer: Peer, script: Script, url: str) -> None:
    """A cancelled reader leaves no connection behind."""
    script.play(HEAD, chunk(b"one\n"))
    reading = asyncio.Event()

    async def read() -> None:
        async with transport.stream(peer, url) as (_, lines):
            async for _line in lines:
                reading.set()

    task = asyncio.create_task(read())
    await asyncio.wait_for(reading.wait(), 5)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    await asyncio.wait_for(script.left.wait(), 5)


async def test_leaving_early_closes_the_connection(transport: Transport, peer: Peer, script: Script, url: str) -> None:
    """A block that is left before the end leaves no connection behind."""
    script.play(HEAD, chunk(b"one\ntwo\n"))
    async with transport.stream(peer, url) as (_, lines):
        await anext(lines)

    await asyncio.wait_for(script.left.wait(), 5)


@pytest.mark.parametrize("piece", [1 << 10, 1 << 16], ids=["small chunks", "large chunks"])
async def test_line_over_the_cap_fails(transport: Transport, peer: Peer, script: Script, url: str, piece: int) -> None:
    """A line that never ends is dropped at 1 MiB."""
    script.play(HEAD, *[chunk(b"x" * piece)] * (MAX_BODY_BYTES // piece + 1))
    async with transport.stream(peer, url) as (_, lines), asyncio.timeout(20):
        with pytest.raises(UnavailableError, match="a line is longer than 1048576 bytes") as raised:
            await anext(lines)

    assert raised.value.cause == "protocol"


@pytest.mark.parametrize(
    ("parts", "cause"),
    [([chunk(b"one\nha"), b""], "reset"), ([b"5\r\nabc", b""], "reset"), ([b"zz\r\n"], "protocol")],
    ids=["between chunks", "inside a chunk", "no chunk"],
)
async def test_break_in_the_middle_is_an_error(
    transport: Transport, peer: Peer, script: Script, url: str, parts: list[bytes], cause: str
) -> None:
    """A stream that breaks does not look like one that ended."""
    script.play(HEAD, *parts)

    async def read() -> list[bytes]:
        async with transport.stream(peer, url) as (_, lines):
            return [line async for line in lines]

    with pytest.raises(UnavailableError) as raised:
        await asyncio.wait_for(read(), 5)

    assert raised.value.cause == cause


async def test_other_status_has_a_body_and_no_lines(
    transport: Transport, peer: Peer, script: Script, url: str, calls: list[Call]
) -> None:
    """A refusal is handed over as a whole answer; its code is counted."""
    script.play(b"HTTP/1.1 410 Gone\r\nRetry-After: 3\r\nContent-Length: 4\r\n\r\ngone")
    async with transport.stream(peer, url, operation="watch") as (response, lines):
        found = [line async for line in lines]

    assert (response.status, response.body, found) == (410, b"gone", [])
    assert response.retry_after is not None
    assert [(call.operation, call.code) for call in calls] == [("watch", "4xx")]


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n"
        + chunk(gzip.compress(b"a\n")),
        b"HTTP/1.1 200 OK\r\n" + b"".join(b"X-%d: a\r\n" % number for number in range(101)) + b"\r\n",
        b"not HTTP\r\n\r\n",
    ],
    ids=["compressed", "101 headers", "not HTTP"],
)
async def test_unusable_head_fails(
    transport: Transport, peer: Peer, script: Script, url: str, answer: bytes, calls: list[Call]
) -> None:
    """The head of a stream keeps the limits of any answer; the block is not entered and the connection closed."""
    script.play(answer)
    with pytest.raises(UnavailableError) as raised:
        async with transport.stream(peer, url):
            pytest.fail("the block was entered")

    assert raised.value.cause == "protocol"
    assert [call.code for call in calls] == ["protocol"]
    await asyncio.wait_for(script.left.wait(), 5)


async def test_stream_that_cannot_be_opened(transport: Transport, peer: Peer) -> None:
    """A peer that is not there is told as in any call."""
    with pytest.raises(UnavailableError) as raised:
        async with transport.stream(peer, "http://registry.invalid/"):
            pytest.fail("the block was entered")

    assert raised.value.cause == "dns"


async def test_streams_and_calls_run_side_by_side(transport: Transport, peer: Peer, serve: Start) -> None:
    """Several streams of one peer are read at once."""
    scripts = [Script() for _ in range(3)]
    urls = [f"http://{await serve(script)}/" for script in scripts]
    for number, script in enumerate(scripts):
        script.play(HEAD, chunk(b"%d\n" % number), END)

    async def read(url: str) -> list[bytes]:
        async with transport.stream(peer, url) as (_, lines):
            return [line async for line in lines]

    assert await asyncio.gather(*map(read, urls)) == [[b"0"], [b"1"], [b"2"]]
