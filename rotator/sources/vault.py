"""`VaultSource`: secrets in Vault's (or OpenBao's) key-value engines, and the one session with Vault."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Any

import hvac
import hvac.exceptions

from rotator.config.vault import VaultConfig
from rotator.domain.model import Expiry
from rotator.errors import NotFoundError, UnavailableError
from rotator.ports import Clock
from rotator.secret import Fingerprinter
from rotator.sources.reading import SourceReading, checked_secret
from rotator.sources.vault_kv import (
    Document,
    Place,
    ask_engine_version,
    parse_location,
    pick,
    read_plain,
    read_version,
    read_versioned,
)
from rotator.sources.vault_login import Bootstrap, Door
from rotator.sources.vault_token import Jitter, TokenKeeper
from rotator.sources.vault_wire import Answer, VaultWire

PLAIN, VERSIONED = 1, 2
"""Versions of the key-value engine."""


@dataclass(frozen=True, slots=True)
class VaultTools:
    """What a Vault source is given to work with.

    Args:
        executor: Bounded thread pool for hvac's blocking calls; not shared with what must not wait for Vault.
        clock: Decides when the token is due, and measures back-off.
        fingerprint: Makes revisions for engines that have none.
        bootstrap: Reads the secrets that open Vault, from a file or the environment.
        jitter: Draws from [0, 1).
    """

    executor: Executor
    clock: Clock
    fingerprint: Fingerprinter
    bootstrap: Bootstrap
    jitter: Jitter


class VaultSource:
    """Reads one field of one secret: ``mount/path#key``, or ``nested/mount::path#key``.

    Questions about one secret that are asked at the same time share one call. Makes no call before the first read.

    Args:
        config: The ``vault`` section.
        tools: Threads, time and chance.

    Raises:
        ConfigError: ``ca_file`` is missing or is not PEM.
    """

    def __init__(self, config: VaultConfig, tools: VaultTools) -> None:
        self._fingerprint = tools.fingerprint
        self._deadline = config.timeout
        self._configured: dict[str, int] = dict(config.kv_versions)
        self._detected: dict[str, int] = {}
        self._flights: dict[tuple[str, str, str], asyncio.Task[Any]] = {}
        self._wire = VaultWire(config, executor=tools.executor, clock=tools.clock)
        door = Door(config, wire=self._wire, bootstrap=tools.bootstrap, clock=tools.clock)
        self._keeper = TokenKeeper(door, wire=self._wire, clock=tools.clock, jitter=tools.jitter)

    async def read(self, location: str) -> SourceReading:
        """Return the value at ``location``, with the secret's version and what its metadata says of its end.

        Raises:
            NotFoundError: No such secret or key, or its newest version was deleted or destroyed.
            PermissionDeniedError, AuthenticationError, UnavailableError, RateLimitedError: as for any source.
            ShapeError: the field is not text. ConfigError: ``location`` cannot be one. UnsupportedError: the mount
                is no key-value engine.
        """
        place = parse_location(location)
        document = await self._shared(("read", place.mount, place.path), lambda: self._document(place))
        secret = checked_secret(pick(document, place), f"vault: {place}#{place.key}")
        revision = self._fingerprint(secret) if document.version is None else str(document.version)
        return SourceReading(secret, revision, document.expiry)

    async def revision(self, location: str) -> str | None:
        """Return the newest version's number, by metadata only; None from an engine without versions.

        Same errors as `read`, as far as they concern the secret.
        """
        place = parse_location(location)
        if self._engine(place.mount) == PLAIN:
            return None
        number = await self._shared(("version", place.mount, place.path), lambda: self._number(place))
        return None if number is None else str(number)

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Ask Vault's API, for targets that write there. As `rotator.ports.Vault.request`."""
        question = partial(_request, method=method, path=path, body=body)
        try:
            answer: Mapping[str, Any] = await self._within_deadline(self._keeper.ask(question), path)
        except hvac.exceptions.InvalidPath:
            # Without the cause: it carries the answer.
            raise NotFoundError(f"vault: {method} {path}: there is nothing") from None
        return answer

    async def engine_version(self, mount: str) -> int:
        """Return the version of the engine at ``mount``. As `rotator.ports.Vault.engine_version`."""
        known = self._engine(mount)
        if known is None:
            question = partial(ask_engine_version, mount=mount)
            known = await self._within_deadline(self._keeper.ask(question), mount) or VERSIONED
            self._detected[mount] = known
        return known

    async def renew_forever(self) -> None:
        """Keep the daemon's token alive; run it as a task beside the source."""
        await self._keeper.renew_forever()

    def token_expiry(self) -> Expiry:
        """Return when the daemon's own token ends; unknown before the first login."""
        return self._keeper.expiry()

    async def close(self) -> None:
        """Break off what is under way and close connections. Safe to repeat."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
        self._wire.close()

    async def _document(self, place: Place) -> Document:
        document: Document = await self._asked(_read, place)
        return document

    async def _number(self, place: Place) -> int | None:
        number: int | None = await self._asked(_peek, place)
        return number

    async def _asked(self, question: Callable[..., tuple[int, Any]], place: Place) -> Any:
        """Ask within the deadline, logins included; remember which engine it turned out to be."""
        mount = place.mount
        asked = self._keeper.ask(partial(question, place=place, known=self._engine(mount)))
        try:
            found, answer = await self._within_deadline(asked, str(place))
        except NotFoundError:
            self._detected.pop(mount, None)  # the mount may have been upgraded to version 2 since it was asked
            raise
        self._detected[mount] = found
        return answer

    async def _within_deadline(self, asked: Awaitable[Answer], subject: str) -> Answer:
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await asked
        except TimeoutError as error:
            raise UnavailableError(
                f"vault: {subject}: no answer in time ({self._deadline.total_seconds():g} s)",
                hint="Check that Vault is healthy and can be reached from here",
                cause="timeout",
            ) from error

    def _engine(self, mount: str) -> int | None:
        return self._configured.get(mount) or self._detected.get(mount)

    async def _shared(self, key: tuple[str, str, str], start: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        flight = self._flights.get(key)
        if flight is None:
            flight = self._flights[key] = asyncio.create_task(start())
            flight.add_done_callback(partial(self._land, key))
        try:
            # Shielded: one caller that gives up must not take the answer from the others.
            return await asyncio.shield(flight)
        except asyncio.CancelledError as error:
            if not flight.cancelled():
                raise
            raise UnavailableError("vault: closed while reading", cause="reset") from error

    def _land(self, key: tuple[str, str, str], flight: asyncio.Task[Any]) -> None:
        self._flights.pop(key, None)
        if not flight.cancelled():
            flight.exception()  # looked at, so that a failure nobody waits for any more is not reported as lost


def _request(client: hvac.Client, *, method: str, path: str, body: Mapping[str, Any] | None) -> Mapping[str, Any]:
    headers = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    answer: Mapping[str, Any] = client.adapter.request(method.lower(), path, headers=headers, json=body)
    return answer


def _read(client: hvac.Client, *, place: Place, known: int | None) -> tuple[int, Document]:
    """Return the engine's version and the secret. One call, two where the version is not known yet."""
    version = known or ask_engine_version(client, place.mount) or VERSIONED
    return version, (read_plain if version == PLAIN else read_versioned)(client, place)


def _peek(client: hvac.Client, *, place: Place, known: int | None) -> tuple[int, int | None]:
    """Return the engine's version and the secret's newest version; None for an engine without versions."""
    version = known or ask_engine_version(client, place.mount) or VERSIONED
    return version, None if version == PLAIN else read_version(client, place)
