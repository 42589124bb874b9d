"""Logins that a person keeps in a source: read whole, never half of one version and half of the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import Field

from rotator.config.ref import SecretRef
from rotator.domain.model import Expiry, Login
from rotator.errors import ConflictError
from rotator.ports import Reading, Source
from rotator.providers.expiry import earliest

Username = Annotated[str, Field(pattern=r"^[^:\s]+$")] | SecretRef
"""A user name as it is, or where it is read. No colon: HTTP's Basic scheme (RFC 7617) cannot carry one."""

READS = 3
"""How often a pair is read again when it changes in between."""


@dataclass(frozen=True, slots=True)
class KeptLogin:
    """What a source holds now.

    Args:
        login: The login. Secret.
        revision: The source's version of it; of both halves where they have different ones.
        expiry: When it stops working, where the source was told; the earlier one of the halves.
    """

    login: Login
    revision: str
    expiry: Expiry


@dataclass(frozen=True, slots=True)
class SourceLogin:
    """Where a login is kept.

    Args:
        username: The user name itself, or where it is read.
        secret: Where the password or token is read.
        sources: By name.
    """

    username: str | SecretRef
    secret: SecretRef
    sources: Mapping[str, Source] = field(repr=False)

    def __str__(self) -> str:
        """Return a stable text: equal where the same login is meant. Holds no secret."""
        return f"{self.username} with {self.secret}"

    @property
    def origin(self) -> str:
        """Where a person puts a new secret, as `rotator.ports.ReadsOrigin`."""
        return f"{self.secret.source}: {self.secret.location}"

    async def read(self) -> KeptLogin:
        """Return the login as it is now. Safe to repeat; two reads, one when the user name is configured.

        Raises:
            ConflictError: It kept changing while it was read.
            RotatorError: As `rotator.ports.Source.read`.
        """
        if isinstance(self.username, str):
            reading = await self._read(self.secret)
            return KeptLogin(Login(self.username, reading.secret), reading.revision, reading.expiry)
        name, reading = await self._read_pair(self.username)
        return KeptLogin(
            Login(name.secret.reveal(), reading.secret),
            _combined(name.revision, reading.revision),
            earliest(name.expiry, reading.expiry),
        )

    async def revision(self) -> str | None:
        """Return what `read` would return as the revision, cheaply; None when a source cannot tell."""
        secret = await self._revision(self.secret)
        if isinstance(self.username, str) or secret is None:
            return secret
        name = await self._revision(self.username)
        return None if name is None else _combined(name, secret)

    async def _read_pair(self, username: SecretRef) -> tuple[Reading, Reading]:
        """Read both halves until they belong together.

        They may be two fields of one document, which a person may save in between: then the revisions differ, and
        the user name is read again. Where each field has a revision of its own, the second look finds the same.
        """
        name = await self._read(username)
        for _ in range(READS):
            reading = await self._read(self.secret)
            if name.revision == reading.revision or not _is_one_document(username, self.secret):
                return name, reading
            seen, name = name, await self._read(username)
            if name.revision in {seen.revision, reading.revision}:
                return name, reading
        raise ConflictError(f"{self}: changed {READS} times while it was being read")

    async def _read(self, ref: SecretRef) -> Reading:
        return await self.sources[ref.source].read(ref.location)

    async def _revision(self, ref: SecretRef) -> str | None:
        return await self.sources[ref.source].revision(ref.location)


def _is_one_document(one: SecretRef, other: SecretRef) -> bool:
    """Return whether both are fields (after ``#``) of the same document."""
    return one.source == other.source and _document(one) == _document(other)


def _document(ref: SecretRef) -> str:
    return ref.location.rpartition("#")[0] or ref.location


def _combined(name: str, secret: str) -> str:
    return secret if name == secret else f"{name}+{secret}"
