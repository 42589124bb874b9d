"""One call: what is sent, what is never followed, what breaks and how it is told."""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from rotator.errors import PermanentError, UnavailableError
from rotator.transport import Call, Peer, Request, Transport

Start = Callable[..., Awaitable[str]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


async def test_request_arrives_as_it_is(answering: Start, transport: Transport, peer: Peer) -> None:
    """Method, path, query and headers go out to the letter; nothing is added that names us further."""
    seen: list[bytes] = []
    host = await answering(OK, seen)
    await transport.send(peer, Request("DELETE", f"http://{host}/a%2Fb/%7e?q=%20+c", {"X-Vault-Token": "t"}))
    line, *headers = seen[0].decode().rstrip().split("\r\n")

    assert line == "DELETE /a%2Fb/%7e?q=%20+c HTTP/1.1"
    assert sorted(headers) == [
        "Accept-Encoding: identity",
        "Accept: */*",
        "Content-Length: 0",
        f"Host: {host}",
        "User-Agent: rotator",
        "X-Vault-Token: t",
    ]


async def test_repeated_headers_are_all_there(answering: Start, transport: Transport, peer: Peer) -> None:
    """Two challenges are two values; a header that is absent has none."""
    host = await answering(
        b"HTTP/1.1 401 No\r\nWWW-Authenticate: a\r\nwww-authenticate: b\r\nContent-Length: 0\r\n\r\n"
    )
    response = await transport.send(peer, Request("GET", f"http://{host}/"))

    assert response.all("WWW-Authenticate") == ["a", "b"]
    assert response.all("X-None") == []
    assert response.headers["www-authenticate"] == "a"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_redirects_are_answers_and_carry_nothing_elsewhere(
    answering: Start, transport: Transport, peer: Peer, status: int, method: str
) -> None:
    """No redirect is followed, to the same host or another; no secret header reaches a second server."""
    stolen: list[bytes] = []
    seen: list[bytes] = []
    thief = await answering(OK, stolen)
    location = f"http://{thief}/"
    host = await answering(
        f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n".encode(), seen
    )
    secrets = {"Authorization": "Bearer canary", "X-Vault-Token": "canary", "Cookie": "canary=1"}
    response = await transport.send(peer, Request(method, f"http://{host}/", secrets))

    assert (response.status, response.headers["Location"]) == (status, location)
    assert (len(seen), stolen) == (1, [])


async def test_cookies_are_not_kept(answering: Start, transport: Transport, peer: Peer) -> None:
    """What a peer sets in one answer does not come back with the next call."""
    seen: list[bytes] = []
    host = await answering(b"HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n", seen)
    for _ in range(2):
        await transport.send(peer, Request("GET", f"http://{host}/"))

    assert b"Cookie" not in seen[1]


@contextmanager
def environment(home: Path, proxy: str, netrc: str) -> Iterator[None]:
    """Set every variable that HTTP clients tend to read, and put them back."""
    (home / ".netrc").write_text(netrc)
    names = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")
    values = dict.fromkeys(names, proxy) | {"HOME": str(home), "NETRC": str(home / ".netrc"), "NO_PROXY": "*"}
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


@pytest.mark.parametrize("no_proxy", ["", "*"])
async def test_environment_has_no_effect(
    answering: Start, transport: Transport, peer: Peer, tmp_path: Path, no_proxy: str
) -> None:
    """Neither proxy variables nor a netrc file change where a call goes or what it carries."""
    proxied: list[bytes] = []
    seen: list[bytes] = []
    proxy, host = await answering(OK, proxied), await answering(OK, seen)
    with environment(tmp_path, f"http://{proxy}", "default login netrc-user password netrc-canary\n"):
        os.environ["NO_PROXY"] = no_proxy
        await transport.send(peer, Request("GET", f"http://{host}/"))
        await transport.send(peer, Request("GET", f"http://{host}/", {"Authorization": "Bearer ours"}))

    assert proxied == []
    assert b"Authorization" not in seen[0]
    assert b"Authorization: Bearer ours\r\n" in seen[1]


async def test_configured_proxy_is_used_whatever_no_proxy_says(
    answering: Start, transport: Transport, tmp_path: Path
) -> None:
    """A proxy from the configuration gets the call, with its own password, even for hosts in NO_PROXY."""
    proxied: list[bytes] = []
    proxy = await answering(OK, proxied)
    peer = Peer("stub", insecure=True, proxy=f"http://user:word@{proxy}")
    with environment(tmp_path, "http://127.0.0.1:1", ""):
        await transport.send(peer, Request("GET", "http://registry.invalid/v2/"))

    assert proxied[0].startswith(b"GET http://registry.invalid/v2/ HTTP/1.1\r\n")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk\r\n" in proxied[0]


async def test_refusing_proxy_is_told_apart(answering: Start, transport: Transport) -> None:
    """A proxy that refuses the tunnel, or is not there, is named as the proxy; its password is not."""
    proxy = await answering(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")
    for address, words in ((proxy, r"its proxy refuses the connection \(HTTP 407\)"), ("127.0.0.1:1", "to its proxy")):
        peer = Peer("stub", proxy=f"http://user:canary-word@{address}")
        with pytest.raises(UnavailableError, match=words) as raised:
            await transport.send(peer, Request("GET", "https://registry.invalid/v2/"))

        assert raised.value.cause == "refused"
        assert "canary" not in f"{raised.value!r} {raised.value} {raised.value.__cause__!r} {peer!r}"


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "HTTP://127.0.0.1:1/", "ftp://127.0.0.1/", "//x/", ""])
async def test_plain_http_is_refused(transport: Transport, calls: list[Call], url: str) -> None:
    """A peer that is not insecure gets no plain HTTP; nothing is sent and nothing is counted."""
    with pytest.raises(PermanentError, match="is not https") as raised:
        await transport.send(Peer("vault"), Request("GET", url))

    assert "insecure: true" in raised.value.hint
    assert calls == []


@pytest.mark.parametrize(
    "url",
    [
        "https://", "https:///path", "https://[::1", "https://host:99999/", "https://host:port/", "https://a b/",
        f"https://{'a' * 70}.invalid/", "https://\x00/", "https://\u2100.invalid/",
    ],
)  # fmt: skip
async def test_unusable_urls_are_permanent(transport: Transport, url: str) -> None:
    """A URL that cannot be asked ends in a permanent error, or in a name that does not resolve; never in another."""
    with pytest.raises((PermanentError, UnavailableError)) as raised:
        await transport.send(Peer("stub"), Request("GET", url, deadline=5))

    assert getattr(raised.value, "cause", "dns") == "dns"


@pytest.mark.parametrize("value", ["canary\nX-Other: 1", "canary\r", "canary\x00"], ids=["newline", "return", "nul"])
async def test_header_that_would_be_two_is_refused_unquoted(
    answering: Start, transport: Transport, peer: Peer, calls: list[Call], value: str
) -> None:
    """A token with a line end is not sent, and the error does not quote it."""
    seen: list[bytes] = []
    host = await answering(OK, seen)
    with pytest.raises(PermanentError, match="the URL or a header cannot be sent") as raised:
        await transport.send(peer, Request("GET", f"http://{host}/", {"Authorization": value}))

    assert raised.value.__cause__ is None
    assert (seen, calls) == ([], [])


async def test_refused_connection(transport: Transport, calls: list[Call], peer: Peer) -> None:
    """A port where nobody listens is ``refused``, in the system's own words."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(UnavailableError) as raised:
            await transport.send(peer, Request("GET", f"http://127.0.0.1:{port}/secret/path?q=1"))

    assert str(raised.value) == f"stub: http://127.0.0.1:{port}: cannot connect (Connection refused)"
    assert [(call.code, call.operation) for call in calls] == [("refused", "request")]


async def test_name_that_does_not_resolve(transport: Transport, calls: list[Call]) -> None:
    """A name that does not resolve is ``dns``."""
    with pytest.raises(UnavailableError, match=r"^stub: https://registry\.invalid: the name does not resolve$"):
        await transport.send(Peer("stub"), Request("GET", "https://registry.invalid/v2/"))

    assert [call.code for call in calls] == ["dns"]


@pytest.mark.parametrize("sent", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"], ids=["head", "body"])
@pytest.mark.parametrize("linger", [struct.pack("ii", 1, 0), struct.pack("ii", 0, 0)], ids=["reset", "closed"])
async def test_connection_that_breaks(
    serve: Start, transport: Transport, calls: list[Call], peer: Peer, sent: bytes, linger: bytes
) -> None:
    """A connection that is reset or closed before the whole answer came is ``reset``."""

    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(sent)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)

    host = await serve(leave)
    with pytest.raises(UnavailableError) as raised:
        await transport.send(peer, Request("POST", f"http://{host}/"))

    assert raised.value.cause == "reset"
    assert [call.code for call in calls] == ["reset"]


async def counted(serve: Start, requests: list[bytes], *, answers: int) -> str:
    """Serve ``answers`` answers per connection; after the last one, take a request and close without a word."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in range(answers + 1):
            requests.append(await reader.readuntil(b"\r\n\r\n"))
            if number < answers:
                writer.write(OK)

    return await serve(handler)


async def test_half_open_pooled_connection_is_tried_anew_once(serve: Start, transport: Transport, peer: Peer) -> None:
    """An idempotent call over a connection that died in the pool is repeated once, on a new one."""
    requests: list[bytes] = []
    host = await counted(serve, requests, answers=1)
    for _ in range(2):
        assert (await transport.send(peer, Request("GET", f"http://{host}/"))).body == b"ok"

    assert len(requests) == 3


async def test_no_call_is_tried_more_than_twice(serve: Start, transport: Transport, peer: Peer) -> None:
    """A peer that always closes without an answer is asked twice, not for ever."""
    requests: list[bytes] = []
    host = await counted(serve, requests, answers=0)
    with pytest.raises(UnavailableError):
        await transport.send(peer, Request("GET", f"http://{host}/"))

    assert len(requests) == 2


async def test_call_that_may_not_be_repeated_is_not(serve: Start, transport: Transport, peer: Peer) -> None:
    """A POST whose connection broke was perhaps carried out; it is not sent again."""
    requests: list[bytes] = []
    host = await counted(serve, requests, answers=0)
    with pytest.raises(UnavailableError):
        await transport.send(peer, Request("POST", f"http://{host}/"))

    assert len(requests) == 1


async def test_unix_socket_is_reached(answering: Start, transport: Transport, tmp_path: Path) -> None:
    """A peer behind a UNIX socket is asked there, over plain HTTP."""
    path = await answering(OK, path=tmp_path / "s")
    peer = Peer("vault", unix_socket=path)

    assert (await transport.send(peer, Request("GET", "http://localhost/"))).body == b"ok"


async def test_missing_unix_socket_is_named(transport: Transport, tmp_path: Path) -> None:
    """A socket that is not there is named, with the system's reason."""
    peer = Peer("vault", unix_socket=str(tmp_path / "none"))
    with pytest.raises(UnavailableError, match=r"the socket .*/none: cannot connect \(No such file or directory\)"):
        await transport.send(peer, Request("GET", "http://localhost/"))


async def test_many_calls_at_once_share_few_connections(serve: Start, transport: Transport) -> None:
    """A hundred calls at once are all answered, over no more connections than the peer allows."""
    connections = 0

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while head := await reader.readuntil(b"\r\n\r\n"):
            path = head.split()[1]
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(path), path))

    host = await serve(handler)
    peer = Peer("stub", insecure=True, connections=4)
    responses = await asyncio.gather(
        *(transport.send(peer, Request("GET", f"http://{host}/{number}")) for number in range(100))
    )

    assert [response.body for response in responses] == [b"/%d" % number for number in range(100)]
    assert connections <= 4


async def test_callers_own_timeout_and_cancellation_pass(
    serve: Start, transport: Transport, peer: Peer, calls: list[Call]
) -> None:
    """Who gives up on a call gets its own TimeoutError; a cancelled call is not counted as a failure of the peer."""

    async def hang(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    host = await serve(hang)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await transport.send(peer, Request("GET", f"http://{host}/"))

    assert calls == []


async def test_observer_is_told_the_date_and_the_operation(
    answering: Start, transport: Transport, peer: Peer, calls: list[Call]
) -> None:
    """A finished call is told once, with the peer's date; its code is from a closed set."""
    date = "Mon, 23 Nov 2026 12:00:00 GMT"
    host = await answering(f"HTTP/1.1 503 No\r\nDate: {date}\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n".encode())
    response = await transport.send(peer, Request("PATCH", f"http://{host}/", operation="apply"))

    assert response.retry_after == timedelta(seconds=7)
    assert calls == [Call("stub", "apply", "5xx", 0.0, date)]


async def test_closed_transport_opens_nothing_more(answering: Start, transport: Transport, peer: Peer) -> None:
    """After close, calls fail as the daemon is stopping, and closing again does nothing."""
    host = await answering(OK)
    await transport.send(peer, Request("GET", f"http://{host}/"))
    await transport.close()
    await transport.close()
    with pytest.raises(UnavailableError, match="the client is closed"):
        await transport.send(peer, Request("GET", f"http://{host}/"))
