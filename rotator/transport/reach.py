"""Which addresses a peer may be reached at, whatever its name resolves to.

A URL that somebody else may have chosen must not lead into our own network: to a service on loopback, a router, a
cloud's metadata. The address is checked at the moment a socket is made for it, so what is checked is what is connected
to: neither another spelling of the address (``0x7f.1``) nor a name that resolves differently the next time gets past.

Sources: the IANA special-purpose address registries (RFC 6890 and its updates); RFC 6052 (NAT64), RFC 3056 (6to4); for
Azure https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16 (reference documentation).
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

Network = IPv4Network | IPv6Network

_CLOSED: tuple[Network, ...] = (
    IPv4Network("168.63.129.16/32"),  # Azure: the host's agent and metadata, under a public address
    IPv4Network("192.0.0.0/24"),  # protocol assignments; a metadata address of Oracle's cloud is in it
    IPv4Network("192.88.99.0/24"),  # relays of 6to4
    IPv6Network("fec0::/10"),  # site-local, of old
)
"""What `ipaddress` takes for public, at least in some versions of Python, and is not."""
_NAT64 = IPv6Network("64:ff9b::/96")


class UnreachableAddressError(OSError):
    """A socket to an address that must not be connected to. Says nothing else, so that several are one."""

    def __init__(self) -> None:
        super().__init__("an address that must not be connected to")


@dataclass(frozen=True, slots=True)
class Reach:
    """Public addresses, and those that were allowed in words.

    Args:
        allowed: Networks that may be reached although they are not public.
    """

    allowed: tuple[Network, ...] = ()

    def permits(self, address: str) -> bool:
        """Return whether ``address``, as a socket has it, may be connected to. What is no address may not."""
        try:
            found = ip_address(address)
        except ValueError:
            return False
        unwrapped = _unwrapped(found)
        if any(one in network for network in self.allowed for one in {found, unwrapped}):
            return True
        return unwrapped.is_global and not unwrapped.is_multicast and not any(unwrapped in net for net in _CLOSED)


def guarded_sockets(reach: Reach) -> Callable[[tuple[Any, ...]], socket.socket]:
    """Return what makes the socket for an address that a name was resolved to, as `socket.getaddrinfo` describes it.

    The socket is refused with UnreachableAddressError where ``reach`` does not permit the address.
    """

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, where = info
        if not reach.permits(where[0]):
            raise UnreachableAddressError
        return socket.socket(family, kind, protocol)

    return make


def _unwrapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address inside one of IPv6: traffic to it ends up there."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address.ipv4_mapped or address.sixtofour or address
