"""What the cross-checks look at: the sections that are valid by themselves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pydantic import BaseModel

from rotator.config.credential import CredentialConfig
from rotator.config.mistake import KeyPath
from rotator.config.notify import SlackDestination, WebhookDestination
from rotator.config.policy import PolicyConfig
from rotator.config.root import AdminConfig, MetricsConfig, RegistryConfig, StoreConfig
from rotator.config.target import TargetConfig
from rotator.config.vault import VaultConfig

Finding = tuple[KeyPath, str]
"""Where a rule is broken, and the sentence about it."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The valid parts of a configuration that may be wrong elsewhere. None: that section is not valid by itself.

    Args:
        target_names: Every target that was written, also those that are not valid.
        fragment_targets: Those of them that stand in a file of a directory which may not hold the policy.
        has_vault: Whether a ``vault`` section was written, valid or not.
    """

    store: StoreConfig | None = None
    admin: AdminConfig | None = None
    metrics: MetricsConfig | None = None
    vault: VaultConfig | None = None
    policy: PolicyConfig | None = None
    has_vault: bool = False
    registries: Mapping[str, RegistryConfig] = field(default_factory=dict)
    credentials: Mapping[str, CredentialConfig] = field(default_factory=dict)
    targets: Mapping[str, TargetConfig] = field(default_factory=dict)
    notifications: Mapping[str, WebhookDestination | SlackDestination] = field(default_factory=dict)
    target_names: frozenset[str] = frozenset()
    fragment_targets: frozenset[str] = frozenset()

    def models(self) -> Iterator[tuple[KeyPath, BaseModel]]:
        """Yield every part with the path it stands at."""
        single = {"store": self.store, "admin": self.admin, "metrics": self.metrics, "vault": self.vault}
        for name, model in single.items():
            if model is not None:
                yield (name,), model
        many: dict[str, Mapping[str, BaseModel]] = {
            "registries": self.registries,
            "credentials": self.credentials,
            "targets": self.targets,
            "notifications": self.notifications,
        }
        for section, entries in many.items():
            for name, entry in entries.items():
                yield (section, name), entry
