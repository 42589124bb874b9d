"""The sockets under hvac: a requests session with our own TLS settings, whose calls can be broken off.

A time-out of requests bounds one read, not a call: a peer that sends a byte now and then holds a thread for ever.
So the side that waits shuts the socket when the call is late, and the thread is free again.
"""

from __future__ import annotations

import socket
import threading
from http.cookiejar import DefaultCookiePolicy
from types import TracebackType
from typing import Any

import requests
import requests.adapters
import urllib3.connection
import urllib3.connectionpool

from rotator.config.vault import VaultConfig
from rotator.transport import Peer, tls_context


def open_session(config: VaultConfig) -> requests.Session:
    """Return a session that reads nothing from the environment, keeps no cookies, and speaks TLS 1.2 or newer.

    Raises:
        ConfigError: ``ca_file`` is missing or is not PEM.
    """
    session = _Session()
    session.trust_env = False
    session.headers.clear()
    session.headers.update({"Accept-Encoding": "identity", "User-Agent": "rotator", "Accept": "application/json"})
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    if config.proxy is not None:
        session.proxies = {"http": config.proxy, "https": config.proxy}
    adapter = _AbortableHttp(Peer("vault", ca_file=config.ca_file))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


class _Session(requests.Session):
    """A session that never looks where a redirect leads."""

    def get_redirect_target(self, resp: requests.Response) -> str | None:
        """Return None: even when told not to follow, requests reads and unpacks the whole body to prepare for it."""


class _AbortableHttp(requests.adapters.HTTPAdapter):
    """Connections whose calls can be broken off, with our own TLS settings instead of requests'."""

    def __init__(self, peer: Peer) -> None:
        self._tls = tls_context(peer)
        super().__init__()

    def init_poolmanager(self, *sizes: Any, **settings: Any) -> None:
        super().init_poolmanager(*sizes, ssl_context=self._tls, **settings)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **settings: Any) -> Any:
        manager = super().proxy_manager_for(proxy, ssl_context=self._tls, **settings)
        manager.pool_classes_by_scheme = _POOLS
        return manager

    def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
        """Leave trust to the TLS context: requests would add its own list of authorities to ours."""


class _PlainConnection(urllib3.connection.HTTPConnection):
    def getresponse(self) -> Any:
        Call.hold(self.sock)
        return super().getresponse()


class _TlsConnection(urllib3.connection.HTTPSConnection):
    def getresponse(self) -> Any:
        Call.hold(self.sock)
        return super().getresponse()


class _PlainPool(urllib3.connectionpool.HTTPConnectionPool):
    ConnectionCls = _PlainConnection


class _TlsPool(urllib3.connectionpool.HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: dict[str, type[urllib3.connectionpool.HTTPConnectionPool]] = {"http": _PlainPool, "https": _TlsPool}
_THREAD = threading.local()


class Call:
    """One blocking call, so that another thread can break it off by shutting its socket.

    Entered by the thread that makes the call, for as long as the call lasts.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._is_aborted = False

    def __enter__(self) -> None:
        _THREAD.call = self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            # From here on the connection belongs to the pool, maybe soon to another call.
            self._socket = None
        _THREAD.call = None

    def abort(self) -> None:
        """Shut the socket, if there still is one in use. Safe to repeat, and after the call has ended."""
        with self._lock:
            self._is_aborted = True
            _shut(self._socket)

    @staticmethod
    def hold(connection: socket.socket | None) -> None:
        """Note the socket that this thread's call is about to read from."""
        call: Call | None = getattr(_THREAD, "call", None)
        if call is None:
            return
        with call._lock:  # noqa: SLF001 (own class)
            call._socket = connection  # noqa: SLF001 (own class)
            if call._is_aborted:  # noqa: SLF001 (own class)
                _shut(connection)


def _shut(connection: socket.socket | None) -> None:
    if connection is None:
        return
    try:
        # Not the method of an SSLSocket, which takes its TLS state away under the reading thread.
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
    except OSError:
        return  # already closed by either side
