"""What every credential's configuration has in common. Each provider adds its own options beside its code."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict

from rotator.config.duration import Duration
from rotator.config.image import ConfiguredImage
from rotator.config.rollout import RolloutConfig
from rotator.domain.reference import registry_host


def _host(value: str) -> str:
    return registry_host(value)


class CredentialConfig(BaseModel):
    """One login to keep fresh."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    lifetime: ClassVar[timedelta | None] = None
    """How long one version lives where the vendor fixes it; None where it differs or nobody knows."""

    provider: str
    """Who issues it; selects the options that follow."""

    registry: Annotated[str, AfterValidator(_host)]
    """Host of the registry, ``host[:port]``, without a scheme. ``docker.io`` for Docker Hub."""

    images: tuple[ConfiguredImage, ...] = ()
    """Images that are pulled with it: references, or ``{id: ..., image: ...}``, where the id is what metrics and status
    call it (otherwise made of repository and tag). Each new version must pull them before it is delivered, and they
    are watched in between. Empty: only the login itself is proved, which on some registries says little."""

    deliver_to: tuple[str, ...] = ()
    """Names of the targets that must hold it."""

    renew_before: Duration | None = None
    """Rotate this long before the expiry. None: half of a lifetime under 10 days (10 % jitter), two thirds of a
    longer one."""

    outage_budget: Duration = timedelta(minutes=30)
    """How long the source may be down without a target being left with an expired version: rotation never starts
    later than the expiry minus this (or half the lifetime, where that is shorter)."""

    max_age: Duration | None = None
    """Rotate at this age even when it does not expire or nobody knows. None: no such rule."""

    formerly: str | None = None
    """The name that it had before it was renamed: its versions, deliveries and leaks go on under the new one. Say it
    before the new name has a version of its own; afterwards only generations go on. None: it always had this one."""

    rollout: RolloutConfig = RolloutConfig()
    """In which steps a new version reaches the placements."""

    grace: Duration | None = None
    """How long the version before stays valid at its vendor after the new one took over; it is never ended before every
    required target has confirmed the new one. None: a day. Never shorter than the longest token that the registry hands
    out for it; shorter where more than five old ones wait for their end. Of no use where a version cannot be ended
    (ECR, Google's and Entra's tokens)."""

    probe_interval: Duration = timedelta(minutes=15)
    """How often the current version is shown to the registry between rotations."""
