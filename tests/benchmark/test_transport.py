"""What our client costs above the HTTP library it is made of."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import aiohttp
import pytest

from rotator.clock import SystemClock
from rotator.transport import Peer, Request, Transport

REQUESTS = 3000
AT_ONCE = 16
ROUNDS = 5
BODY = b'{"kind": "Secret", "data": "' + b"x" * 1400 + b'"}'
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (len(BODY), BODY)


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer every PATCH of a known size with 1.4 kB, as cheaply as Python can."""
    try:
        while head := await reader.readuntil(b"\r\n\r\n"):
            assert head.startswith(b"PATCH")
            await reader.readexactly(len(BODY))
            writer.write(ANSWER)
    except asyncio.IncompleteReadError:
        writer.close()


async def rate(call: Callable[[], Awaitable[object]]) -> float:
    """Return calls per second of processor time, which other processes on the machine do not disturb."""

    async def repeat() -> None:
        for _ in range(REQUESTS // AT_ONCE):
            await call()

    started = time.process_time()
    await asyncio.gather(*(repeat() for _ in range(AT_ONCE)))
    return REQUESTS / (time.process_time() - started)


@pytest.mark.benchmark
async def test_send_against_the_bare_library(report: Callable[[str], None]) -> None:
    """A call with deadline, caps and error mapping costs at most a sixth more than one without."""
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v1/namespaces/a/secrets/b"
    transport = Transport(clock=SystemClock())
    peer, headers = Peer("stub", insecure=True), {"Authorization": "Bearer x", "Content-Type": "application/json"}
    async with aiohttp.ClientSession() as session:

        async def bare() -> None:
            async with session.patch(url, headers=headers, data=BODY) as found:
                await found.read()

        async def ours() -> None:
            await transport.send(peer, Request("PATCH", url, headers, BODY))

        rates = [(await rate(bare), await rate(ours)) for _ in range(ROUNDS)]
    await transport.close()
    server.close()
    ratio = sorted(own / reference for reference, own in rates)[ROUNDS // 2]
    own, reference = max(own for _, own in rates), max(reference for reference, _ in rates)
    report(f"transport: {own:,.0f} calls/s, bare aiohttp {reference:,.0f}/s, ratio {ratio:.2f} (server included)")

    assert ratio > 0.85
