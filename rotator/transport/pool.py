"""Pools of connections: one per peer, opened anew when its certificate files are replaced, closed when long unused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import AbstractResolver

from rotator.errors import ConfigError, PermanentError, UnavailableError
from rotator.transport.failure import origin_of
from rotator.transport.peer import Peer, Signature, signature_of, tls_context
from rotator.transport.reach import guarded_sockets

UNUSED_SECONDS = 3600.0
"""A pool unused for so long belongs to a peer that is not meant any more: renewed certificates make new peers."""

_DNS_SECONDS = 30


@dataclass(slots=True, eq=False)
class Pool:
    """The connections to one peer.

    Args:
        session: The client that holds them.
        signature: Of the certificate files it was opened with.
        used_at: Monotonic seconds of the last use.
        calls: Calls under way.
        is_replaced: Whether it takes no new calls and is closed after the last.
    """

    session: aiohttp.ClientSession
    signature: Signature
    used_at: float = 0.0
    calls: int = 0
    is_replaced: bool = False


class Pools:
    """Hands out the pool of a peer.

    Args:
        monotonic: Tells the seconds.
        resolver: How names become addresses; None for the system's way.
    """

    def __init__(self, monotonic: Callable[[], float], resolver: AbstractResolver | None = None) -> None:
        self._monotonic = monotonic
        self._resolver = resolver
        self._pools: dict[Peer, Pool] = {}
        self._is_closed = False

    async def take(self, peer: Peer, url: str) -> Pool:
        """Return the pool for ``peer``; it stays open until it is given back, which every taker must do.

        Raises:
            PermanentError: ``url`` is plain HTTP and the peer is not ``insecure``. ConfigError: A certificate file is
                unusable and there is no open pool to go on with. UnavailableError: `close` was called.
        """
        if not peer.insecure and peer.unix_socket is None and url[:8].lower() != "https://":
            raise PermanentError(
                f"{peer.name}: {origin_of(url)} is not https",
                hint="Use https, or write `insecure: true` for this peer if plain HTTP is really meant",
            )
        if self._is_closed:
            raise UnavailableError(f"{peer.name}: the client is closed; the daemon is stopping", cause="reset")
        pool = self._pools.get(peer)
        signature = signature_of(peer) if peer.ca_file or peer.client_cert else ()
        if pool is None or pool.signature != signature:
            pool = await self._replace(peer, pool, signature)
        pool.calls += 1
        return pool

    async def give_back(self, pool: Pool) -> None:
        """Take back what `take` returned."""
        pool.calls -= 1
        pool.used_at = self._monotonic()
        if pool.is_replaced and not pool.calls:
            await pool.session.close()

    async def close(self) -> None:
        """Close every connection, for good. Safe to repeat."""
        self._is_closed = True
        pools, self._pools = list(self._pools.values()), {}
        for pool in pools:
            await pool.session.close()

    async def _replace(self, peer: Peer, old: Pool | None, signature: Signature) -> Pool:
        try:
            session = open_session(peer, self._resolver)
        except ConfigError:
            if old is None:
                raise
            return old  # half-written files: what worked goes on, and the next call looks again
        pool = self._pools[peer] = Pool(session, signature, self._monotonic())
        if old is not None:
            old.is_replaced = True
        unused = [other for other, known in self._pools.items() if self._is_unused(known)]
        dropped = [self._pools.pop(other) for other in unused] + ([old] if old is not None and not old.calls else [])
        for one in dropped:
            await one.session.close()
        return pool

    def _is_unused(self, pool: Pool) -> bool:
        return not pool.calls and self._monotonic() - pool.used_at > UNUSED_SECONDS


def open_session(peer: Peer, resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """Return a client for ``peer`` that follows the law of this package.

    Args:
        peer: Whom it is for.
        resolver: How names become addresses; None for the system's way.

    Raises:
        ConfigError: As `tls_context`.
    """
    connector: aiohttp.BaseConnector
    if peer.unix_socket is not None:
        connector = aiohttp.UnixConnector(path=peer.unix_socket, limit=peer.connections)
    else:
        connector = aiohttp.TCPConnector(
            ssl=tls_context(peer),
            limit=peer.connections,
            ttl_dns_cache=_DNS_SECONDS,
            resolver=resolver,
            socket_factory=guarded_sockets(peer.reach) if peer.reach is not None else None,
        )
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(total=None),
        headers={"Accept-Encoding": "identity", "User-Agent": "rotator"},
        skip_auto_headers=("Content-Type",),
        auto_decompress=False,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
    )
