"""The one outbound HTTP client.

Law of this layer: every call has a total deadline and a cap on bytes; redirects are never followed; the environment
(proxies, netrc) is never read; TLS is verified unless a peer says ``insecure: true`` in words. Bodies, headers and
queries never reach a log or an error, nor the chain behind an error. Only this package maps an HTTP status or a broken
connection to an error class.
"""

from rotator.transport.client import Transport
from rotator.transport.failure import origin_of
from rotator.transport.message import (
    DEADLINE_SECONDS,
    MAX_BODY_BYTES,
    MAX_HEADERS,
    MAX_JSON_DEPTH,
    MAX_RETRY_AFTER,
    Call,
    Request,
    Response,
    ignore_call,
    parse_retry_after,
)
from rotator.transport.peer import CONNECTIONS_PER_PEER, Peer, tls_context
from rotator.transport.reach import Reach
from rotator.transport.status import check_status, code_of

__all__ = [
    "CONNECTIONS_PER_PEER",
    "DEADLINE_SECONDS",
    "MAX_BODY_BYTES",
    "MAX_HEADERS",
    "MAX_JSON_DEPTH",
    "MAX_RETRY_AFTER",
    "Call",
    "Peer",
    "Reach",
    "Request",
    "Response",
    "Transport",
    "check_status",
    "code_of",
    "ignore_call",
    "origin_of",
    "parse_retry_after",
    "tls_context",
]
