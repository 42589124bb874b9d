"""What a kind of target declares about itself, so that the engine can plan without knowing the kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum


class Proof(StrEnum):
    """How a delivery is known to have arrived, strongest first."""

    VALUE = "value"
    """The very secret was read back."""
    USERNAME = "username"
    """The platform shows the user name, not the secret."""
    METADATA = "metadata"
    """The platform shows that it was changed (a time, a length, a version), not to what."""
    NONE = "none"
    """The platform accepted the write and shows nothing of it."""
    OPERATOR = "operator"
    """A person said so."""


class Effect(StrEnum):
    """What a write brings about at the place."""

    NEXT_PULL = "next-pull"
    """Nothing restarts; the next pull uses it."""
    NEW_TASKS = "new-tasks"
    """Only what is started from now on uses it."""
    NEEDS_REDEPLOY = "needs-redeploy"
    """Nothing uses it until somebody deploys again."""
    CAUSES_REDEPLOY = "causes-redeploy"
    """The write itself deploys again."""


class Concurrency(StrEnum):
    """How two writers are kept apart."""

    COMPARE_AND_SWAP = "compare-and-swap"
    """The place refuses a write that is based on something older."""
    IDEMPOTENCY_TOKEN = "idempotency-token"  # noqa: S105 (a word, not a secret)
    """The place takes a write with a known token once."""
    SERIALISED = "serialised"
    """Only our own lock: the place takes whatever comes last."""


@dataclass(frozen=True, slots=True)
class Declares:
    """What the engine may expect of a target.

    Args:
        readback: The strongest proof that the place can give.
        effect: What a write brings about.
        concurrency: How two writers are kept apart.
        min_interval: The shortest time between two writes to one placement that the place is made for. Zero: none. What
            comes earlier waits and is written together, unless what the placement holds would expire first.
    """

    readback: Proof = Proof.VALUE
    effect: Effect = Effect.NEXT_PULL
    concurrency: Concurrency = Concurrency.COMPARE_AND_SWAP
    min_interval: timedelta = timedelta()
