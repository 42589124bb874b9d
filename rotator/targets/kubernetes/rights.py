"""Which rights a target needs: the least that its mode can do with. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rotator.targets.kubernetes.config import KubernetesConfig, Mode
from rotator.targets.kubernetes.refusal import Ask

_SECRET_VERBS = {
    Mode.OWN: ("get", "patch", "create"),
    Mode.ADOPT: ("get", "patch", "create"),
    Mode.MERGE: ("get", "patch", "create", "update"),
}

UNUSED_RIGHTS = (
    Ask("list", "secrets"),
    Ask("watch", "secrets"),
    Ask("get", "secrets"),
    Ask("delete", "secrets"),
    Ask("create", "pods"),
    Ask("escalate", "clusterroles", group="rbac.authorization.k8s.io"),
)
"""In all namespaces and for every name: what no target does, and what lets whoever has its token read every Secret.
Source: https://kubernetes.io/docs/concepts/security/rbac-good-practices/ (privilege escalation risks)."""


def needed_rights(config: KubernetesConfig, namespaces: Iterable[str], *, fixed: bool) -> list[Ask]:
    """Return every right that the target uses.

    Args:
        config: The target's configuration.
        namespaces: The namespaces it writes to.
        fixed: Whether they are known by name, so that none has to be listed.
    """
    listing = [] if fixed else [Ask("list", "namespaces"), Ask("watch", "namespaces")]
    if config.watch_secrets:
        listing.append(Ask("watch", "secrets", name=config.secret))
    return listing + [ask for namespace in namespaces for ask in _rights_in(config, namespace)]


def _rights_in(config: KubernetesConfig, namespace: str) -> list[Ask]:
    secrets = [Ask(verb, "secrets", namespace, config.secret) for verb in _SECRET_VERBS[config.mode]]
    accounts = [
        Ask(verb, "serviceaccounts", namespace, account)
        for account in config.service_accounts
        for verb in ("get", "patch")
    ]
    listeners = [one.ask(verb, namespace) for one in config.nudge.listeners for verb in ("get", "patch")]
    return secrets + accounts + listeners
