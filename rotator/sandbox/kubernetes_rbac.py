"""Who may do what: rules in the shape of RBAC, matched as Kubernetes' RBAC authorizer does. Pure.

Source: https://kubernetes.io/docs/reference/access-authn-authz/rbac/ (reference documentation of Kubernetes).
A rule names ``apiGroups``, ``resources`` and ``verbs``; ``resourceNames`` narrows it to named objects and therefore
never matches a request without a name (a POST, a list, a watch without ``fieldSelector=metadata.name=...``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

EVERYTHING: Sequence[Mapping[str, Any]] = ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},)
"""Rules of a cluster administrator."""


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a request wants to do.

    Args:
        verb: ``get``, ``list``, ``watch``, ``create``, ``update``, ``patch`` or ``delete``.
        group: API group; empty for the core group.
        resource: Plural, such as ``secrets``.
        namespace: Empty for cluster-scoped resources.
        name: Name of the object; empty when the request has none.
    """

    verb: str
    group: str
    resource: str
    namespace: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule, ready to be matched.

    Args:
        verbs: Verbs, or ``*``.
        groups: API groups, or ``*``.
        resources: Resources, or ``*``.
        names: Object names; empty for all.
        namespace: The one namespace it holds in (a Role); empty for the whole cluster (a ClusterRole).
    """

    verbs: frozenset[str]
    groups: frozenset[str]
    resources: frozenset[str]
    names: frozenset[str]
    namespace: str

    def allows(self, asked: Attributes) -> bool:
        """Return whether this rule grants what is asked."""
        return (
            (not self.namespace or self.namespace == asked.namespace)
            and _has(self.verbs, asked.verb)
            and _has(self.resources, asked.resource)
            and _has(self.groups, asked.group)
            and (not self.names or asked.name in self.names)
        )


def parse_rule(rule: Mapping[str, Any]) -> Rule:
    """Return ``rule`` ready to be matched.

    Args:
        rule: A rule of a Role, and optionally ``namespace`` for where it was bound.

    Raises:
        ValueError: It has a key that RBAC does not know, or lacks one that it needs.
    """
    unknown = set(rule) - {"verbs", "apiGroups", "resources", "resourceNames", "namespace"}
    if unknown or not {"verbs", "apiGroups", "resources"} <= set(rule):
        raise ValueError(f"not an RBAC rule: needs verbs, apiGroups and resources, has {sorted(rule)}")
    return Rule(
        verbs=frozenset(rule["verbs"]),
        groups=frozenset(rule["apiGroups"]),
        resources=frozenset(rule["resources"]),
        names=frozenset(rule.get("resourceNames", ())),
        namespace=rule.get("namespace", ""),
    )


def is_allowed(rules: Sequence[Rule], asked: Attributes) -> bool:
    """Return whether any rule grants what is asked; RBAC knows no denial."""
    return any(rule.allows(asked) for rule in rules)


def forbidden_message(user: str, asked: Attributes) -> str:
    """Return the sentence of a 403."""
    subject = f'{asked.resource} "{asked.name}"' if asked.name else asked.resource
    scope = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    return (
        f'{subject} is forbidden: User "{user}" cannot {asked.verb} resource "{asked.resource}" '
        f'in API group "{asked.group}" {scope}'
    )


def _has(allowed: frozenset[str], value: str) -> bool:
    return value in allowed or "*" in allowed
