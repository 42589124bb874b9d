"""How logins are shown to registries. See `rotator.ports`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractAsyncContextManager

    from rotator.domain.attempt import Attempt
    from rotator.domain.model import Login
    from rotator.domain.verdict import Finding, Verification
    from rotator.ports.provider import Provider


class LoginGuard(Protocol):
    """Decides whether a login may be shown to a registry. Whoever shows one asks here first, each time."""

    def attempt(self, host: str, username: str) -> AbstractAsyncContextManager[Attempt]:
        """Let one login be shown to ``host`` inside the block, which writes down how it ended. May wait for its turn.

        Raises:
            RateLimitedError: So many failed of late that the registry would lock us out; ``retry_after`` says when.
        """
        ...


class Verifier(Protocol):
    """Proves a login against the registry."""

    async def verify(self, provider: Provider, login: Login, images: Sequence[str]) -> Verification:
        """Return the vendor's auth probe and a manifest HEAD per image. Never raises for a refusal."""
        ...

    async def look(self, provider: Provider, login: Login, images: Sequence[str]) -> Sequence[Finding]:
        """Return a manifest HEAD per image, in their order. Never raises for a refusal.

        Costs one request for each manifest, and one more for each that is refused.
        """
        ...
