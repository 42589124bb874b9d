"""Keep logins in a secret of a TagoIO profile, for Analyses that read it from their environment.

The value is never shown again. What is: its length, when it was changed, and its tags, in which each credential's
generation and keyed fingerprint are written together with the value. That is the proof of a delivery, and the fence
against an older daemon.

Source: github.com/tago-io/sdk-js ``src/modules/Resources/Secrets.ts`` (read 2026-07-23). Not documented there: whether
``value_length`` counts characters or bytes; a login of plain ASCII has as many of both.
"""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import quote

from pydantic import Field

from rotator.config.target import TargetConfig
from rotator.config.url import host_of
from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.model import Held
from rotator.domain.pull_secret import Convention, dump_compact, render
from rotator.domain.site import Site
from rotator.errors import ConflictError, FencedError, NotFoundError, UnavailableError, UnsupportedError
from rotator.secret import Secret
from rotator.targets.fields import waits_for
from rotator.targets.tagoio.client import ApiConfig, Question, TagoioClient

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence

    from rotator.domain.model import Entry
    from rotator.targets.context import TargetContext

PREFIX = "rotator:"
"""Tags of ours are ``rotator:<credential>``; others stay as they are."""
PAGE = 100
_MARK = re.compile(r"(?P<generation>\d{1,15}) (?P<fingerprint>\S{0,64})", re.ASCII)


class Format(StrEnum):
    """What the secret's value looks like."""

    DOCKER_CONFIG = "docker_config"
    """Docker's configuration file as JSON on one line; holds any number of logins."""
    LOGIN = "login"
    """``{"registry": ..., "username": ..., "password": ...}``; one login."""
    PASSWORD = "password"  # noqa: S105 (a word, not a secret)
    """The password alone; one login."""


class TagoioSecretConfig(TargetConfig):
    """Options of a ``tagoio_secret`` target: one secret of a TagoIO profile."""

    type: Literal["tagoio_secret"]
    """A secret of a TagoIO profile, for Analyses."""

    key: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    """The secret's key, as it is called in the Analyses' environment. It is made when there is none."""

    format: Format = Format.DOCKER_CONFIG
    """What its value looks like: ``docker_config`` for any number of logins, ``login`` (JSON with registry, username
    and password) or ``password`` for one."""

    adopt: bool = False
    """True takes over a secret that somebody else made under this key: its value is replaced."""

    api: ApiConfig
    """How the profile's API is reached."""

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return (host_of(self.api.url),)

    def sites(self) -> tuple[Site, ...]:
        """Return the secret of the profile that the token is for; its value is replaced as a whole."""
        profile = (self.api.url, str(self.api.token))
        return (Site("key", ("tagoio_secret", *profile, self.key), f"the secret {self.key} of the same profile"),)


@dataclass(frozen=True, slots=True)
class _Found:
    """A secret as TagoIO shows it.

    Args:
        tags: All of them, as they came.
        length: Of its value.
        updated_at: When it was changed last, in TagoIO's own words.
    """

    id: str
    tags: list[Any]
    length: int
    updated_at: str
    marks: Mapping[str, tuple[int, str]] = field(default_factory=dict)


class TagoioSecretTarget:
    """One secret. Its only placement is its key.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = TagoioSecretConfig
    kind = "tagoio_secret"
    declares = Declares(readback=Proof.METADATA, effect=Effect.NEXT_PULL, concurrency=Concurrency.SERIALISED)

    def __init__(self, name: str, config: TagoioSecretConfig, context: TargetContext) -> None:
        self.name = name
        self._config = config
        self._client = TagoioClient(name, config.api, context)
        self._turn = asyncio.Lock()
        self._written_at = ""

    async def placements(self) -> Sequence[str]:
        """Return the key. Asks nobody."""
        return (self._config.key,)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make the secret hold ``entries``, and see its length, tags and time change. Safe to repeat.

        Raises:
            FencedError: A newer generation is there. ConflictError: Somebody else made it, or changed it meanwhile.
            UnsupportedError: The format cannot hold this. NotFoundError: ``placement`` is another secret.
            RotatorError: As `TagoioClient.ask`.
        """
        return await self.apply_beside(placement, entries, {})

    async def apply_beside(self, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]) -> Held:
        """Do as `apply`, but for a secret that is marked as holding a login that may be one of ``unissued``.

        Raises:
            UnavailableError: It is; the value cannot be read, so that login could not be kept. Others as `apply`.
        """
        self._check(placement)
        value = _rendered(self.name, entries, self._config.format)
        async with self._turn:
            before = await self._find()
            if before is not None:
                self._refuse(before, entries)
                self._refuse_to_drop(before, entries, unissued)
                if self._is_held(before, entries, value):
                    return Held(_logins(entries), changed=False, proof=Proof.METADATA)
            await self._write(before, entries, value)
            return await self._confirmed(before, entries, value)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return the logins of ``entries`` whose generation, fingerprint and length are there. Changes nothing.

        Raises:
            RotatorError: As `apply`.
        """
        self._check(placement)
        value = _rendered(self.name, entries, self._config.format)
        found = await self._find()
        is_held = found is not None and self._is_held(found, entries, value)
        return Held(_logins(entries) if is_held else {}, changed=False, proof=Proof.METADATA)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names the secret. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _check(self, placement: str) -> None:
        if placement != self._config.key:
            raise NotFoundError(f"{placement} is not the secret of target {self.name}")

    async def _find(self) -> _Found | None:
        """Return the secret, or None when there is none. TagoIO's filter is laxer than our comparison of the keys."""
        query = f"filter[key]={quote(self._config.key, safe='')}&fields[0]=id&fields[1]=key&amount={PAGE}&page=1"
        listed = await self._client.result(Question("GET", f"/secrets?{query}"))
        ids = [str(one.get("id")) for one in _objects(listed) if one.get("key") == self._config.key]
        return _parsed(self.name, await self._client.result(Question("GET", _path(ids[0])))) if ids else None

    def _refuse(self, found: _Found, entries: Sequence[Entry]) -> None:
        """Refuse to replace a newer generation, or what somebody else made."""
        if not found.marks and not self._config.adopt:
            raise ConflictError(
                f"{self.name}: somebody else made the secret {self._config.key}",
                hint="Choose another key, or write adopt: true to replace its value",
            )
        for entry in entries:
            generation, fingerprint = found.marks.get(entry.credential, (0, ""))
            is_other = generation == entry.generation and fingerprint != entry.fingerprint
            if generation > entry.generation or is_other:
                raise FencedError(
                    f"{self.name}: {self._config.key} holds generation {generation} of {entry.credential}",
                    generation=generation,
                    hint="Does another daemon write it? If this one lost its state, it goes above that by itself",
                )

    def _refuse_to_drop(self, found: _Found, entries: Sequence[Entry], unissued: Mapping[str, str]) -> None:
        """Refuse to drop what may be a login of a credential that has no version yet, perhaps under another name."""
        others = set(found.marks).difference(entry.credential for entry in entries)
        if others and unissued:
            raise waits_for(f"{self.name}: {self._config.key}", unissued)

    def _is_held(self, found: _Found, entries: Sequence[Entry], value: Secret) -> bool:
        wanted = {entry.credential: (entry.generation, entry.fingerprint) for entry in entries}
        is_untouched = self._written_at in {"", found.updated_at}
        return dict(found.marks) == wanted and found.length in _lengths(value) and is_untouched

    async def _write(self, before: _Found | None, entries: Sequence[Entry], value: Secret) -> None:
        kept = [tag for tag in (before.tags if before else ()) if not _is_ours(tag)]
        ours = [{"key": f"{PREFIX}{one.credential}", "value": f"{one.generation} {one.fingerprint}"} for one in entries]
        tags = [*kept, *ours]
        body: dict[str, Any] = {"value": value.reveal(), "tags": tags}
        if before is None:
            body["key"] = self._config.key
        method, path = ("PUT", _path(before.id)) if before else ("POST", "/secrets")
        await self._client.ask(Question(method, path, body, "apply"))

    async def _confirmed(self, before: _Found | None, entries: Sequence[Entry], value: Secret) -> Held:
        self._written_at = ""
        found = await self._find()
        has_moved = found is not None and (before is None or found.updated_at != before.updated_at)
        if found is None or not has_moved or not self._is_held(found, entries, value):
            return Held({}, proof=Proof.METADATA)
        self._written_at = found.updated_at
        return Held(_logins(entries), proof=Proof.METADATA)


def _rendered(target: str, entries: Sequence[Entry], format_: Format) -> Secret:
    """Return the value for ``entries``. Secret.

    Raises:
        UnsupportedError: Several logins for a format that holds one, or a registry that cannot be one.
    """
    if format_ is not Format.DOCKER_CONFIG and len(entries) != 1:
        names = ", ".join(entry.credential for entry in entries)
        raise UnsupportedError(
            f"{target}: the format {format_} holds one login, and here are {len(entries)}: {names}",
            hint="Deliver only one of them here, or write format: docker_config",
        )
    try:
        document = render(entries, Convention.DOCKER)
    except ValueError as error:
        raise UnsupportedError(f"{target}: {error}") from error
    if format_ is Format.DOCKER_CONFIG:
        return Secret(dump_compact(document))
    (entry,) = entries
    if format_ is Format.PASSWORD:
        return entry.login.secret
    login = {"registry": entry.registry, "username": entry.login.username, "password": entry.login.secret.reveal()}
    return Secret(json.dumps(login))


def _logins(entries: Sequence[Entry]) -> dict[str, Any]:
    return {entry.credential: entry.login for entry in entries}


def _lengths(value: Secret) -> set[int]:
    return {len(value), len(value.reveal().encode())}


def _path(secret_id: str) -> str:
    return f"/secrets/{quote(secret_id, safe='')}"


def _parsed(target: str, shown: Any) -> _Found:
    """Return a secret as it was shown.

    Raises:
        UnavailableError: It is not shown as documented.
    """
    fields = shown if isinstance(shown, dict) else {}
    identity, length, updated_at = fields.get("id"), fields.get("value_length"), fields.get("updated_at")
    tags = fields.get("tags") or []
    if (
        not isinstance(identity, str)
        or not isinstance(length, int)
        or not isinstance(updated_at, str)
        or not isinstance(tags, list)
    ):
        expected = "id, tags, value_length and updated_at"
        raise UnavailableError(f"{target}: the secret is not shown with {expected}", cause="protocol")
    return _Found(identity, tags, length, updated_at, dict(_marks(tags)))


def _marks(tags: Sequence[Any]) -> Iterator[tuple[str, tuple[int, str]]]:
    """Yield credential, generation and fingerprint of each tag of ours; a damaged one counts as absent."""
    for tag in tags:
        mark = _MARK.fullmatch(str(tag.get("value"))) if _is_ours(tag) else None
        if mark is not None:
            yield tag["key"].removeprefix(PREFIX), (int(mark["generation"]), mark["fingerprint"])


def _is_ours(tag: Any) -> bool:
    return isinstance(tag, dict) and isinstance(tag.get("key"), str) and tag["key"].startswith(PREFIX)


def _objects(listed: Any) -> Iterator[dict[str, Any]]:
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict):
            yield one
