"""`Kinds`: the options models of all providers and targets. Handed in, since this layer may not know them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from rotator.config.credential import CredentialConfig
from rotator.config.target import TargetConfig


@dataclass(frozen=True, slots=True)
class Kinds:
    """What ``provider:`` and ``type:`` may say.

    Args:
        credentials: Provider name to its options model. May load a model only when it is asked for.
        targets: Target type to its options model. May load a model only when it is asked for.
    """

    credentials: Mapping[str, type[CredentialConfig]]
    targets: Mapping[str, type[TargetConfig]]
