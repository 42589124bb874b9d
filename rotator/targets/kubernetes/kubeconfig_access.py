"""The way from outside a cluster: a kubeconfig file, read again when it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from rotator.errors import AuthenticationError, ConfigError
from rotator.ports import Clock
from rotator.targets.kubernetes.access import Connection, MemoryFiles, WatchedFile, bearer, peer_with
from rotator.targets.kubernetes.exec_plugin import ExecCredential, run_plugin
from rotator.targets.kubernetes.kubeconfig import KubeconfigContext, Material, parse_kubeconfig
from rotator.transport import Peer

EXPIRY_MARGIN = timedelta(seconds=10)
"""A plugin's credential is replaced this long before it expires."""


class KubeconfigAccess:
    """Follows one context of a kubeconfig file and every file that it names.

    Args:
        peer: Settings of the peer; trust, identity and proxy are replaced by the file's.
        path: The kubeconfig file.
        context: Its context; None for ``current-context``.
        clock: For the expiry of a plugin's credential.
        environ: What `INHERITED` variables for a plugin are taken from.
    """

    def __init__(
        self, peer: Peer, path: Path, *, context: str | None, clock: Clock, environ: Mapping[str, str]
    ) -> None:
        self._peer = peer
        self._file = WatchedFile(path, f"{peer.name}: kubeconfig")
        self._context_name = context
        self._clock = clock
        self._environ = environ
        self._memory = MemoryFiles()
        self._files: dict[Path, WatchedFile] = {}
        self._text = b""
        self._context: KubeconfigContext | None = None
        self._issued: ExecCredential | None = None
        self._connection: Connection | None = None
        self._lock = asyncio.Lock()

    async def connect(self) -> Connection:
        """Return the connection as the files say now; runs the exec plugin when its credential is used up."""
        context = self._current()
        issued = await self._credential(context) if context.plugin else None
        peer = peer_with(
            self._peer,
            ca_file=self._pem_path(context.authority, context.words),
            client_cert=self._identity(context, issued),
            proxy=context.proxy,
        )
        self._connection = Connection(context.server, peer, self._headers(context, issued))
        return self._connection

    def reject(self, connection: Connection) -> None:
        """Drop the plugin's credential if it is the refused one; files are looked at before every request anyway."""
        if connection == self._connection:
            self._issued = None

    def close(self) -> None:
        """Let go of certificates and keys."""
        self._memory.close()
        self._issued = None

    def _current(self) -> KubeconfigContext:
        text = self._file.read()
        if self._context is None or text != self._text:
            context = parse_kubeconfig(text.decode("utf-8", "replace"), self._file.path, self._context_name)
            if context.insecure and not self._peer.insecure:
                raise ConfigError(
                    [f"{context.words}: insecure-skip-tls-verify"],
                    hint="Write `insecure: true` for this target if unverified TLS is really meant",
                )
            self._text, self._context, self._issued = text, context, None
        return self._context

    async def _credential(self, context: KubeconfigContext) -> ExecCredential:
        async with self._lock:
            if self._issued is None or not self._is_fresh(self._issued):
                assert context.plugin is not None  # noqa: S101 (the caller asked)
                issued = await run_plugin(context.plugin, self._environ)
                if issued.expires_at is not None and issued.expires_at <= self._clock.now():
                    raise AuthenticationError(f"{context.words}: the exec plugin printed an expired credential")
                self._issued = issued
            return self._issued

    def _is_fresh(self, issued: ExecCredential) -> bool:
        return issued.expires_at is None or issued.expires_at - EXPIRY_MARGIN > self._clock.now()

    def _headers(self, context: KubeconfigContext, issued: ExecCredential | None) -> dict[str, str]:
        if issued is not None:
            return bearer(issued.token.reveal()) if issued.token else {}
        if context.token_file is not None:
            return bearer(self._content(context.token_file, context.words).decode("ascii", "ignore"))
        return bearer(context.token) if context.token else {}

    def _identity(self, context: KubeconfigContext, issued: ExecCredential | None) -> tuple[str, str] | None:
        if issued is not None and issued.key is not None:
            certificate, key = issued.certificate.encode(), issued.key.reveal().encode()
            return self._memory.path_for(certificate), self._memory.path_for(key)
        certificate_path = self._pem_path(context.certificate, context.words)
        key_path = self._pem_path(context.key, context.words)
        if (certificate_path is None) != (key_path is None):
            raise ConfigError([f"{context.words}: a client certificate needs a client key, and the other way round"])
        return (certificate_path, key_path) if certificate_path and key_path else None

    def _pem_path(self, material: Material | None, words: str) -> str | None:
        if material is None:
            return None
        data = self._content(material.path, words) if material.path else material.data
        return self._memory.path_for(data)

    def _content(self, path: Path, words: str) -> bytes:
        if path not in self._files:
            self._files[path] = WatchedFile(path, f"{words}: file")
        return self._files[path].read()
