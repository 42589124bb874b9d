"""A registry that means harm costs a client its deadline and little memory, and gets to see no login but its own.

Each row is what such a registry sends in one place: at ``/v2/``, as the token server on its own host, or for a
manifest; in the other places it behaves. A second server stands for everybody else: it must never be spoken to at all.
"""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import tracemalloc
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

import pytest

from rotator.check.choice import FromDocument
from rotator.check.probe import Checker, Options
from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.domain.verdict import Verdict
from rotator.errors import RotatorError
from rotator.ports import Clock
from rotator.registry.answer import Answer
from rotator.registry.classify import classify
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.registry.diagnose import Ailment
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, Transport

DEADLINE = 0.2
"""Seconds for each request to a registry of the corpus."""
GUARD = 60
"""Seconds after which a probe that should have given up long ago counts as hanging."""
MEMORY, SMALL = 20 << 20, 16 << 10
SECRET = "canary-5e1f00d7-of-the-hostile-corpus"

PING, TOKEN, MANIFEST = "ping", "token", "manifest"
PLACES = (PING, TOKEN, MANIFEST)
Script = Callable[[asyncio.StreamWriter, str], Awaitable[None]]


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    """Return a complete answer."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}", "Connection: close"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def ok(body: bytes, *headers: str) -> bytes:
    """Return a JSON answer with status 200."""
    return answer("200 OK", "Content-Type: application/json", *headers, body=body)


def challenge(value: str) -> bytes:
    """Return a 401 that asks for a login."""
    return answer("401 Unauthorized", f"WWW-Authenticate: {value}")


BENIGN = {
    PING: challenge('Bearer realm="http://127.0.0.1:{a}/token",service="s"'),
    TOKEN: ok(b'{"token":"minted"}'),
    MANIFEST: ok(
        b'{"schemaVersion":2,"layers":[]}', "Docker-Content-Digest: sha256:" + "0" * 64,
    ),
}  # fmt: skip


def endless(first: bytes, then: bytes, pause: float = 0) -> Script:
    """Return a script that sends ``first`` and then ``then`` for ever."""

    async def send(writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(first)
        while True:
            writer.write(then)
            await writer.drain()
            await asyncio.sleep(pause)

    return send


def silent_after(first: bytes) -> Script:
    """Return a script that sends ``first`` and nothing more."""

    async def send(writer: asyncio.StreamWriter, _: str) -> None:
        writer.write(first)
        await asyncio.Event().wait()

    return send


async def echo(writer: asyncio.StreamWriter, authorization: str) -> None:
    """Send back what was shown, as it is and decoded, wherever a client might quote it."""
    plain = base64.b64decode(authorization.partition(" ")[2] + "===").decode("latin-1") if authorization else "-"
    said = f"{authorization} {plain}".replace("\r", "").replace("\n", "")
    body = json.dumps({"errors": [{"code": "DENIED", "message": said}], "details": said}).encode()
    writer.write(answer(f"403 {said}", f"X-Said: {said}", f'WWW-Authenticate: Bearer realm="{said}"', body=body))


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNK = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
BOMB = gzip.compress(bytes(40 << 20))
DEEP = b"[" * 100_000 + b"]" * 100_000
DEEP_ERRORS = b'{"errors":' * 100_000
HTML = b"<html><form action=/login><input name=password></form></html>"

# What is tried in each of the three places.
EVERYWHERE: dict[str, bytes | Script] = {
    "silence": silent_after(b""),
    "half-a-head": silent_after(b"HTTP/1.1 200 OK\r\nX-A: "),
    "half-a-body": silent_after(HEAD + b"Content-Length: 100\r\n\r\n{"),
    "drip-head": endless(b"HTTP/1.1 200 OK\r\nX-A: ", b"a", 0.01),
    "drip-body": endless(HEAD + b"Content-Length: 100000\r\n\r\n", b" ", 0.01),
    "drip-chunks": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", 0.01),
    "closes": b"",
    "endless-chunked": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", CHUNK),
    "one-gigabyte": endless(HEAD + b"Content-Length: 1073741824\r\n\r\n", b" " * 0x10000),
    "no-length": endless(HEAD + b"\r\n", b" " * 0x10000),
    "endless-head": endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 500),
    "endless-status-line": endless(b"HTTP/1.1 200 ", b"O" * 0x10000),
    "endless-continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 50),
    "gzip-bomb": answer("200 OK", "Content-Encoding: gzip", body=BOMB),
    "deflate-bomb": answer("200 OK", "Content-Encoding: deflate", body=BOMB[10:]),
    "transfer-gzip": HEAD + b"Transfer-Encoding: gzip, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "header-of-200-kB": ok(b"{}", f"X-A: {'b' * 200_000}"),
    "thousand-headers": ok(b"{}", *[f"X-{number}: b" for number in range(1000)]),
    "deep-json": ok(DEEP),
    "deep-errors": answer("403 Forbidden", "Content-Type: application/json", body=DEEP_ERRORS),
    "html-200": answer("200 OK", "Content-Type: text/html", body=HTML),
    "redirect-loop": answer("307 Temporary Redirect", "Location: http://127.0.0.1:{a}/v2/"),
    "redirect-elsewhere": answer("302 Found", "Location: http://127.0.0.1:{b}/token"),
    "refresh-elsewhere": answer("401 Unauthorized", "Refresh: 0; url=http://127.0.0.1:{b}/"),
    "retry-after-huge": answer("429 Too Many Requests", f"Retry-After: {'9' * 5000}"),
    "retry-after-negative": answer("503 Service Unavailable", "Retry-After: -1"),
    "retry-after-year-9999": answer("429 Too Many Requests", "Retry-After: Fri, 31 Dec 9999 23:59:59 GMT"),
    "status-999": answer("999 Nobody Knows"),
    "status-000": answer("000 Zero"),
    "switching-protocols": answer("101 Switching Protocols", "Upgrade: h2c", "Connection: upgrade"),
    "http-0.9": b"<html>hello</html>",
    "ssh": b"SSH-2.0-OpenSSH_9.6\r\n",
    "tls": b"\x15\x03\x01\x00\x02\x02\x46",
    "two-lengths": HEAD + b"Content-Length: 2\r\nContent-Length: 200\r\n\r\n{}",
    "negative-length": HEAD + b"Content-Length: -1\r\n\r\n{}",
    "length-and-chunks": HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "huge-chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
    "chunk-of-nonsense": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    "endless-chunk-extension": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a=b;" * 1000),
    "endless-trailers": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-A: b\r\n" * 500),
    "nul-in-header": HEAD + b"X-A: a\x00b\r\nContent-Length: 2\r\n\r\n{}",
    "nul-in-name": HEAD + b"X\x00A: b\r\nContent-Length: 2\r\n\r\n{}",
    "folded-header": HEAD + b"X-A: a\r\n b\r\nContent-Length: 2\r\n\r\n{}",
    "bare-cr": HEAD + b"X-A: a\rX-B: c\r\nContent-Length: 2\r\n\r\n{}",
    "nuls": ok(b"\x00" * 1000),
    "not-utf-8": ok(b'{"token":"\xff\xfe\xfd"}'),
    "utf-16": ok('{"token":"a"}'.encode("utf-16")),
    "cookies": ok(b"{}", *[f"Set-Cookie: a{n}=b; Domain=127.0.0.1; Path=/" for n in range(90)]),
    "echo": echo,
}  # fmt: skip
TOKENS: dict[str, bytes] = {
    "empty": b'{"token":""}',
    "none": b"{}",
    "null": b'{"token":null}',
    "number": b'{"token":7}',
    "list": b'{"token":["a"]}',
    "scalar": b"7",
    "nan": b'{"token":NaN}',
    "header-injection": b'{"token":"a\\r\\nX-Injected: b"}',
    "request-smuggling": b'{"token":"a\\r\\n\\r\\nGET /token HTTP/1.1\\r\\nHost: 127.0.0.1:{b}\\r\\n\\r\\n"}',
    "nul": b'{"token":"a\\u0000b"}',
    "line-separator": b'{"token":"a\\u2028b"}',
    "not-ascii": b'{"token":"\\u00e9"}',
    "surrogate": b'{"token":"\\ud800"}',
    "half-a-megabyte": b'{"token":"' + b"a" * (1 << 19) + b'"}',
    "given-twice": b'{"token":"a","token":"b\\r\\nc"}',
    "digits-without-end": b'{"token":"a","expires_in":' + b"9" * 100_000 + b"}",
    "ninety-thousand-keys": b"{" + b",".join(b'"%d":0' % n for n in range(90_000)) + b"}",
    "lists-without-end": b"[" + b"[]," * 340_000 + b"0]",
    "lives-for-ever": b'{"token":"a","expires_in":1e999,"issued_at":"9999-99-99"}',
}  # fmt: skip
OTHER = "http://127.0.0.1:{b}/token"
CHALLENGES: dict[str, str] = {
    "other-port": f'Bearer realm="{OTHER}"',
    "userinfo": 'Bearer realm="http://127.0.0.1:{a}@127.0.0.1:{b}/token"',
    "userinfo-own": 'Bearer realm="http://user:pw@127.0.0.1:{a}/token"',
    "decimal-address": 'Bearer realm="http://2130706433:{b}/token"',
    "hex-address": 'Bearer realm="http://0x7f.1:{b}/token"',
    "ipv6-mapped": 'Bearer realm="http://[::ffff:127.0.0.1]:{b}/token"',
    "zone": 'Bearer realm="http://[::1%25lo]:{b}/token"',
    "idna": 'Bearer realm="http://127\xb70\xb70\xb71:{b}/token"',
    "punycode": 'Bearer realm="http://xn--127-:{b}/token"',
    "trailing-dot": 'Bearer realm="http://localhost.:{b}/token"',
    "no-port": 'Bearer realm="http://127.0.0.1/token"',
    "port-zero": 'Bearer realm="http://127.0.0.1:0/token"',
    "port-too-large": 'Bearer realm="http://127.0.0.1:{a}0000/token"',
    "borrowed-host": 'Bearer realm="http://allowed.example:{b}/token"',
    "borrowed-without-port": 'Bearer realm="http://allowed.example/token"',
    "borrowed-suffix": 'Bearer realm="http://allowed.example.127.0.0.1:{b}/token"',
    "borrowed-prefix": 'Bearer realm="http://not-allowed.example:5000/token"',
    "backslash": 'Bearer realm="http://127.0.0.1:{b}\\\\@127.0.0.1:{a}/token"',
    "second-realm": f'Bearer realm="http://127.0.0.1:{{a}}x/", realm="{OTHER}"',
    "second-challenge": f'Bearer realm="{OTHER}", Bearer realm="http://127.0.0.1:{{a}}/token"',
    "basic-elsewhere": 'Basic realm="http://127.0.0.1:{b}/"',
    "no-realm": "Bearer",
    "empty-realm": 'Bearer realm=""',
    "open-quote": 'Bearer realm="http://127.0.0.1:{b}/token',
    "file": 'Bearer realm="file:///etc/passwd"',
    "gopher": 'Bearer realm="gopher://127.0.0.1:{b}/_GET"',
    "digest": 'Digest realm="{b}", nonce="0"',
    "negotiate": "Negotiate " + "A" * 4000,
    "thousand": ", ".join(["Bearer"] * 1000),
    "quotes": 'Bearer realm="' + '\\"' * 3500 + '"',
    "wider-scope": 'Bearer realm="http://127.0.0.1:{a}/token",service="s&scope=repository:admin/all:*",scope="registry:catalog:*"',
    "query-and-fragment": 'Bearer realm="http://127.0.0.1:{a}/token?scope=repository:admin/all:*#@127.0.0.1:{b}"',
    "traversal": 'Bearer realm="http://127.0.0.1:{a}/../../token?a=%0d%0aX-Injected:%20b"',
}  # fmt: skip
MANIFESTS: dict[str, bytes] = {
    "digest-is-a-script": ok(b"{}", "Docker-Content-Digest: <script>\x1b[31m"),
    "type-is-long": answer("200 OK", f"Content-Type: {'a' * 7000}", body=b"{}"),
    "layers-without-end": ok(b'{"layers":[' + b",".join([b'{"size":9e999}'] * 50_000) + b"]}"),
    "sizes-overflow": ok(b'{"layers":[{"size":%s}]}' % (b"9" * 4000)),
    "manifests-deep": ok(b'{"manifests":[' * 30_000),
    "platform-is-no-object": ok(b'{"manifests":[{"digest":"sha256:0","platform":7}]}'),
    "child-points-elsewhere": ok(b'{"manifests":[{"digest":"../../../token?a=http://127.0.0.1:{b}/","platform":{}}]}'),
    "expired-in-words": answer("200 OK", body=b"authorization token has expired"),
    "lists-without-end": ok(b'{"layers":[' + b"[]," * 340_000 + b"0]}"),
    "limit-of-nonsense": ok(b"{}", "ratelimit-limit: 9e9;w=-1", "ratelimit-remaining: \xb2;w=a"),
    "source-of-nonsense": ok(b"{}", "ratelimit-remaining: 1", "docker-ratelimit-source: ::1%lo"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Hostile:
    """One server of the corpus: what it sends in one place, and whether a HEAD gets the same without the body."""

    place: str
    send: bytes | Script
    knows_heads: bool = False


CORPUS: dict[str, Hostile] = {
    **{f"{place}-{name}": Hostile(place, send) for place in PLACES for name, send in EVERYWHERE.items()},
    **{f"token-is-{name}": Hostile(TOKEN, ok(body)) for name, body in TOKENS.items()},
    **{f"challenge-{name}": Hostile(PING, challenge(value)) for name, value in CHALLENGES.items()},
    **{f"manifest-{name}": Hostile(MANIFEST, send, knows_heads=True) for name, send in MANIFESTS.items()},
}


class Hasty(Transport):
    """A transport that gives nobody more than the corpus' deadline."""

    deadline: float = DEADLINE

    async def send(self, peer: Peer, request: Request) -> Response:
        """Send with a short deadline."""
        return await super().send(peer, replace(request, deadline=min(request.deadline, self.deadline)))


@dataclass(frozen=True, slots=True)
class World:
    """The registry that means harm, everybody else, and a transport."""

    registry: Any
    others: Any
    transport: Hasty

    @property
    def host(self) -> str:
        """The registry's host."""
        return f"127.0.0.1:{self.registry.ports['a']}"

    def misbehave(self, hostile: Hostile) -> None:
        """Let the registry be one of the corpus."""
        self.registry.answers[hostile.place] = hostile.send
        self.registry.knows_heads = {*PLACES} if hostile.knows_heads else {*PLACES} - {hostile.place}


@pytest.fixture
async def world(clock: Clock, raw_pair: tuple[Any, Any]) -> AsyncIterator[World]:
    """Return both servers, well-behaved, and a hasty transport."""
    registry, others = raw_pair
    registry.answers, others.answers = dict(BENIGN), dict(BENIGN)
    transport = Hasty(clock=clock)
    yield World(registry, others, transport)
    await transport.close()


LOGIN = Login("robot", Secret(SECRET))
SETTINGS = RegistrySettings(insecure=True, realm_hosts=("allowed.example:5000",))


async def ask(world: World) -> list[Answer | RotatorError]:
    """Do all that is ever done with a login; return what was answered, or the errors that were raised."""
    client = RegistryClient(world.transport, host=world.host, settings=SETTINGS)
    image = parse(f"{world.host}/team/app:1.0")
    conversation = client.open(LOGIN)
    calls = (client.auth_probe(LOGIN), conversation.head_manifest(image), conversation.get_manifest(image))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [one for one in outcomes if not isinstance(one, Answer | RotatorError)] == []
    return [one for one in outcomes if isinstance(one, Answer | RotatorError)]


async def check(world: World, clock: Clock) -> tuple[Ailment, str]:
    """Return what ``rotator check`` finds, and all that it says."""
    document = {"auths": {world.host: {"auth": base64.b64encode(f"robot:{SECRET}".encode()).decode()}}}
    image = f"{world.host}/team/app:1.0"
    checker = Checker(world.transport, clock, FromDocument(document), Options(lambda _: SETTINGS))
    report = await checker.check(image, parse(image))
    return report.diagnosis.ailment, json.dumps(report.as_json())


def leaks(text: str) -> bool:
    """Return whether a text holds the password, as it is or as it is sent."""
    return SECRET in text or base64.b64encode(f"robot:{SECRET}".encode()).decode() in text


@pytest.mark.parametrize("name", CORPUS)
async def test_hostile_registry_costs_little_and_learns_nothing(world: World, clock: Clock, name: str) -> None:
    """Client and check end in an answer or an error, in little memory; the login goes nowhere else, and unquoted."""
    world.misbehave(CORPUS[name])
    with measured(CORPUS[name]):
        async with asyncio.timeout(GUARD):
            outcomes, (ailment, said) = await asyncio.gather(ask(world), check(world, clock))

    assert world.others.heads == []
    assert not any("x-injected" in headers for _, headers in world.registry.heads)
    assert not leaks(said + " ".join(f"{one} {one!r}" for one in outcomes))
    assert not blamed(outcomes, ailment) or name in REFUSING, outcomes


@contextmanager
def measured(hostile: Hostile) -> Iterator[None]:
    """Assert that the block takes little memory; a small answer, which grows thirtyfold at most, is not measured."""
    if isinstance(hostile.send, bytes) and len(hostile.send) < SMALL:
        yield
        return
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


REFUSING = {"token-refresh-elsewhere", "challenge-basic-elsewhere"}
"""Who refuses the login as a registry may: with a 401 of its own token server, or to Basic."""


def blamed(outcomes: list[Answer | RotatorError], ailment: Ailment) -> set[str]:
    """Return every verdict that blames the login."""
    verdicts = {classify(one)[0] for one in outcomes if isinstance(one, Answer)}
    return {*verdicts & {Verdict.REJECTED}, *{ailment} & {Ailment.AUTH_FAILED, Ailment.AUTH_EXPIRED}}


async def test_benign_registry_is_understood(world: World, clock: Clock) -> None:
    """The control: where nothing is amiss the login is shown, taken, and the image pulls."""
    world.transport.deadline = GUARD
    outcomes = await ask(world)
    assert [classify(one)[0] for one in outcomes if isinstance(one, Answer)] == [Verdict.ACCEPTED] * 3, outcomes
    assert (await check(world, clock))[0] is Ailment.OK
    assert any(leaks(headers.get("authorization", "")) for _, headers in world.registry.heads)


async def test_others_would_be_seen(world: World) -> None:
    """The control: a request to the second server is recorded."""
    settings = RegistrySettings(insecure=True)
    client = RegistryClient(world.transport, host=f"127.0.0.1:{world.others.ports['b']}", settings=settings)
    with suppress(RotatorError):
        await client.auth_probe(LOGIN)
    assert world.others.heads != []


def test_corpus_is_large(record_property: Callable[[str, object], None]) -> None:
    """At least sixty different servers are tried, in each of the three places."""
    counts = Counter(row.place for row in CORPUS.values())
    record_property("corpus", dict(counts))
    print(f"hostile answers: {len(CORPUS)} servers, {dict(counts)}")
    assert len(CORPUS) >= 60
    assert min(counts.values()) >= 20
