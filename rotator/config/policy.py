"""The section ``policy``: what no credential's or target's own options can widen."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rotator.config.duration import Duration
from rotator.domain.policy import Renewal, Rule

Pattern = Annotated[str, Field(min_length=1, max_length=253)]


def _some(value: tuple[Any, ...]) -> tuple[Any, ...]:
    if not value:
        raise ValueError("is empty; name at least one, or remove the line")
    return value


Patterns = Annotated[tuple[Pattern, ...], AfterValidator(_some)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RuleConfig(_Section):
    """One thing that is allowed. All conditions that are written must be met; ``*`` is any text, ``?`` a character."""

    credentials: Patterns
    """Names of credentials."""

    reads: Patterns | None = None
    """Where their secrets may be read, as ``vault:team-a/*`` or ``file:/etc/team-a/*``: else whoever may write
    credentials could read everybody's under another name. Counts for a target's own secrets too, where the target is
    not written beside the policy. None: anywhere."""

    registries: Patterns | None = None
    """Who may be shown their logins and what they are issued with, as ``host[:port]``: the registry, and every token
    server, proxy and address that the credential or the registry's entry names; all must match. Without it, a login
    that may be read can be shown to a registry of its writer's choice. None: anybody."""

    targets: Patterns | None = None
    """Names of targets. None: all."""

    kinds: Patterns | None = None
    """Kinds of targets. None: all."""

    namespaces: Patterns | None = None
    """Namespaces. Only targets with namespaces meet this. None: all, and targets without."""

    hosts: Patterns | None = None
    """Hosts that the target sends to, without ports; all of them must match, and only targets whose options name a
    host meet this. None: all, and targets without."""

    def rule(self) -> Rule:
        """Return the rule as the domain knows it."""
        return Rule(
            self.credentials, self.reads, self.registries, self.targets, self.kinds, self.namespaces, self.hosts
        )


class RenewalConfig(_Section):
    """Floors and ceilings of every credential's own times. What a person asks for, a leak and a refusal pass them."""

    at_least_before: Duration | None = None
    """Renewal starts this long before the expiry at the latest. None: as each credential says."""

    at_most_age: Duration | None = None
    """Nothing that can be renewed gets older. None: as each credential says."""

    not_more_often_than: Duration | None = None
    """No renewal by schedule earlier than this after the last, even where a version then expires. None: no floor."""

    def renewal(self) -> Renewal:
        """Return the limits as the domain knows them."""
        return Renewal(self.at_least_before, self.at_most_age, self.not_more_often_than)


class PolicyConfig(_Section):
    """Which credential may go where, and how often it may be renewed."""

    rules: Annotated[tuple[RuleConfig, ...], AfterValidator(_some)] | None = None
    """What is allowed; what none of them allows is refused. None: everything may go everywhere."""

    renewal: RenewalConfig = RenewalConfig()
    """Floors and ceilings of renewal."""

    def all_rules(self) -> tuple[Rule, ...] | None:
        """Return the rules as the domain knows them; None where everything may go everywhere."""
        return None if self.rules is None else tuple(one.rule() for one in self.rules)
