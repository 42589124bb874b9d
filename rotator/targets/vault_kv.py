"""Keep logins in secrets of Vault's (or OpenBao's) key-value engines, for everybody who reads them from there.

Version 2: our fields are merged in by a JSON merge patch with a check-and-set, so that the fields of others and writes
of others survive. Custom metadata says when the logins expire, and which generation they are. Version 1 has neither
check-and-set nor metadata: the whole secret is written, and a field ``rotator`` remembers the generations.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../kv-v1 (read 2026-11-23).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import quote

from pydantic import AfterValidator, Field, field_validator

from rotator.config.fields import Fields
from rotator.config.target import TargetConfig
from rotator.domain.declares import Declares
from rotator.domain.fence import Mark, marked, parse_fence, render_fence
from rotator.domain.fields import Part
from rotator.domain.model import Entry, Held, Login
from rotator.domain.site import Site
from rotator.errors import ConfigError, ConflictError, NotFoundError, PermissionDeniedError, UnavailableError
from rotator.targets.context import TargetContext
from rotator.targets.fields import found, mark_text, parse_mark, placed, refuse_older

PLAIN = 1
"""The version of the engine that keeps one value and no metadata."""

WRITE_ATTEMPTS = 5
"""How often a write is redone because somebody else wrote in between."""

EXPIRES_AT = "expires_at"
"""Custom metadata that the source ``vault`` reads, too."""

MARK_PREFIX = "rotator."
"""Custom metadata: our mark of each credential. The whole has room for 64 keys."""

PLAIN_MARKS = "rotator"
"""Field of a version 1 secret that holds the marks."""

_LAYOUT = re.compile(r"(?:(?P<nested>[^#:]+)::|(?P<mount>[^#:/]+)/)(?P<path>[^#]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is: the engine's mount, which may be nested, and the path inside it."""

    mount: str
    path: str

    def url(self, section: str = "") -> str:
        """Return the path of Vault's API for the secret, percent-encoded."""
        return "/v1/" + "/".join(quote(part, safe="/") for part in (self.mount, section, self.path) if part)

    def __str__(self) -> str:
        """Return mount and path, for messages."""
        return f"vault: {self.mount}/{self.path}"


def parse_place(text: str) -> Place:
    """Return the parts of ``mount/path``, or of ``nested/mount::path``.

    Raises:
        ValueError: A part is missing, or a path segment is empty, ``.`` or ``..``.
    """
    parts = _LAYOUT.fullmatch(text)
    whole = f"{parts['nested'] or parts['mount']}/{parts['path']}" if parts else ""
    if parts is None or not text.isprintable() or any(one in {"", ".", ".."} for one in whole.split("/")):
        raise ValueError(f"{text!r} is not a path; write mount/path, such as registries/pull, or nested/mount::path")
    return Place(parts["nested"] or parts["mount"], parts["path"])


def _path(text: str) -> str:
    parse_place(text)
    return text


class VaultKvConfig(TargetConfig):
    """Secrets in the Vault of the section ``vault``."""

    needs_vault: ClassVar[bool] = True

    type: Literal["vault_kv"]
    """Secrets in Vault's key-value engines."""

    paths: Annotated[tuple[Annotated[str, AfterValidator(_path)], ...], Field(min_length=1)]
    """Secrets that hold the logins, each ``mount/path`` or ``nested/mount::path``; every one is a placement."""

    fields: Fields = Field(default_factory=lambda: {"username": Part.USERNAME, "password": Part.PASSWORD})
    """What each field of a secret holds: ``username``, ``password``, ``registry``, ``auth`` or ``docker_config``.
    ``{credential}`` in a field's name is replaced by the credential's name."""

    @field_validator("paths")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({parse_place(path) for path in value}) != len(value):
            raise ValueError("names a secret twice; remove one")
        return value

    @field_validator("fields")
    @classmethod
    def _not_our_field(cls, value: dict[str, Part]) -> dict[str, Part]:
        if PLAIN_MARKS in value:
            raise ValueError(f"{PLAIN_MARKS} is reserved for rotator itself; give the field another name")
        return value

    def sites(self) -> tuple[Site, ...]:
        """Return the secrets; fields of others stay."""
        places = map(parse_place, self.paths)
        return tuple(Site("paths", ("vault", one.mount, one.path), f"the secret {one}", self.fields) for one in places)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A secret as it was found.

    Args:
        fields: Its fields; empty when there is none to be read. Secret.
        marks: The generations that were marked beside it.
        version: Its newest version; 0 for none.
        expires_at: What its custom metadata says; None for nothing.
        is_readable: Whether the newest version is there, neither deleted nor destroyed.
        is_known: Whether there is metadata, so that it can be patched.
    """

    fields: Mapping[str, Any] = field(default_factory=dict, repr=False)
    marks: Mapping[str, Mark] = field(default_factory=dict)
    version: int = 0
    expires_at: object = None
    is_readable: bool = False
    is_known: bool = False


class VaultKvTarget:
    """Secrets of one Vault. A placement is a path as configured.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world; its session with Vault is used.

    Raises:
        ConfigError: There is no ``vault`` section.
    """

    Config = VaultKvConfig
    kind = "vault_kv"
    declares = Declares()

    def __init__(self, name: str, config: VaultKvConfig, context: TargetContext) -> None:
        if context.vault is None:
            raise ConfigError([f"target {name}: writes to Vault, but there is no vault section"])
        self.name = name
        self._vault = context.vault
        self._layout = config.fields
        self._places = {path: parse_place(path) for path in config.paths}

    async def placements(self) -> Sequence[str]:
        """Return the configured paths. Asks nobody."""
        return tuple(self._places)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make a secret hold ``entries`` beside its other fields, and read it back. Idempotent.

        Version 2: one call when nothing changes; else four or five: read, mark, write, read back, note the expiry.

        Raises:
            FencedError: A newer generation is there. ConflictError: Somebody keeps writing the secret.
            UnsupportedError: The fields cannot hold them. ShapeError: A field cannot be merged; it is left alone.
            PermissionDeniedError: Names what the policy must allow. Others as `rotator.ports.Vault.request`.
        """
        place = self._place(placement)
        try:
            if await self._vault.engine_version(place.mount) == PLAIN:
                return await self._apply_plain(place, entries)
            return await self._apply_versioned(place, entries)
        except PermissionDeniedError as error:
            raise PermissionDeniedError(error.message, hint=_policy(place)) from None

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what a secret holds in the fields of ``entries``. Nothing when there is none. Errors as `apply`."""
        place = self._place(placement)
        is_plain = await self._vault.engine_version(place.mount) == PLAIN
        seen = await (self._look_plain(place) if is_plain else self._look(place))
        return Held(self._found(seen, entries, place), changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every secret. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: the session belongs to the daemon."""

    def _place(self, placement: str) -> Place:
        try:
            return self._places[placement]
        except KeyError:
            raise NotFoundError(f"{self.name}: {placement} is no placement of this target") from None

    def _found(self, seen: _Seen, entries: Sequence[Entry], place: Place) -> dict[str, Login]:
        return found(seen.fields, entries, self._layout, str(place))

    async def _apply_versioned(self, place: Place, entries: Sequence[Entry]) -> Held:
        for _ in range(WRITE_ATTEMPTS):
            before = await self._look(place)
            held = self._found(before, entries, place)
            refuse_older(before.marks, held, entries, str(place))
            wanted = placed(before.fields, entries, self._layout, str(place))
            await self._mark(place, before, entries)
            if wanted == before.fields:
                if _earliest(entries) is not None:
                    await self._note_expiry(place, before, entries)
                return Held(held, changed=False)
            try:
                await self._write(place, before, wanted)
            except ConflictError:
                continue
            after = await self._look(place)
            held = self._found(after, entries, place)
            if all(held.get(entry.credential) == entry.login for entry in entries):
                await self._note_expiry(place, after, entries)
            return Held(held)
        raise ConflictError(f"{place} was changed by somebody else, {WRITE_ATTEMPTS} times in a row")

    async def _look(self, place: Place) -> _Seen:
        """Return a version 2 secret; of one without a readable version only what its metadata says."""
        try:
            data = _section(await self._vault.request("GET", place.url("data")), "data", place)
        except NotFoundError:
            return await self._look_beside(place)
        metadata = _section(data, "metadata", place)
        fields = _section(data, "data", place)
        notes = metadata.get("custom_metadata")
        return _Seen(fields, _marks(notes), _number(metadata, "version", place), _note(notes), True, True)  # noqa: FBT003

    async def _look_beside(self, place: Place) -> _Seen:
        try:
            metadata = _section(await self._vault.request("GET", place.url("metadata")), "data", place)
        except NotFoundError:
            return _Seen()
        notes = metadata.get("custom_metadata")
        version = _number(metadata, "current_version", place)
        return _Seen(marks=_marks(notes), version=version, expires_at=_note(notes), is_known=True)

    async def _mark(self, place: Place, seen: _Seen, entries: Sequence[Entry]) -> None:
        """Record the generations before they are written, as every target does that has a record beside the login."""
        marks = marked(seen.marks, entries)
        if marks == seen.marks:
            return
        notes = {f"{MARK_PREFIX}{credential}": mark_text(mark) for credential, mark in marks.items()}
        method = "PATCH" if seen.is_known else "POST"
        await self._vault.request(method, place.url("metadata"), {"custom_metadata": notes})

    async def _write(self, place: Place, seen: _Seen, wanted: Mapping[str, Any]) -> None:
        options = {"cas": seen.version}
        if seen.is_readable:
            changes = {name: value for name, value in wanted.items() if seen.fields.get(name) != value}
            await self._vault.request("PATCH", place.url("data"), {"options": options, "data": changes})
        else:
            await self._vault.request("POST", place.url("data"), {"options": options, "data": dict(wanted)})

    async def _note_expiry(self, place: Place, seen: _Seen, entries: Sequence[Entry]) -> None:
        """Write when the first of the logins expires; a note on what was there before is taken away."""
        text = _earliest(entries)
        if seen.expires_at != text:
            await self._vault.request("PATCH", place.url("metadata"), {"custom_metadata": {EXPIRES_AT: text}})

    async def _apply_plain(self, place: Place, entries: Sequence[Entry]) -> Held:
        before = await self._look_plain(place)
        held = self._found(before, entries, place)
        refuse_older(before.marks, held, entries, str(place))
        wanted = placed(before.fields, entries, self._layout, str(place))
        marks = render_fence(marked(before.marks, entries)).decode()
        if {**wanted, PLAIN_MARKS: marks} == before.fields:
            return Held(held, changed=False)
        await self._vault.request("POST", place.url(), {**wanted, PLAIN_MARKS: marks})
        return Held(self._found(await self._look_plain(place), entries, place))

    async def _look_plain(self, place: Place) -> _Seen:
        try:
            fields = _section(await self._vault.request("GET", place.url()), "data", place)
        except NotFoundError:
            return _Seen()
        marks = fields.get(PLAIN_MARKS)
        return _Seen(fields, parse_fence(marks.encode() if isinstance(marks, str) else None))


def _section(answer: Mapping[str, Any], key: str, place: Place) -> Mapping[str, Any]:
    value = answer.get(key)
    if not isinstance(value, dict):
        raise UnavailableError(f"{place}: the answer is not that of a key-value engine", cause="protocol")
    return value


def _number(metadata: Mapping[str, Any], key: str, place: Place) -> int:
    value = metadata.get(key)
    if type(value) is not int:
        raise UnavailableError(
            f"{place}: the answer has no version",
            hint=f"If {place.mount} is a version 1 engine, write so under vault.kv_versions",
            cause="protocol",
        )
    return value


def _marks(notes: object) -> dict[str, Mark]:
    found_notes = notes if isinstance(notes, dict) else {}
    marks = {
        key.removeprefix(MARK_PREFIX): parse_mark(value)
        for key, value in found_notes.items()
        if key.startswith(MARK_PREFIX)
    }
    return {credential: mark for credential, mark in marks.items() if mark is not None}


def _earliest(entries: Sequence[Entry]) -> str | None:
    """Return when the first of the logins expires, RFC 3339; None when nobody knows."""
    ends = [entry.expiry.at for entry in entries if entry.expiry.at is not None]
    return min(ends).astimezone(UTC).isoformat().replace("+00:00", "Z") if ends else None


def _note(notes: object) -> object:
    return notes.get(EXPIRES_AT) if isinstance(notes, dict) else None


def _policy(place: Place) -> str:
    return (
        f'Allow create, read, update and patch on "{place.mount}/data/{place.path}" and '
        f'"{place.mount}/metadata/{place.path}" (version 1: create, read and update on "{place.mount}/{place.path}")'
    )
