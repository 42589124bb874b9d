"""A peer whose address somebody else may have chosen cannot lead into our own network."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from ipaddress import ip_network

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from rotator.errors import PermissionDeniedError, RotatorError
from rotator.sandbox.clock import ManualClock
from rotator.transport import Call, Peer, Reach, Request, Transport

Start = Callable[..., Awaitable[str]]
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
PUBLIC = Reach()
LOOPBACK = Reach((ip_network("127.0.0.1/32"),))


class Names(AbstractResolver):
    """A resolver that answers from a script, one list of addresses after the other, the last one for ever."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_INET,  # noqa: ARG002 (aiohttp's signature)
    ) -> list[ResolveResult]:
        """Return the next answer."""
        self.asked += 1
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        return [_result(host, address, port) for address in addresses]

    async def close(self) -> None:
        """Do nothing."""


def _result(host: str, address: str, port: int) -> ResolveResult:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)


@pytest.fixture
async def resolving(clock: ManualClock, calls: list[Call]) -> AsyncIterator[Callable[[Names], Transport]]:
    """Return a function that makes a transport with a resolver of its own; it is closed afterwards."""
    made: list[Transport] = []

    def make(names: Names) -> Transport:
        made.append(Transport(clock=clock, observe=calls.append, resolver=names))
        return made[-1]

    yield make
    for one in made:
        await one.close()


CLOSED = {
    "loopback": "127.0.0.1",
    "the rest of loopback": "127.255.255.254",
    "this host": "0.0.0.0",
    "this network": "0.1.2.3",
    "private A": "10.0.0.1",
    "private B": "172.16.0.1",
    "private C": "192.168.1.1",
    "shared (and Alibaba's metadata)": "100.100.100.200",
    "link-local metadata": "169.254.169.254",
    "Azure's agent": "168.63.129.16",
    "Oracle's metadata": "192.0.0.192",
    "documentation": "203.0.113.7",
    "multicast": "224.0.0.1",
    "broadcast": "255.255.255.255",
    "reserved": "240.0.0.1",
    "6to4 relays": "192.88.99.1",
    "IPv6 loopback": "::1",
    "IPv6 unspecified": "::",
    "IPv6 link-local": "fe80::1",
    "IPv6 link-local with a zone": "fe80::1%eth0",
    "IPv6 unique local (and AWS's metadata)": "fd00:ec2::254",
    "IPv6 site-local": "fec0::1",
    "IPv6 multicast": "ff02::1",
    "mapped loopback": "::ffff:127.0.0.1",
    "mapped in hexadecimal": "::ffff:a9fe:a9fe",
    "NAT64 of loopback": "64:ff9b::7f00:1",
    "NAT64 of metadata": "64:ff9b::169.254.169.254",
    "6to4 of private": "2002:c0a8:101::1",
    "no address": "localhost",
    "nothing": "",
}
OPEN = {
    "IPv4": "93.184.215.14",
    "IPv6": "2606:4700:4700::1111",
    "mapped": "::ffff:93.184.215.14",
    "NAT64": "64:ff9b::93.184.215.14",
}


@pytest.mark.parametrize("address", CLOSED.values(), ids=CLOSED.keys())
def test_what_is_not_public_is_closed(address: str) -> None:
    """No address of our own, of a neighbour, of a cloud's metadata, nor one that leads there, is permitted."""
    assert not PUBLIC.permits(address)


@pytest.mark.parametrize("address", OPEN.values(), ids=OPEN.keys())
def test_what_is_public_is_open(address: str) -> None:
    """A public address is permitted, and one that leads to a public address."""
    assert PUBLIC.permits(address)


@pytest.mark.parametrize(
    ("network", "address", "is_open"),
    [
        pytest.param("10.1.0.0/16", "10.1.2.3", True, id="inside"),
        pytest.param("10.1.0.0/16", "10.2.0.1", False, id="outside"),
        pytest.param("10.1.0.0/16", "::ffff:10.1.2.3", True, id="inside, mapped"),
        pytest.param("fd00::/8", "fd12::1", True, id="IPv6"),
        pytest.param("169.254.169.254/32", "169.254.169.254", True, id="metadata, in words"),
    ],
)
def test_what_was_allowed_in_words_is_open(network: str, address: str, *, is_open: bool) -> None:
    """An allowed network is permitted, in either spelling of its addresses, and no other."""
    assert Reach((ip_network(network),)).permits(address) is is_open


SPELLINGS = {
    "as it is": "127.0.0.1",
    "short": "127.1",
    "decimal": "2130706433",
    "hexadecimal": "0x7f000001",
    "octal": "0177.0.0.1",
    "mapped": "[::ffff:127.0.0.1]",
    "zero": "0",
    "a name": "localhost",
    "a name with a full stop": "localhost.",
}


@pytest.mark.parametrize("host", SPELLINGS.values(), ids=SPELLINGS.keys())
async def test_no_spelling_gets_past(answering: Start, transport: Transport, host: str) -> None:
    """However loopback is written, nothing is sent there: the spelling or the address is refused."""
    seen: list[bytes] = []
    port = (await answering(OK, seen)).partition(":")[2]
    peer = Peer("hook", insecure=True, reach=PUBLIC)

    with pytest.raises(RotatorError) as caught:
        await transport.send(peer, Request("POST", f"http://{host}:{port}/path?q=canary", body=b"canary"))

    assert seen == []
    assert "canary" not in repr(caught.value)


async def test_loopback_itself_is_refused_by_the_check(
    answering: Start, transport: Transport, calls: list[Call]
) -> None:
    """The plain spelling is refused by the check and by nothing else: allowed in words, it is answered."""
    host = await answering(OK)
    request = Request("GET", f"http://{host}/")

    with pytest.raises(PermissionDeniedError, match=r"hook: http://127.* is at an address that must not be connected"):
        await transport.send(Peer("hook", insecure=True, reach=PUBLIC), request)
    assert calls == []
    assert (await transport.send(Peer("hook", insecure=True, reach=LOOPBACK), request)).status == 200


async def test_what_was_checked_is_what_is_connected_to(
    answering: Start, resolving: Callable[[Names], Transport]
) -> None:
    """A name is resolved once per call: one that is allowed at first and leads elsewhere then has no second look."""
    port = (await answering(OK)).partition(":")[2]
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    transport = resolving(names)

    answer = await transport.send(
        Peer("hook", insecure=True, reach=LOOPBACK), Request("GET", f"http://hook.example:{port}/")
    )

    assert (answer.status, names.asked) == (200, 1)


async def test_a_name_that_turns_inwards_is_refused(
    answering: Start, resolving: Callable[[Names], Transport], clock: ManualClock
) -> None:
    """A name that was public and now leads to loopback is refused on the next connection."""
    port = (await answering(OK)).partition(":")[2]
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    transport = resolving(names)
    request = Request("GET", f"http://hook.example:{port}/")
    await transport.send(Peer("hook", insecure=True, reach=LOOPBACK), request)
    clock.advance(timedelta(hours=1))

    with pytest.raises(PermissionDeniedError):
        await transport.send(Peer("other", insecure=True, reach=LOOPBACK), request)

    assert names.asked == 2


async def test_several_addresses_all_closed(resolving: Callable[[Names], Transport]) -> None:
    """A name with several addresses of our own is refused like one with a single one."""
    transport = resolving(Names(["127.0.0.1", "::1", "10.0.0.1"]))
    with pytest.raises(PermissionDeniedError):
        await transport.send(Peer("hook", insecure=True, reach=PUBLIC), Request("GET", "http://hook.example:9/"))


async def test_of_several_addresses_only_permitted_ones_are_used(
    answering: Start, resolving: Callable[[Names], Transport]
) -> None:
    """Of a name's addresses those that are not permitted are passed over."""
    port = (await answering(OK)).partition(":")[2]
    transport = resolving(Names(["127.0.0.3", "127.0.0.1"]))
    answer = await transport.send(
        Peer("hook", insecure=True, reach=LOOPBACK), Request("GET", f"http://hook.example:{port}/")
    )
    assert answer.status == 200
