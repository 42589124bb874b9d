"""What metrics are given to read from: values and questions, so that they need to know none of the other rooms."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from rotator.domain.headroom import LimitStatus
from rotator.domain.model import UNKNOWN, Expiry
from rotator.domain.status import CredentialStatus
from rotator.ports import Clock


@dataclass(frozen=True, slots=True)
class Build:
    """What runs.

    Args:
        version: Version of this package.
        revision: Commit it was built from; ``unknown`` when nobody said.
        python_version: ``3.11.7``.
    """

    version: str
    revision: str
    python_version: str


def _unknown() -> Expiry:
    return UNKNOWN


def _never() -> datetime | None:
    return None


def _none() -> int:
    return 0


def _no_hosts() -> Collection[str]:
    return ()


def _no_limits() -> Sequence[LimitStatus]:
    return ()


def _no_provider(credential: str) -> str:  # noqa: ARG001 (the signature of the question)
    return ""


@dataclass(frozen=True, slots=True)
class Facts:
    """Questions that a scrape asks, in the thread that renders, unless it says otherwise. None may block or raise.

    Args:
        statuses: How every configured credential stands; not asked when a scrape brings them along.
        clock: Time.
        provider_of: Credential name to its provider's name; empty for one that is gone. Asked once per rotation, where
            events come in.
        vault_token_expiry: When our own Vault token ends; unknown without Vault.
        heartbeat: When the scheduler last looked at everything; None when it did not yet.
        redactions: Secrets masked in log lines so far.
        closed_hosts: Hosts of registries to which some login is not shown now.
        limits: The last known pull limits.
    """

    statuses: Callable[[], Sequence[CredentialStatus]]
    clock: Clock
    provider_of: Callable[[str], str] = _no_provider
    vault_token_expiry: Callable[[], Expiry] = _unknown
    heartbeat: Callable[[], datetime | None] = _never
    redactions: Callable[[], int] = _none
    closed_hosts: Callable[[], Collection[str]] = _no_hosts
    limits: Callable[[], Sequence[LimitStatus]] = _no_limits
