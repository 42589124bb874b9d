"""One vendor: how a version is issued, inspected, probed and ended. See `rotator.ports`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from rotator.domain.model import Stage

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import timedelta

    from rotator.domain.headroom import Headroom
    from rotator.domain.inspection import Inspection
    from rotator.domain.model import Issued, Login, Strategy, Version
    from rotator.domain.retirement import Retirement
    from rotator.domain.verdict import Finding


@dataclass(frozen=True, slots=True)
class Made:
    """Something at a vendor that carries a label of ours.

    Args:
        handle: The vendor's own name for it.
        rotation: Id of the rotation that made it.
    """

    handle: str
    rotation: str


async def _keep_nothing(_: Issued) -> None:
    """Do nothing: for callers without a journal."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a provider is told about the version that it is to issue.

    Args:
        credential: The credential's name.
        rotation: Id of the rotation; letters, digits, dots and hyphens.
        installation: Tells this daemon's state from that of any other; letters and digits.
        live: Versions that are pending, in use, or still in their grace; newest first. What their handles name must
            go on working, but for the slot of a previous one.
        is_live: Whether a login is that of a version in ``live``, compared by keyed fingerprint.
        keep: Journals and seals a login durably. A provider that chooses the secret itself awaits this before the
            vendor is told, so that no crash loses a secret that is already in force. May be repeated.
    """

    credential: str = ""
    rotation: str = ""
    installation: str = ""
    live: Sequence[Version] = ()
    is_live: Callable[[Login], bool] = field(default=lambda _: False)
    keep: Callable[[Issued], Awaitable[None]] = field(default=_keep_nothing)

    @property
    def label(self) -> str:
        """The name of what this order makes at the vendor: ``rotator:<installation>:<credential>:<rotation>``."""
        return f"rotator:{self.installation}:{self.credential}:{self.rotation}"

    def rotation_of(self, label: str) -> str | None:
        """Return which rotation of this credential made what is called ``label``; None when it is not ours."""
        prefix = f"rotator:{self.installation}:{self.credential}:"
        rotation = label.removeprefix(prefix)
        return rotation if label.startswith(prefix) and rotation and ":" not in rotation else None

    @property
    def current(self) -> Version | None:
        """The version in use; None when there is none."""
        return next((one for one in self.live if one.stage is Stage.CURRENT), None)


class Provider(Protocol):
    """Knows one vendor, for one configured credential."""

    @property
    def strategy(self) -> Strategy:
        """How this credential is replaced."""
        ...

    @property
    def identity(self) -> str:
        """A stable text: credentials with equal identities can share one issued value. Not secret."""
        ...

    async def issue(self, order: Order) -> Issued:
        """Return a fresh login. For ``read`` strategies: read it from the source again.

        What exists at the vendor may be changed only as the strategy says: ``ephemeral`` and ``read`` change nothing,
        ``create_retire`` adds, ``two_slot`` overwrites a slot that no version of ``order.live`` but the previous one
        holds, ``overwrite`` calls ``order.keep`` with the new login before the old one dies.

        Raises:
            NotFoundError, PermissionDeniedError, AuthenticationError, UnavailableError, RateLimitedError: as for a
                source; ShapeError: what came back cannot be a secret of this vendor.
        """
        ...

    async def revision(self) -> str | None:
        """Return the source's revision of the login, cheaply; None when there is no source or it cannot tell."""
        ...

    async def inspect(self, login: Login) -> Inspection:
        """Ask the vendor what it knows of ``login``. What it does not tell is unknown; never raises for that.

        Changes and makes nothing at the vendor, and may be repeated; where asking would mint, nobody is asked.
        """
        ...

    async def probe(self, login: Login) -> Finding:
        """Ask the vendor whether ``login`` is accepted at all, at no cost to its quota. Never raises for a refusal."""
        ...


@runtime_checkable
class Retires(Protocol):
    """A `Provider` that can end a version at its vendor. Of the others each dies by itself, or a person ends it."""

    @property
    def bearer_life(self) -> timedelta:
        """The longest life of a token that the registry hands out for a login, and that outlives the login's end."""
        ...

    async def retire(self, handle: str, login: Login | None) -> Retirement:
        """End one version. Safe to repeat: what is gone already counts as ended.

        Args:
            handle: The vendor's own name for it, as `Issued.handle`.
            login: The login itself; None when it is not kept (an orphan that an interrupted issue left).

        Raises:
            PermissionDeniedError, AuthenticationError, UnavailableError, RateLimitedError: It may still work.
        """
        ...


@runtime_checkable
class ReadsOrigin(Protocol):
    """A `Provider` that may read a login which a person makes and puts somewhere."""

    @property
    def origin(self) -> str:
        """Where they put it, such as ``vault: registries/ghcr#token``; empty where versions are issued. Not secret."""
        ...


@runtime_checkable
class ListsMade(Protocol):
    """A `Provider` whose vendor keeps a list of what was made, so that an interrupted issue leaves no orphan."""

    async def made(self, order: Order) -> Sequence[Made]:
        """Return what is at the vendor under the labels of ``order.credential`` (`Order.rotation_of` reads them).

        Raises:
            RotatorError: The vendor could not be asked.
        """
        ...


@runtime_checkable
class SettlesSlowly(Protocol):
    """A `Provider` whose vendor needs time until a new login works everywhere."""

    @property
    def settles_within(self) -> timedelta:
        """A refusal this soon after the issue says nothing: it is asked again until then. > 0."""
        ...


@runtime_checkable
class MeasuresHeadroom(Protocol):
    """A `Provider` whose vendor tells what is left of a limit. The others need not mention it: theirs is unknown."""

    @property
    def limit_host(self) -> str:
        """Host whose limit it is: the registry's, or that of the vendor's API; empty when there is none to ask."""
        ...

    @property
    def limit_cost(self) -> int:
        """How many requests one question counts for against that limit; 0 where the vendor says that it is free."""
        ...

    async def headroom(self, login: Login | None) -> Headroom:
        """Ask what is left of the limit. Costs no pull.

        Args:
            login: Whose limit; None for that of our address.

        Returns:
            What was told; unknown when the registry said nothing readable.

        Raises:
            AuthenticationError: It refuses the login. RateLimitedError: It asks to be left alone.
            UnavailableError, PermanentError: It could not be asked.
        """
        ...
