"""The values everything else talks about. Words as in the README's glossary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from rotator.domain.declares import Proof

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rotator.secret import Secret


class Strategy(StrEnum):
    """How a vendor lets a credential be replaced."""

    EPHEMERAL = "ephemeral"
    """Mint as many as wanted; each dies by itself (ECR)."""
    CREATE_RETIRE = "create_retire"
    """Create a new one beside the old, retire the old afterwards."""
    TWO_SLOT = "two_slot"
    """Two slots at the vendor; the one not in use is regenerated."""
    OVERWRITE = "overwrite"
    """One slot; the old value dies at once."""
    READ = "read"
    """A person changes it at the source; the daemon watches and reacts."""


class Stage(StrEnum):
    """Where a version stands in its life."""

    PENDING = "pending"
    CURRENT = "current"
    PREVIOUS = "previous"
    RETIRED = "retired"
    ABANDONED = "abandoned"


SAME_AS_SECRET = ":secret:"  # noqa: S105 (a placeholder)
"""Stands for a user name that is the secret itself, wherever user names are kept or shown. A real one has no colon."""


@dataclass(frozen=True, slots=True)
class Login:
    """What a registry is shown: a user name and its secret.

    The user name is kept to the letter: ``AWS``, ``_json_key`` and the null GUID mean something to their registries.
    At some it is the secret once more (DigitalOcean): only `public_username` may be kept in the open or shown.
    """

    username: str
    secret: Secret

    def __repr__(self) -> str:
        """Return user name and a mask."""
        return f"Login(username={self.public_username!r}, secret={self.secret!r})"

    @property
    def public_username(self) -> str:
        """The user name, or `SAME_AS_SECRET` where it is the secret. Not secret."""
        return SAME_AS_SECRET if self.username == self.secret.reveal() else self.username

    @classmethod
    def restore(cls, public_username: str, secret: Secret) -> Login:
        """Return the login that shows itself as ``public_username``."""
        return cls(secret.reveal() if public_username == SAME_AS_SECRET else public_username, secret)


@dataclass(frozen=True, slots=True)
class Expiry:
    """When a version stops working: known, never, or unknown. Never a guess.

    Args:
        at: The instant, aware UTC; None when it never expires or when nobody told us.
        never: True only when the vendor said so.
    """

    at: datetime | None = None
    never: bool = False

    def is_past(self, now: datetime) -> bool:
        """Return whether the instant is known and has come."""
        return self.at is not None and self.at <= now

    def left(self, now: datetime) -> timedelta | None:
        """Return the time left, negative when past; None when it never expires or is unknown."""
        return None if self.at is None else self.at - now


UNKNOWN = Expiry()
NEVER = Expiry(never=True)


@dataclass(frozen=True, slots=True)
class Issued:
    """What a provider hands over: a login and what the vendor said about it.

    Args:
        login: The login. Secret.
        issued_at: When the vendor issued it, aware UTC.
        expiry: When it stops working, as far as the vendor tells.
        revision: The source's own version of it (a KV v2 version number, a file's digest); None without a source.
        handle: The vendor's own name for it, by which it can be ended: a token's id, a slot, a robot. Not secret; empty
            when there is none.
        scopes: As `rotator.domain.inspection.Inspection`.
        principal: As `rotator.domain.inspection.Inspection`.
    """

    login: Login
    issued_at: datetime
    expiry: Expiry = UNKNOWN
    revision: str | None = None
    handle: str = ""
    scopes: frozenset[str] | None = None
    principal: str = ""


@dataclass(frozen=True, slots=True)
class Version:
    """One issued value of a credential, as the store knows it. The secret itself is fetched separately.

    Args:
        credential: The credential's name.
        generation: Grows by one with each version of this credential, never reused.
        stage: Where it stands.
        fingerprint: Keyed fingerprint of the secret.
        username: The login's `Login.public_username`; not secret.
        issued_at: When the vendor issued it.
        expiry: When it stops working.
        revision: The source's version it was read from, if any.
        verified_at: When the registry last accepted it; None when it never did.
        rejected_at: When the registry last refused it; None when it did not since it was last verified.
        handle: The vendor's own name for it; empty when there is none.
        scopes: What it may do, in the vendor's own words; None when nobody knows.
        principal: Whom the vendor takes it for; empty when nobody knows.
        superseded_at: When a newer version took its place; None while it is pending or in use.
        ended_at: When the vendor confirmed that it was ended (revoked, deleted, overwritten); None when it was not.
        dead_at: When the registry was last seen to refuse it after that; None while nobody has seen it.
        restores: The generation whose secret it carries again; 0 for a secret of its own.
        withdrawn_at: When it was taken back: by a halted rollout, or by a person. None when it was not.
        leaked_at: When somebody said that its secret is known to others; None when nobody did.
        registry: The registry that it is for; empty where that was not kept.
        maker: Digest of whom it was made by or read from, as `rotator.ports.Provider.identity` has it; empty as above.
    """

    credential: str
    generation: int
    stage: Stage
    fingerprint: str
    username: str
    issued_at: datetime
    expiry: Expiry = UNKNOWN
    revision: str | None = None
    verified_at: datetime | None = None
    rejected_at: datetime | None = None
    handle: str = ""
    scopes: frozenset[str] | None = None
    principal: str = ""
    superseded_at: datetime | None = None
    ended_at: datetime | None = None
    dead_at: datetime | None = None
    restores: int = 0
    withdrawn_at: datetime | None = None
    leaked_at: datetime | None = None
    registry: str = ""
    maker: str = ""

    def is_for(self, registry: str) -> bool:
        """Return whether it is a login at ``registry``: at another one nobody may be shown it, or asked about it."""
        return self.registry in {"", registry}

    def is_by(self, maker: str) -> bool:
        """Return whether it is of ``maker``, who alone can end it."""
        return self.maker in {"", maker}

    @property
    def ends_at(self) -> datetime | None:
        """When it stops working, as far as is known: at its expiry, or since it was refused or ended. Else None."""
        known = (self.expiry.at, self.rejected_at, self.ended_at, self.dead_at)
        return min((at for at in known if at is not None), default=None)

    def is_useless(self, now: datetime) -> bool:
        """Return whether it is known not to work: the registry refused it last, or it has expired."""
        return self.rejected_at is not None or self.expiry.is_past(now)

    def is_unfit(self, now: datetime) -> bool:
        """Return whether there is nothing to go back to in it: it does not work, or others know its secret."""
        return self.leaked_at is not None or self.is_useless(now)

    def has_secret_of(self, other: Version) -> bool:
        """Return whether it is the same login as ``other``, under whatever generation."""
        return (self.fingerprint, self.username) == (other.fingerprint, other.username)


@dataclass(frozen=True, slots=True)
class Entry:
    """One credential as a placement must hold it.

    Args:
        credential: The credential's name.
        registry: The registry's host, ``host[:port]``, docker.io for Docker Hub; may carry a path for podman keys.
        login: The login. Secret.
        generation: Generation of the version.
        fingerprint: Keyed fingerprint of the secret; safe to write beside it.
        expiry: When the version stops working, for places that keep that beside it.
    """

    credential: str
    registry: str
    login: Login
    generation: int
    fingerprint: str = ""
    expiry: Expiry = UNKNOWN


@dataclass(frozen=True, slots=True)
class Held:
    """What a placement was read to hold.

    Args:
        logins: Credential name to the login found under its key; a name is absent when nothing was found. Where the
            place cannot show the secret: the login that was written, for each name of which ``proof`` was seen.
        changed: Whether a write was needed; False when the placement already held it all.
        proof: How this is known.
    """

    logins: Mapping[str, Login]
    changed: bool = True
    proof: Proof = Proof.VALUE


class DeliveryState(StrEnum):
    """State of one version's way into one placement."""

    INTENDED = "intended"
    """Journalled; the write may or may not have happened."""
    CONFIRMED = "confirmed"
    """Written, read back and found equal."""
    FAILED = "failed"
    """Refused, or read back and found different. Tried again."""
    AWAITING = "awaiting"
    """Handed over to a person, who has not said yet that it is done."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One credential's latest way into one placement.

    Args:
        target: The target's name.
        placement: The spot inside the target, in the target's own words (``namespace/secret``, a path).
        credential: The credential's name.
        generation: The generation that was last tried there.
        state: How that went.
        at: When it went that way.
        error: ``code`` of the error; empty when there was none.
        message: Why it failed, for people; no secret.
        attempts: Tries of this generation at this placement so far.
        confirmed_generation: The newest generation that was confirmed there; 0 for none.
        proof: How ``confirmed_generation`` is known.
        written_at: When a write last changed the placement; None when none did.
        revealed_at: When the login of ``generation`` was shown to the person who is awaited; None when it was not.
        left_until: Until when it is left alone, since repairs did not last; None when it is not.
        repairs: When it was repaired after something else had changed it: the latest few, oldest first.
    """

    target: str
    placement: str
    credential: str
    generation: int
    state: DeliveryState
    at: datetime
    error: str = ""
    message: str = ""
    attempts: int = 1
    confirmed_generation: int = 0
    proof: Proof = Proof.VALUE
    written_at: datetime | None = None
    revealed_at: datetime | None = None
    left_until: datetime | None = None
    repairs: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What is remembered of a credential besides its versions.

    Args:
        name: The credential's name.
        generation: The highest generation ever given out; only grows.
        failures: Attempts that failed since the last that succeeded.
        next_attempt_at: Not before this instant, after a failure; None when nothing holds it back.
        last_success_at: When a version was last obtained, verified and confirmed by all required targets.
        looked_at: When the source was last read in full.
    """

    name: str
    generation: int = 0
    failures: int = 0
    next_attempt_at: datetime | None = None
    last_success_at: datetime | None = None
    looked_at: datetime | None = None
