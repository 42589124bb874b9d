"""What a broken connection means: an error class, the metric's word, and the reason for people.

The libraries' own errors quote what they choke on: header values, URLs with their queries, a proxy's password, bytes of
the answer. So an error of theirs is never chained; only what the operating system or OpenSSL said is.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass

import aiohttp
from yarl import URL

from rotator.errors import PermanentError, PermissionDeniedError, RotatorError, UnavailableError
from rotator.transport.peer import Peer
from rotator.transport.reach import UnreachableAddressError

BROKEN = (TimeoutError, aiohttp.ClientError, OSError, ValueError)
"""All that may come out of a call, besides cancellation. ValueError is what is said of an unusable URL or header."""


class UnusableAnswerError(aiohttp.ClientError):
    """The answer breaks one of our own limits; the text says which and holds nothing of the answer."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A call without an answer.

    Args:
        error: What to raise.
        reason: What to raise it from; None when that could quote a secret.
        code: The metric's word; empty when nothing was sent, so that there is nothing to count.
    """

    error: RotatorError
    reason: Exception | None
    code: str


def failure_of(peer: Peer, url: str, error: Exception, deadline: float) -> Failure:
    """Return what ``error``, one of `BROKEN`, means.

    Args:
        peer: With whom it happened.
        url: What was asked for; only scheme and host are shown.
        error: What came out of the HTTP client.
        deadline: Seconds that the call had, for the sentence about a time-out.
    """
    if _never_sent(error):
        return Failure(PermanentError(f"{peer.name}: the URL or a header cannot be sent"), None, "")
    if _is_out_of_reach(error):
        refusal = PermissionDeniedError(
            f"{peer.name}: {origin_of(url)} is at an address that must not be connected to from here",
            hint="Loopback, private, link-local and metadata addresses have to be allowed in words",
        )
        return Failure(refusal, None, "")
    cause, words = _cause(error, deadline)
    where = f"the socket {peer.unix_socket}" if peer.unix_socket else origin_of(url)
    who = where if where.endswith(f"//{peer.name}") else f"{peer.name}: {where}"
    return Failure(UnavailableError(f"{who}: {words}", cause=cause), _system_error(error), cause)


def origin_of(url: str) -> str:
    """Return scheme and host of ``url`` for a message, or the word ``URL`` when it has none."""
    try:
        return str(URL(url, encoded=True).origin())
    except ValueError:
        return "URL"


_CAUSES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((aiohttp.ClientConnectorDNSError,), "dns", "the name does not resolve"),
    ((aiohttp.ClientConnectorCertificateError, ssl.SSLCertVerificationError), "tls", "its certificate is not trusted"),
    ((aiohttp.ClientSSLError, ssl.SSLError), "tls", "no TLS connection could be agreed on"),
    ((aiohttp.ClientProxyConnectionError,), "refused", "cannot connect to its proxy"),
    ((aiohttp.ClientHttpProxyError,), "refused", "its proxy refuses the connection"),
    ((aiohttp.ClientConnectorError,), "refused", "cannot connect"),
    ((TimeoutError,), "timeout", "no complete answer in time"),
    ((aiohttp.ServerDisconnectedError, aiohttp.ClientOSError, ConnectionError), "reset", "the connection broke"),
    ((aiohttp.ClientPayloadError,), "reset", "the answer ended too early or is not usable HTTP"),
    ((Exception,), "protocol", "the answer is not usable HTTP"),
)
"""First match wins: kinds of broken connection, the metric label, the words for people."""


def _never_sent(error: Exception) -> bool:
    if isinstance(error, aiohttp.InvalidURL):
        return True
    return isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError | ssl.SSLError)


def _is_out_of_reach(error: Exception) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(error.os_error, UnreachableAddressError)


def _cause(error: Exception, deadline: float) -> tuple[str, str]:
    """Return the metric label and the sentence for a broken connection."""
    if isinstance(error, UnusableAnswerError):
        return "protocol", str(error)
    telling = _told_by_the_peer(error) or error
    cause, words = next((cause, words) for kinds, cause, words in _CAUSES if isinstance(telling, kinds))
    reason = f"{deadline:g} s" if cause == "timeout" else _reason(telling)
    return cause, f"{words} ({reason})" if reason else words


def _told_by_the_peer(error: Exception) -> Exception | None:
    """Return what is more exact than the client's own class: a reset in the handshake, a late alert of TLS 1.3."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error if isinstance(error.os_error, ConnectionError) and not _is_refusal(error) else None
    behind = error.__cause__ or error.__context__
    return behind if isinstance(behind, ssl.SSLError) else None


def _is_refusal(error: aiohttp.ClientConnectorError) -> bool:
    return isinstance(error.os_error, ConnectionRefusedError)


def _system_error(error: Exception) -> Exception | None:
    """Return the part of ``error`` that the operating system or OpenSSL wrote."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return error.certificate_error
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return None if isinstance(error, aiohttp.ClientError) and not isinstance(error, OSError) else error


def _reason(error: Exception) -> str:
    """Return the reason in a few words; empty when the sentence says it all."""
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"HTTP {error.status}"
    known = _system_error(error)
    if isinstance(known, ssl.SSLCertVerificationError):
        return known.verify_message
    if isinstance(known, ssl.SSLError):
        return (known.reason or "").lower().replace("_", " ")
    if isinstance(error, aiohttp.ClientConnectorDNSError) or not isinstance(known, OSError) or not known.errno:
        return ""
    return os.strerror(known.errno)
