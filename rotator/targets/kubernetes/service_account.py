"""Service accounts that must name the Secret in their ``imagePullSecrets``.

The list is atomic for every kind of apply, so it is only ever appended to, by JSON Patch under a test of the
resource version (``core/v1/types.go`` of Kubernetes, ``listType=atomic``, read 2026-07-24).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rotator.errors import ConflictError, NotFoundError, RotatorError, UnsupportedError
from rotator.targets.context import TargetContext
from rotator.targets.kubernetes.client import KubernetesApi

ATTEMPTS = 6
FIRST_DELAY_SECONDS = 0.25
"""Doubles with each attempt. A namespace's ``default`` account appears a moment after the namespace."""


async def name_secret(api: KubernetesApi, context: TargetContext, namespace: str, account: str, secret: str) -> bool:
    """Make ``account`` name ``secret``; entries of others stay. Idempotent. Needs ``get`` and ``patch``.

    Returns:
        Whether a write was needed.

    Raises:
        NotFoundError: The account does not appear. ConflictError: it keeps changing. Others as the API's.
    """
    failure: RotatorError | None = None
    for attempt in range(ATTEMPTS):
        if failure is not None:
            await context.clock.sleep(FIRST_DELAY_SECONDS * 2 ** (attempt - 1) * (0.5 + context.random() / 2))
        try:
            return await _try(api, namespace, account, secret)
        except (NotFoundError, ConflictError, UnsupportedError) as error:
            failure = error
    if isinstance(failure, NotFoundError):
        raise NotFoundError(
            f"{namespace}: the service account {account} does not exist",
            hint="Create it, or remove it from `service_accounts`",
        ) from failure
    raise ConflictError(f"{namespace}: the service account {account} keeps changing") from failure


def naming_patch(account: Mapping[str, Any], secret: str) -> list[dict[str, Any]]:
    """Return the JSON Patch that adds ``secret`` to ``account``; empty when it is there already."""
    listed = account.get("imagePullSecrets")
    names = listed if isinstance(listed, list) else []
    if any(isinstance(item, dict) and item.get("name") == secret for item in names):
        return []
    metadata = account.get("metadata")
    version = metadata.get("resourceVersion") if isinstance(metadata, dict) else None
    test = {"op": "test", "path": "/metadata/resourceVersion", "value": version}
    if names:
        return [test, {"op": "add", "path": "/imagePullSecrets/-", "value": {"name": secret}}]
    return [test, {"op": "add", "path": "/imagePullSecrets", "value": [{"name": secret}]}]


async def _try(api: KubernetesApi, namespace: str, account: str, secret: str) -> bool:
    operations = naming_patch(await api.get_service_account(namespace, account), secret)
    if operations:
        await api.patch_service_account(namespace, account, operations)
    return bool(operations)
