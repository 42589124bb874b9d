"""A configured credential, wired to its provider and its targets."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from rotator.config.credential import CredentialConfig
from rotator.domain.policy import Renewal, why_not_in
from rotator.domain.schedule import RenewalRule
from rotator.domain.waves import Staging
from rotator.domain.window import Timing
from rotator.ports import Provider, Target


@dataclass(frozen=True, slots=True)
class Credential:
    """One login to keep fresh, with everything the engine needs to do so.

    Args:
        name: Its name in the configuration.
        config: Its options.
        provider: Issues and probes it.
        targets: Must hold it.
        limits: Floors and ceilings that its options cannot pass.
        at_vendor: Held while something is made or ended at the vendor, so that the two never meet.
    """

    name: str
    config: CredentialConfig
    provider: Provider
    targets: tuple[DeliveryTarget, ...] = ()
    limits: Renewal = field(default_factory=Renewal)
    at_vendor: asyncio.Lock = field(default_factory=asyncio.Lock, compare=False, repr=False)

    @property
    def registry(self) -> str:
        """The registry that it is for."""
        return self.config.registry

    @property
    def maker(self) -> str:
        """Digest of whom its versions are made by or read from, as the configuration has it now."""
        return hashlib.sha256(self.provider.identity.encode()).hexdigest()[:16]

    @property
    def staging(self) -> Staging:
        """How a new version is rolled out."""
        return self.config.rollout.staging()

    @property
    def rule(self) -> RenewalRule:
        """When it is renewed, within the limits."""
        options, limits = self.config, self.limits
        before = max(options.outage_budget, limits.at_least_before or options.outage_budget)
        ages = [age for age in (options.max_age, limits.at_most_age) if age is not None]
        return RenewalRule(before, options.renew_before, min(ages, default=None), limits.not_more_often_than)


@dataclass(frozen=True, slots=True)
class DeliveryTarget:
    """A configured target, with the names of the credentials that it must hold.

    Args:
        port: The target itself.
        credentials: Name to registry host of every credential delivered there, in configuration order.
        required: Whether a rotation waits for it.
        concurrency: Placements written at once.
        only_in: Namespaces in which a credential may be, by its name; one that is absent may be anywhere.
        timing: When placements may be written.
        budgets: Name to outage budget of every credential delivered there; one that is missing has none.
    """

    port: Target
    credentials: Mapping[str, str]
    required: bool = True
    concurrency: int = 32
    only_in: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    timing: Timing = field(default_factory=Timing)
    budgets: Mapping[str, timedelta] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The target's name."""
        return self.port.name

    def refusal(self, credential: str, placement: str) -> str:
        """Return why policy keeps ``credential`` from ``placement``; empty when it may be there."""
        return why_not_in(self.only_in.get(credential), placement)

    def __hash__(self) -> int:
        """Return a hash by name; names are unique."""
        return hash(self.port.name)
