"""The seams: what the engine asks of the world, and what each answer promises.

Whoever implements one of these lets only `rotator.errors` out: `TemporaryError` when trying again may help,
`PermanentError` when a person must act. No message holds a secret. Every call ends within its own deadline.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from rotator.domain.model import Stage

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime, timedelta

    from rotator.domain.attempt import Attempt
    from rotator.domain.audit import AuditRecord, AuditVerdict, ChainedRecord
    from rotator.domain.declares import Declares
    from rotator.domain.events import Event
    from rotator.domain.headroom import Headroom, Sample
    from rotator.domain.inspection import Inspection
    from rotator.domain.model import Delivery, Entry, Expiry, Held, Issued, Login, Record, Strategy, Version
    from rotator.domain.retirement import Retirement
    from rotator.domain.rotation import Rotation
    from rotator.domain.verdict import Finding, Verification
    from rotator.secret import Secret


class Clock(Protocol):
    """Time, so that tests can hold it."""

    def now(self) -> datetime:
        """Return the wall-clock time, aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait; cancelling interrupts at once."""
        ...


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


class Target(Protocol):
    """A place that must hold credentials. Expands to placements."""

    @property
    def name(self) -> str:
        """The target's name in the configuration."""
        ...

    @property
    def kind(self) -> str:
        """The table's word for it (``kubernetes``)."""
        ...

    @property
    def declares(self) -> Declares:
        """What the engine may expect of it."""
        ...

    async def placements(self) -> Sequence[str]:
        """Return every spot that must hold the credentials now, each named in this target's own words.

        Raises:
            UnavailableError, PermissionDeniedError: The target could not be asked; what is known stays.
        """
        ...

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make ``placement`` hold exactly ``entries`` beside whatever else is there, and read it back.

        Idempotent. All entries are written in one step: a reader sees all old or all new. Entries of other owners
        stay. ``entries`` is the same object for every placement of one delivery, so rendering may be remembered.

        Raises:
            ConflictError: Somebody else owns or keeps changing it. PermissionDeniedError, NotFoundError (the
            placement is gone), UnavailableError, RateLimitedError, UnsupportedError (it cannot hold this: names why),
            AwaitingOperatorError (a person must do the last step; what they need was handed over).
        """
        ...

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what ``placement`` holds under the keys of ``entries``. Changes nothing."""
        ...

    def watch(self) -> AsyncIterator[None]:
        """Yield whenever the set of placements may have changed; never ends by itself, survives outages.

        A target that cannot tell never yields; the periodic resync covers it.
        """
        ...

    async def close(self) -> None:
        """Let go of connections. Safe to repeat."""
        ...


@runtime_checkable
class HandsOver(Protocol):
    """A `Target` whose last step a person may have to do: its `apply` raises AwaitingOperatorError then."""

    @property
    def reveals(self) -> bool:
        """Whether the person gets the login from the daemon: shown once per generation, on its UNIX socket."""
        ...

    async def taken(self, placement: str) -> None:
        """Take away what was handed over, since the person said that it is done. Safe to repeat.

        Raises:
            RotatorError: It could not be taken away; that it is done stays true.
        """
        ...


@runtime_checkable
class WatchesContent(Protocol):
    """A `Target` that can tell when what a placement holds may have been changed. The others are read on a schedule."""

    def changes(self) -> AsyncIterator[str]:
        """Yield each placement that somebody may have changed; never ends by itself, survives outages.

        May name one that has not changed, or that is none of the target's. Never yields where it is not set up for it.
        """
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What one transaction writes: all of it or nothing.

    Args:
        records: Replaced by name.
        versions: Replaced by credential and generation. A retired or abandoned one loses its sealed secret.
        secrets: Secret of a version by (credential, generation); sealed before it is written. Secret.
        rotations: Replaced by id.
        deliveries: Replaced by target, placement and credential.
        removed: Deliveries to forget, by (target, placement, credential).
        samples: Replaced by registry, credential and instant; of each pair only the newest few hundred stay.
        audit: Appended to the audit, in order.
    """

    records: Sequence[Record] = ()
    versions: Sequence[Version] = ()
    secrets: Mapping[tuple[str, int], Secret] = field(default_factory=dict)
    rotations: Sequence[Rotation] = ()
    deliveries: Sequence[Delivery] = ()
    removed: Sequence[tuple[str, str, str]] = ()
    samples: Sequence[Sample] = ()
    audit: Sequence[AuditRecord] = ()


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that is live in the store: read once, at the start.

    Args:
        records: Every credential ever seen.
        versions: Pending, current and previous ones.
        rotations: Running and delivering ones, and the newest of each credential; oldest first.
        deliveries: All.
        samples: All that are kept, oldest first.
    """

    records: Sequence[Record]
    versions: Sequence[Version]
    rotations: Sequence[Rotation]
    deliveries: Sequence[Delivery]
    samples: Sequence[Sample] = ()


class Store(Protocol):
    """The daemon's memory. Every method raises StoreError when the database does not serve."""

    async def load(self) -> Snapshot:
        """Return all that is live."""
        ...

    async def commit(self, changes: Changes) -> None:
        """Write ``changes`` in one transaction; durable when it returns. Repeating it changes nothing more."""
        ...

    async def secret(self, credential: str, generation: int) -> Secret:
        """Return the secret of a version. Secret.

        Raises:
            NotFoundError: It was retired or never was. PermanentError: It does not open under our key.
        """
        ...

    async def versions(self, credential: str) -> Sequence[Version]:
        """Return every version of ``credential``, newest first, at most 100."""
        ...

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one rotation.

        Raises:
            NotFoundError: It never was, or is not kept any more.
        """
        ...

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest rotations, newest first; of all credentials when ``credential`` is None."""
        ...

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return records of the audit after number ``after``, oldest first, at most ``limit``."""
        ...

    async def newest_audit(self, limit: int, credential: str | None = None) -> Sequence[ChainedRecord]:
        """Return the newest records of the audit, newest first; of all credentials when ``credential`` is None."""
        ...

    async def verify_audit(self) -> AuditVerdict:
        """Return whether every record is as it was written, in its place, and none is missing before the last."""
        ...

    async def close(self) -> None:
        """Let go of the database. Safe to repeat."""
        ...


class AuditCopy(Protocol):
    """A second copy of the audit, outside the state."""

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Append ``records``, durably, all or none.

        Raises:
            StoreError: They could not be written.
        """
        ...


class Hook(Protocol):
    """Listens to what happened: metrics, logs. Must not block; what it raises is logged and dropped."""

    def __call__(self, event: Event) -> None:
        """Take note of ``event``."""
        ...
