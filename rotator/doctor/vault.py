"""Vault: whether we get in, for how long, and whether the token may read what is configured and nothing beyond.

Source: https://developer.hashicorp.com/vault/api-docs/auth/token ("Lookup a token (self)") and
https://developer.hashicorp.com/vault/api-docs/system/capabilities-self (``paths`` in, one list of capabilities per path
out, ``root`` and ``deny`` among them; every token may ask both under the policy ``default``). Read 2026-11-28.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rotator.config.root import Config
from rotator.doctor.finding import Finding, Level, of_error
from rotator.doctor.refs import places_of
from rotator.errors import RotatorError
from rotator.ports import Vault
from rotator.sources.vault_kv import parse_location
from rotator.targets.vault_kv import VaultKvConfig, parse_place

FAMILY = "vault"
READS = frozenset({"read", "list", "deny"})
CHANGES = frozenset({"create", "update", "patch", "delete", "sudo", "root"})
_VERSIONED = 2


async def check_vault(config: Config, vault: Vault) -> list[Finding]:
    """Return whether we get in, and what the token may do at the paths that the configuration reads."""
    try:
        looked = await vault.request("GET", "/v1/auth/token/lookup-self")
    except RotatorError as error:
        mend = "Look at vault.address and vault.auth, and whether the role still exists"
        return [of_error(FAMILY, "login", error, mend)]
    found = [judge_token(looked)]
    read, unusable = places_of(config, "vault", parse_location, FAMILY)
    written = _written(config)
    places = sorted(written | {(place.mount, place.path) for place in read})
    return found + unusable + [await _check_place(place, vault, written=place in written) for place in places]


def judge_token(looked: Mapping[str, Any]) -> Finding:
    """Decide by a token's look-up whether it is one that a daemon should have."""
    data = looked.get("data")
    data = data if isinstance(data, dict) else looked
    policies = [str(one) for one in [*(data.get("policies") or ()), *(data.get("identity_policies") or ())]]
    if "root" in policies:
        mend = (
            "Give it a role with a policy that reads the configured paths alone (deploy/vault), and revoke this token"
        )
        return Finding(FAMILY, "login", Level.WARN, "the token is a root token, which may do everything", mend)
    names = ", ".join(sorted(policies)) or "none"
    return Finding(FAMILY, "login", Level.OK, f"logged in, with the policies {names}")


def judge_capabilities(path: str, capabilities: Collection[str] | None, *, written: object) -> Finding:
    """Decide whether a token may do what is needed at ``path``, and no more.

    Args:
        path: As Vault's policies name it.
        capabilities: What Vault answers; None when it does not tell.
        written: True where a target writes there, so that changing it is needed.
    """
    if capabilities is None:
        mend = "Let the token's policy update sys/capabilities-self, as Vault's policy default does"
        return Finding(FAMILY, path, Level.UNKNOWN, "Vault does not tell what the token may do there", mend)
    may = ", ".join(sorted(capabilities))
    if not {"read", "root"} & set(capabilities):
        mend = f'Add to the policy: path "{path}" {{ capabilities = ["read"] }}'
        return Finding(FAMILY, path, Level.FAIL, f"the token may not read there ({may})", mend)
    excess = CHANGES & set(capabilities)
    if excess and not written:
        mend = f'Leave in the policy: path "{path}" {{ capabilities = ["read"] }}'
        return Finding(FAMILY, path, Level.WARN, f"the token may do more than read there ({may})", mend)
    return Finding(FAMILY, path, Level.OK, f"the token may {may}")


async def _check_place(place: tuple[str, str], vault: Vault, *, written: object) -> Finding:
    mount, path = place
    try:
        version = await vault.engine_version(mount)
        full = f"{mount}/data/{path}" if version == _VERSIONED else f"{mount}/{path}"
        answer = await vault.request("POST", "/v1/sys/capabilities-self", {"paths": [full]})
    except RotatorError as error:
        return of_error(FAMILY, f"{mount}/{path}", error)
    return judge_capabilities(full, _capabilities(answer, full), written=written)


def _capabilities(answer: Mapping[str, Any], path: str) -> list[str] | None:
    data = answer.get("data")
    data = data if isinstance(data, dict) else answer
    listed = data.get(path, data.get("capabilities"))
    return [str(one) for one in listed] if isinstance(listed, list) else None


def _written(config: Config) -> set[tuple[str, str]]:
    """Return where targets of the kind ``vault_kv`` write."""
    paths = [path for target in config.targets.values() if isinstance(target, VaultKvConfig) for path in target.paths]
    return {(place.mount, place.path) for place in map(parse_place, paths)}
