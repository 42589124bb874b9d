"""The message: what happened to which credentials, and the logins only inside a sealed part. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from rotator.domain.model import Entry
from rotator.targets.webhook.sealed import sealed

EVENT = "credential.rotated"


def message_id(target: str, entries: Sequence[Entry]) -> str:
    """Return the id of the message about ``entries``: the same for each try, also after a restart, and no other's."""
    facts = [
        target,
        *sorted([entry.credential, entry.registry, entry.generation, entry.fingerprint] for entry in entries),
    ]
    return f"msg_{hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]}"


def render(target: str, entries: Sequence[Entry], at: datetime, key: X25519PublicKey | None) -> bytes:
    """Return the body.

    Args:
        target: The target's name.
        entries: What was rotated.
        at: When it was first to be told, aware.
        key: The receiver's key; None for a message without logins.
    """
    data: dict[str, Any] = {"target": target, "credentials": [_facts(entry) for entry in entries]}
    if key is not None:
        data["sealed"] = sealed(key, json.dumps({"logins": [_login(entry) for entry in entries]}).encode())
    return json.dumps({"type": EVENT, "timestamp": _written(at), "data": data}, separators=(",", ":")).encode()


def _facts(entry: Entry) -> dict[str, Any]:
    return {
        "credential": entry.credential,
        "registry": entry.registry,
        "username": entry.login.username,
        "generation": entry.generation,
        "fingerprint": entry.fingerprint,
        "expires_at": None if entry.expiry.at is None else _written(entry.expiry.at),
    }


def _login(entry: Entry) -> dict[str, Any]:
    return {
        "credential": entry.credential,
        "registry": entry.registry,
        "username": entry.login.username,
        "password": entry.login.secret.reveal(),
        "generation": entry.generation,
    }


def _written(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
