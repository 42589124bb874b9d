"""Where secrets are read. See `rotator.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.domain.model import Expiry
    from rotator.secret import Secret


class Reading(Protocol):
    """One value read from a source."""

    @property
    def secret(self) -> Secret:
        """The value. Secret."""
        ...

    @property
    def revision(self) -> str:
        """The source's version of the value; changes whenever the value does."""
        ...

    @property
    def expiry(self) -> Expiry:
        """When the value stops working, where the source was told; else unknown."""
        ...


class Source(Protocol):
    """A place where secrets are read. Reading never changes anything and may be repeated."""

    async def read(self, location: str) -> Reading:
        """Return the value at ``location``.

        Raises:
            NotFoundError: Nothing is there. Never taken as "delete".
            PermissionDeniedError: We may not read it.
            AuthenticationError: The source does not know us, after one fresh login.
            UnavailableError: It did not answer usefully (sealed, 5xx, time-out, TLS).
        """
        ...

    async def revision(self, location: str) -> str | None:
        """Return the current revision without reading the value; None when the source cannot tell cheaply."""
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to repeat."""
        ...


class Vault(Protocol):
    """The daemon's one session with Vault, for targets that write there. Logs in and renews by itself."""

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        """Ask Vault's API, and return the JSON object it answered; an empty one for an empty answer. May be secret.

        Args:
            method: ``GET``, ``POST``, or ``PATCH`` for a JSON merge patch.
            path: Percent-encoded, from ``/v1/`` on; holds no secret.
            body: JSON. May be secret.

        Raises:
            NotFoundError: Nothing is there. ConflictError: A check-and-set did not match: somebody was faster.
            PermissionDeniedError, AuthenticationError, UnavailableError, RateLimitedError, PermanentError.
        """
        ...

    async def engine_version(self, mount: str) -> int:
        """Return the version of the key-value engine at ``mount``: 1 or 2; asked once where it is not configured.

        Raises:
            UnsupportedError: Another kind of engine is mounted there. Others as `request`.
        """
        ...
