"""The sandbox Vault's two key-value engines: what they store, and the JSON they answer with. No HTTP here.

Source: https://developer.hashicorp.com/vault/api-docs/secret/kv/kv-v2 and .../kv-v1 (read 2026-11-23).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

PLAIN = "plain"
"""The one section of a version 1 engine."""

Answer = tuple[int, dict[str, Any] | None]
"""HTTP status, and the ``data`` block; None for an empty body."""


class RefusedError(Exception):
    """Vault says no.

    Args:
        status: HTTP status.
        errors: Texts for the ``errors`` list.
    """

    def __init__(self, status: int, *errors: str) -> None:
        super().__init__(status, errors)
        self.status = status
        self.errors = list(errors)


@dataclass(slots=True)
class KvVersion:
    """One version of a secret.

    Args:
        data: The fields; None once destroyed.
        created_at: Aware UTC.
        deleted_at: When it was soft-deleted; None while it can be read.
    """

    data: dict[str, Any] | None
    created_at: datetime
    deleted_at: datetime | None = None

    @property
    def is_readable(self) -> bool:
        """Return whether it is neither soft-deleted nor destroyed."""
        return self.data is not None and self.deleted_at is None

    def to_json(self) -> dict[str, Any]:
        """Return the version's own metadata in Vault's words."""
        return {
            "created_time": rfc3339(self.created_at),
            "deletion_time": rfc3339(self.deleted_at) if self.deleted_at else "",
            "destroyed": self.data is None,
        }


@dataclass(slots=True)
class KvSecret:
    """All versions of one secret, and what was written beside it."""

    created_at: datetime
    updated_at: datetime
    versions: dict[int, KvVersion] = field(default_factory=dict)
    custom_metadata: dict[str, str] | None = None

    @property
    def current(self) -> int:
        """Return the newest version's number; 0 when there is none."""
        return max(self.versions, default=0)

    def append(self, data: Mapping[str, Any], now: datetime) -> int:
        """Add a version and return its number."""
        number = self.current + 1
        self.versions[number] = KvVersion(dict(data), now)
        self.updated_at = now
        return number

    def version_json(self, number: int) -> dict[str, Any]:
        """Return what the data endpoint says about one version."""
        return {**self.versions[number].to_json(), "custom_metadata": self.custom_metadata, "version": number}

    def metadata_json(self) -> dict[str, Any]:
        """Return what the metadata endpoint says."""
        return {
            "cas_required": False,
            "created_time": rfc3339(self.created_at),
            "current_version": self.current,
            "custom_metadata": self.custom_metadata,
            "delete_version_after": "0s",
            "max_versions": 0,
            "oldest_version": min(self.versions, default=0),
            "updated_time": rfc3339(self.updated_at),
            "versions": {str(number): version.to_json() for number, version in self.versions.items()},
        }


@dataclass(slots=True)
class KvMount:
    """One mounted engine.

    Args:
        version: 1 or 2.
        secrets: By path, version 2 only.
        plain: Fields by path, version 1 only.
    """

    version: int
    secrets: dict[str, KvSecret] = field(default_factory=dict)
    plain: dict[str, dict[str, Any]] = field(default_factory=dict)

    def put(self, path: str, data: Mapping[str, Any], now: datetime) -> int:
        """Store fields at ``path``; return the new version, or 0 for an engine that keeps only one."""
        if self.version == 1:
            self.plain[path] = dict(data)
            return 0
        return self.secret(path, now).append(data, now)

    def secret(self, path: str, now: datetime) -> KvSecret:
        """Return the secret at ``path``, made on first use."""
        return self.secrets.setdefault(path, KvSecret(now, now))

    def soft_delete(self, path: str, numbers: Sequence[int], now: datetime) -> None:
        """Hide versions; `undelete` brings them back."""
        for version in self._versions(path, numbers):
            version.deleted_at = now

    def undelete(self, path: str, numbers: Sequence[int]) -> None:
        """Bring hidden versions back."""
        for version in self._versions(path, numbers):
            version.deleted_at = None

    def destroy(self, path: str, numbers: Sequence[int]) -> None:
        """Throw the fields of versions away for good."""
        for version in self._versions(path, numbers):
            version.data = None

    def below(self, path: str) -> list[str]:
        """Return the names directly below ``path``, folders with a slash at the end."""
        prefix = f"{path.strip('/')}/" if path.strip("/") else ""
        rests = [name.removeprefix(prefix) for name in (self.secrets or self.plain) if name.startswith(prefix)]
        return sorted({head + ("/" if slash else "") for head, slash, _ in (rest.partition("/") for rest in rests)})

    def _versions(self, path: str, numbers: Sequence[int]) -> list[KvVersion]:
        secret = self.secrets.get(path)
        return [secret.versions[number] for number in numbers if number in secret.versions] if secret else []


@dataclass(frozen=True, slots=True)
class KvRequest:
    """One question to an engine.

    Args:
        verb: ``read``, ``write``, ``patch``, ``delete`` or ``list``.
        section: ``data``, ``metadata``, ``delete``, ``undelete``, ``destroy``; `PLAIN` for version 1.
        path: Inside the mount.
        body: Parsed JSON.
        version: The version asked for; 0 for the newest.
    """

    verb: str
    section: str
    path: str
    body: Mapping[str, Any]
    version: int = 0


def answer(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    """Do what is asked and return the answer.

    Raises:
        RefusedError: Not there, not supported, or the check-and-set failed.
    """
    act = _ANSWERS.get((asked.verb, asked.section))
    if act is None and asked.section not in {section for _, section in _ANSWERS}:
        raise RefusedError(404)  # the path of a version 1 engine, asked of version 2
    if act is None:
        raise RefusedError(405, "unsupported operation")
    return act(mount, asked, now)


def _read_plain(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    if asked.path not in mount.plain:
        raise RefusedError(404)
    return 200, mount.plain[asked.path]


def _write_plain(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    mount.put(asked.path, asked.body, now)
    return 204, None


def _delete_plain(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    mount.plain.pop(asked.path, None)
    return 204, None


def _list(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    names = mount.below(asked.path)
    if not names:
        raise RefusedError(404)
    return 200, {"keys": names}


def _read_data(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    secret = mount.secrets.get(asked.path)
    number = asked.version or (secret.current if secret else 0)
    if secret is None or number not in secret.versions:
        raise RefusedError(404)
    version = secret.versions[number]
    data = version.data if version.is_readable else None
    return 200 if version.is_readable else 404, {"data": data, "metadata": secret.version_json(number)}


def _write_data(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    if "data" not in asked.body:
        raise RefusedError(400, "no data provided")
    known = mount.secrets.get(asked.path)
    cas = (asked.body.get("options") or {}).get("cas")
    if cas is not None and int(cas) != (known.current if known else 0):
        raise RefusedError(400, "check-and-set parameter did not match the current version")
    number = mount.put(asked.path, asked.body["data"], now)
    return 200, mount.secrets[asked.path].version_json(number)


def _patch_data(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    known = mount.secrets.get(asked.path)
    if known is None or known.current not in known.versions or not known.versions[known.current].is_readable:
        raise RefusedError(404)
    before = known.versions[known.current].data or {}
    return _write_data(mount, replace(asked, body={**asked.body, "data": _patched(before, asked.body["data"])}), now)


def _patched(before: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """Return a JSON merge patch applied, one level deep: null removes a field."""
    return {key: value for key, value in {**before, **patch}.items() if value is not None}


def _delete_data(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    if asked.path in mount.secrets:
        mount.soft_delete(asked.path, [mount.secrets[asked.path].current], now)
    return 204, None


def _read_metadata(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    if asked.path not in mount.secrets:
        raise RefusedError(404)
    return 200, mount.secrets[asked.path].metadata_json()


def _write_metadata(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    if asked.body.get("custom_metadata") is not None:
        secret = mount.secret(asked.path, now)
        secret.custom_metadata = {str(name): str(value) for name, value in asked.body["custom_metadata"].items()}
        secret.updated_at = now
    return 204, None


def _patch_metadata(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    if asked.path not in mount.secrets:
        raise RefusedError(404)
    before = mount.secrets[asked.path].custom_metadata or {}
    patched = _patched(before, asked.body.get("custom_metadata") or {})
    return _write_metadata(mount, replace(asked, body={"custom_metadata": patched}), now)


def _delete_metadata(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    mount.secrets.pop(asked.path, None)
    return 204, None


def _write_delete(mount: KvMount, asked: KvRequest, now: datetime) -> Answer:
    mount.soft_delete(asked.path, _numbers(asked), now)
    return 204, None


def _write_undelete(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    mount.undelete(asked.path, _numbers(asked))
    return 204, None


def _write_destroy(mount: KvMount, asked: KvRequest, _: datetime) -> Answer:
    mount.destroy(asked.path, _numbers(asked))
    return 204, None


def _numbers(asked: KvRequest) -> list[int]:
    return [int(number) for number in asked.body["versions"]]


_ANSWERS: dict[tuple[str, str], Callable[[KvMount, KvRequest, datetime], Answer]] = {
    ("read", PLAIN): _read_plain,
    ("write", PLAIN): _write_plain,
    ("delete", PLAIN): _delete_plain,
    ("list", PLAIN): _list,
    ("read", "data"): _read_data,
    ("write", "data"): _write_data,
    ("delete", "data"): _delete_data,
    ("patch", "data"): _patch_data,
    ("patch", "metadata"): _patch_metadata,
    ("read", "metadata"): _read_metadata,
    ("write", "metadata"): _write_metadata,
    ("delete", "metadata"): _delete_metadata,
    ("list", "metadata"): _list,
    ("write", "delete"): _write_delete,
    ("write", "undelete"): _write_undelete,
    ("write", "destroy"): _write_destroy,
}


def rfc3339(at: datetime) -> str:
    """Return an aware UTC time the way Vault writes it."""
    return at.isoformat().replace("+00:00", "Z")
