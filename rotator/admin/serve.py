"""`serve`: the daemon's listeners, as one task beside the others."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

from fastapi import FastAPI
from starlette.types import ASGIApp

from rotator.admin.access import Access, SocketAccess, TokenAccess, forwarded_address, read_tokens
from rotator.admin.alerts import AlertDesk
from rotator.admin.api import create_api
from rotator.admin.listener import bind_tcp, bind_unix
from rotator.admin.probes import create_probes
from rotator.admin.protocol import BoundedProtocol, UnixProtocol
from rotator.admin.server import Server
from rotator.admin.surface import AdminSurface
from rotator.admin.tls import open_tls
from rotator.errors import ConfigError

CLOSE_SECONDS = 1.8
"""Beyond it connections are cut."""
PRIVATE = stat.S_IRUSR | stat.S_IWUSR
OPEN = PRIVATE | stat.S_IRGRP | stat.S_IWGRP | stat.S_IROTH | stat.S_IWOTH
"""Anybody may knock; `SocketAccess` decides."""


def ignore_start(addresses: Mapping[str, str]) -> None:
    """Take no notice of ``addresses``."""


Front = Callable[[FastAPI, Access], ASGIApp]
"""Makes what a listener serves of the API, and of who may use it there."""


def api_alone(api: FastAPI, access: Access) -> ASGIApp:  # noqa: ARG001 (as `Front`)
    """Serve the API and nothing else."""
    return api


async def serve(
    application: AdminSurface,
    started: Callable[[Mapping[str, str]], None] = ignore_start,
    front: Front = api_alone,
) -> None:
    """Answer on every listener that the configuration names, until cancelled; then close within 2 seconds.

    Installs no signal handler, and removes the socket's file at the end.

    Args:
        application: The daemon.
        started: Told once, when all listen, and whoever connects will be answered: configuration key to address,
            with the port that was taken.
        front: What stands in front of the API.

    Raises:
        ConfigError: A listener cannot be made; names the key and the address. Nothing is left behind.
    """
    with ExitStack() as stack:
        servers = _servers(application, front, stack)
        tasks = [asyncio.create_task(server.serve(), name=f"listener {server.key}") for server in servers]
        try:
            started({server.key: server.address for server in servers})
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _close(servers, tasks)
        for task in tasks:
            task.result()


async def _close(servers: Sequence[Server], tasks: Sequence[asyncio.Task[None]]) -> None:
    for server in servers:
        server.stop()
    await asyncio.wait(tasks, timeout=CLOSE_SECONDS)
    for server in servers:
        server.abort()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _servers(application: AdminSurface, front: Front, stack: ExitStack) -> list[Server]:
    """Bind every listener, so that all stand or none does."""
    config = application.config
    alerts = AlertDesk(application)
    servers = [_unix(application, alerts, front, stack)]
    if config.metrics.listen is not None:
        bound = stack.enter_context(bind_tcp(config.metrics.listen, "metrics.listen"))
        servers.append(Server("metrics.listen", _address(bound), bound, create_probes(application), BoundedProtocol))
    if config.admin.listen is not None:
        access, tls = _token_access(application, config.admin.listen), open_tls(config.admin)
        bound = stack.enter_context(bind_tcp(config.admin.listen, "admin.listen"))
        api = create_api(application, access, alerts)
        closing, address = api.state.context.closing, _address(bound, "http" if tls is None else "https")
        servers.append(Server("admin.listen", address, bound, front(api, access), BoundedProtocol, closing, tls))
    return servers


def _unix(application: AdminSurface, alerts: AlertDesk, front: Front, stack: ExitStack) -> Server:
    options = application.config.admin
    path = Path(options.socket)
    bound = bind_unix(path, OPEN if options.allow_uids else PRIVATE)
    stack.callback(bound.remove)
    access: Access = SocketAccess(os.geteuid(), options.allow_uids)
    api = create_api(application, access, alerts)
    return Server("admin.socket", str(path), bound.socket, front(api, access), UnixProtocol, api.state.context.closing)


def _token_access(application: AdminSurface, listen: str) -> TokenAccess:
    """Return who may use the API over TCP.

    Raises:
        ConfigError: There are no tokens: over TCP nobody is known without one.
    """
    options = application.config.admin
    if options.tokens_file is None:
        raise ConfigError(["admin.listen: needs admin.tokens_file, since anybody can connect there"])
    tokens, host = read_tokens(Path(options.tokens_file)), listen.rpartition(":")[0]
    if options.behind_proxy:
        return TokenAccess(tokens, host, application.clock, options.hosts, forwarded_address)
    return TokenAccess(tokens, host, application.clock, options.hosts)


def _address(bound: socket.socket, scheme: str = "http") -> str:
    host, port = bound.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
