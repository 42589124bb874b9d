"""The objects of the Kubernetes sandbox: namespaces with their history, Secrets, ServiceAccounts. No HTTP."""

from __future__ import annotations

import base64
import binascii
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from rotator.sandbox.kubernetes_apply import EPOCH, Applied, Leaves, body_of, managed_fields
from rotator.sandbox.kubernetes_status import Cause, RefusedError, bad_request, invalid, not_found

MAX_SECRET_BYTES = 1 << 20
"""``MaxSecretSize`` of ``core/v1/types.go``: the sum of all decoded values."""
DOCKER_CONFIG_TYPE = "kubernetes.io/dockerconfigjson"
DOCKER_CONFIG_KEY = ".dockerconfigjson"
BASIC_AUTH_TYPE = "kubernetes.io/basic-auth"
HISTORY = 10_000
"""How many namespace events are remembered for watchers that come back."""


@dataclass(frozen=True, slots=True)
class Namespace:
    """A namespace at one resource version."""

    name: str
    uid: str
    version: int
    labels: Mapping[str, str]
    phase: str = "Active"

    def body(self) -> dict[str, Any]:
        """Return the API object."""
        metadata = {
            "name": self.name,
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": EPOCH,
            "labels": {**self.labels, "kubernetes.io/metadata.name": self.name},
            **({"deletionTimestamp": EPOCH} if self.phase == "Terminating" else {}),
        }
        return {"kind": "Namespace", "apiVersion": "v1", "metadata": metadata, "status": {"phase": self.phase}}


@dataclass(frozen=True, slots=True)
class Event:
    """One change of a namespace: ``before`` is None when it appeared, ``after`` when it vanished."""

    version: int
    before: Namespace | None
    after: Namespace | None


@dataclass(slots=True)
class StoredSecret:
    """A Secret as it is kept: taken apart, so that an apply copies nothing deep."""

    namespace: str
    name: str
    uid: str
    version: int
    state: Applied

    def body(self) -> dict[str, Any]:
        """Return the API object. Secret."""
        nested = body_of(self.state.leaves)
        metadata = {
            "name": self.name,
            "namespace": self.namespace,
            "uid": self.uid,
            "resourceVersion": str(self.version),
            "creationTimestamp": EPOCH,
            **nested.get("metadata", {}),
            "managedFields": managed_fields(self.state.owners),
        }
        return {"kind": "Secret", "apiVersion": "v1", **nested, "metadata": metadata}


@dataclass(slots=True)
class Objects:
    """Everything the sandbox holds."""

    namespaces: dict[str, Namespace] = field(default_factory=dict)
    secrets: dict[str, dict[str, StoredSecret]] = field(default_factory=dict)
    accounts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    events: deque[Event] = field(default_factory=lambda: deque(maxlen=HISTORY))
    listeners: list[Callable[[Event], None]] = field(default_factory=list)
    version: int = 100
    compacted: int = 0
    """Versions up to this one can no longer be watched from."""

    def next_version(self) -> int:
        """Return a new resource version, larger than all before."""
        self.version += 1
        return self.version

    def new_uid(self) -> str:
        """Return a UID that was never used here."""
        return f"00000000-0000-4000-8000-{self.next_version():012x}"

    def put_namespace(self, name: str, labels: Mapping[str, str], phase: str) -> None:
        """Create or change a namespace and tell the watchers."""
        before = self.namespaces.get(name)
        if before is None:
            after = Namespace(name, self.new_uid(), self.next_version(), dict(labels), phase)
            self.secrets[name], self.accounts[name] = {}, {}
        else:
            after = replace(before, version=self.next_version(), labels=dict(labels), phase=phase)
        self.namespaces[name] = after
        self._tell(Event(after.version, before, after))

    def drop_namespace(self, name: str) -> None:
        """Remove a namespace with all that is in it, and tell the watchers."""
        before = self.namespaces.pop(name)
        del self.secrets[name], self.accounts[name]
        self._tell(Event(self.next_version(), before, None))

    def put_account(self, namespace: str, name: str) -> None:
        """Create a ServiceAccount without pull secrets."""
        self.accounts[namespace][name] = {
            "kind": "ServiceAccount",
            "apiVersion": "v1",
            "metadata": {
                "name": name,
                "namespace": namespace,
                "uid": self.new_uid(),
                "resourceVersion": str(self.next_version()),
                "creationTimestamp": EPOCH,
            },
        }

    def find_secret(self, namespace: str, name: str) -> StoredSecret | None:
        """Return a Secret, None when there is none."""
        return self.secrets.get(namespace, {}).get(name)

    def get_secret(self, namespace: str, name: str) -> StoredSecret:
        """Return a Secret.

        Raises:
            RefusedError: 404.
        """
        found = self.find_secret(namespace, name)
        if found is None:
            raise not_found("secrets", name)
        return found

    def require_open(self, namespace: str) -> None:
        """Check that objects may be created in ``namespace``.

        Raises:
            RefusedError: 404 without it; 403 with the cause ``NamespaceTerminating`` while it goes away.
        """
        found = self.namespaces.get(namespace)
        if found is None:
            raise not_found("namespaces", namespace)
        if found.phase == "Terminating":
            message = f"unable to create new content in namespace {namespace} because it is being terminated"
            cause = Cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
            raise RefusedError(403, f"secrets is forbidden: {message}", causes=(cause,))

    def compact(self) -> None:
        """Forget the history: whoever watches from an older version gets 410."""
        self.events.clear()
        self.compacted = self.version

    def _tell(self, event: Event) -> None:
        if len(self.events) == HISTORY:
            self.compacted = self.events[0].version
        self.events.append(event)
        for listener in list(self.listeners):
            listener(event)


def check_secret(name: str, leaves: Leaves, before: Leaves | None) -> None:
    """Validate a Secret as the API server does.

    Args:
        name: Its name.
        leaves: What it is to be.
        before: What it was; None when it is new.

    Raises:
        RefusedError: 400 for a value that is not base64, 422 for everything else.
    """
    if before is not None:
        _check_immutable(name, leaves, before)
    size = 0
    for path, value in leaves.items():
        if path[0] == "data":
            size += len(_decoded(path[-1], value))
    if size > MAX_SECRET_BYTES:
        raise invalid(
            "secrets",
            name,
            Cause("FieldValueTooLong", f"Too long: may not be more than {MAX_SECRET_BYTES} bytes", "data"),
        )
    if leaves.get(("type",)) == DOCKER_CONFIG_TYPE:
        _check_docker_config(name, leaves)
    if leaves.get(("type",)) == BASIC_AUTH_TYPE and not {"username", "password"} & set(_data(leaves)):
        keys = ("data[username]", "data[password]")
        raise invalid("secrets", name, *(Cause("FieldValueRequired", "Required value", key) for key in keys))


def _check_immutable(name: str, leaves: Leaves, before: Leaves) -> None:
    if leaves.get(("type",), "Opaque") != before.get(("type",), "Opaque"):
        raise invalid("secrets", name, Cause("FieldValueInvalid", "field is immutable", "type"))
    if before.get(("immutable",)) is not True:
        return
    message = "field is immutable when `immutable` is set"
    if leaves.get(("immutable",)) is not True:
        raise invalid("secrets", name, Cause("FieldValueForbidden", message, "immutable"))
    if _data(leaves) != _data(before):
        raise invalid("secrets", name, Cause("FieldValueForbidden", message, "data"))


def _check_docker_config(name: str, leaves: Leaves) -> None:
    place = f"data[{DOCKER_CONFIG_KEY}]"
    value = leaves.get(("data", DOCKER_CONFIG_KEY))
    if value is None:
        raise invalid("secrets", name, Cause("FieldValueRequired", "Required value", place))
    try:
        json.loads(base64.b64decode(value))
    except ValueError:
        raise invalid(
            "secrets", name, Cause("FieldValueInvalid", "Invalid value: <secret contents redacted>", place)
        ) from None


def _data(leaves: Leaves) -> dict[str, Any]:
    return {path[-1]: value for path, value in leaves.items() if path[0] == "data"}


def _decoded(key: str, value: Any) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise bad_request(f"Secret in version v1 cannot be handled: data.{key}: illegal base64 data") from None
