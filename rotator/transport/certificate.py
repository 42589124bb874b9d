"""Until when a peer's certificate holds."""

from __future__ import annotations

import asyncio
import ssl
from datetime import UTC, datetime

from rotator.errors import UnavailableError
from rotator.transport.peer import Peer, tls_context


async def certificate_end(peer: Peer, host: str, port: int, deadline: float) -> datetime | None:
    """Return when the certificate ends that ``host`` shows, after a handshake and nothing more.

    None where it cannot be known: a proxy is between, or the peer's certificate is not verified.

    Raises:
        UnavailableError: No handshake within ``deadline`` seconds. ConfigError: ``ca_file`` cannot be used.
    """
    if peer.proxy is not None or peer.insecure:
        return None
    context = await asyncio.to_thread(tls_context, peer)
    try:
        async with asyncio.timeout(deadline):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
    except (OSError, TimeoutError, ssl.SSLError) as error:
        raise UnavailableError(f"{peer.name}: no TLS handshake ({type(error).__name__})", cause="tls") from None
    try:
        shown = writer.get_extra_info("peercert") or {}
    finally:
        writer.close()
    end = shown.get("notAfter")
    return None if end is None else datetime.fromtimestamp(ssl.cert_time_to_seconds(str(end)), UTC)
