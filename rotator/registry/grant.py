"""What a bearer token grants, by its own word. Pure.

A token server may answer any scope with a token that grants less, even nothing (distribution, token specification,
read 2026-11-23); where the token is a JWT its ``access`` claim says what. The signature is not checked: the claim is
shown to a person, and nothing is decided by it but a sentence.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

from rotator.registry.advice import Vendor

ACTIONS = ("pull", "push", "delete")
"""What is asked for, and all that is ever repeated of what a token says."""
MAX_JWT_CHARS = 65_536

SAY_NOTHING = frozenset({Vendor.DOCKER_HUB, Vendor.ECR, Vendor.ECR_PUBLIC, Vendor.GHCR, Vendor.GOOGLE})
"""Whose tokens do not tell: opaque ones, and Docker Hub's, which were seen to grant more than is then allowed
(docker/hub-feedback issue 1771, read 2026-11-23)."""


def granted_actions(token: str, path: str) -> frozenset[str] | None:
    """Return which of `ACTIONS` a token grants on the repository ``path``; None when it does not tell.

    Args:
        token: A bearer token. Secret; none of it is returned but the names of actions.
        path: The repository, without the registry.
    """
    access = _claims(token).get("access")
    if not isinstance(access, list):
        return None
    found = {action for entry in access for action in _actions(entry, path)}
    return frozenset(ACTIONS if "*" in found else found & set(ACTIONS))


def _actions(entry: object, path: str) -> Iterator[str]:
    if not isinstance(entry, dict) or entry.get("type") != "repository" or entry.get("name") != path:
        return
    actions = entry.get("actions")
    yield from (one for one in (actions if isinstance(actions, list) else []) if isinstance(one, str))


def _claims(token: str) -> dict[str, Any]:
    parts = token.split(".")
    if len(parts) != 3 or len(token) > MAX_JWT_CHARS or not token.isascii():  # noqa: PLR2004 (a JWT has three)
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (ValueError, RecursionError):  # binascii.Error is one
        return {}
    return claims if isinstance(claims, dict) else {}
