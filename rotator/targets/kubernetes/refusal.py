"""What an API server's refusal means: a `Status` object to one of our errors. Pure.

Only names of fields, managers and objects are taken from a `Status`; its messages may quote values.
Source: ``meta/v1/types.go`` and ``pkg/api/errors`` of Kubernetes (read 2026-07).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    UnavailableError,
    UnsupportedError,
)
from rotator.transport import Response, check_status

_MANAGER = re.compile(r'conflict with "([^"]{1,128})"')
_SAFE = re.compile(r"[\w.\[\]\-/]{1,100}")


@dataclass(frozen=True, slots=True)
class Ask:
    """What is asked of the API server, in RBAC's words.

    Args:
        verb: ``get``, ``list``, ``watch``, ``create``, ``update`` or ``patch``.
        resource: Plural.
        namespace: Empty for cluster-scoped resources.
        name: Name of the object; empty for none.
        group: API group; empty for the core group.
        version: Of the group; no right is about it.
    """

    verb: str
    resource: str
    namespace: str = ""
    name: str = ""
    group: str = ""
    version: str = "v1"

    def __str__(self) -> str:
        """Return ``patch secrets web/regcred``."""
        place = "/".join(part for part in (self.namespace, self.name) if part)
        return f"{self.verb} {self.resource} {place}".rstrip()

    @property
    def rule(self) -> str:
        """The RBAC rule that grants it."""
        names = f", resourceNames: [{self.name}]" if self.name else ""
        return f'{{apiGroups: ["{self.group}"], resources: [{self.resource}]{names}, verbs: [{self.verb}]}}'


def check_answer(response: Response, ask: Ask, target: str) -> Response:
    """Return ``response`` if it is a success, else raise what it means.

    Args:
        response: What the API server answered.
        ask: What it was asked.
        target: The target's name, for the message.

    Raises:
        AuthenticationError: 401. PermissionDeniedError: 403, with the rule to add. NotFoundError: 404, or a namespace
            that is going away. ConflictError: 409. UnsupportedError: 422. Others as `check_status`.
    """
    if response.status < 300:  # noqa: PLR2004
        return response
    subject = f"{target}: {ask}"
    status = _status(response)
    match response.status:
        case 401:
            raise AuthenticationError(f"{subject}: the API server does not know us", hint=_LOGIN_HINT)
        case 403:
            raise _denied(subject, ask, status)
        case 404:
            raise NotFoundError(f"{subject}: {_missing(ask, status)} does not exist")
        case 409:
            raise _conflict(subject, status)
        case 422:
            raise _invalid(subject, ask, status)
    return check_status(response, subject)


def parse_object(response: Response, ask: Ask, target: str) -> dict[str, Any]:
    """Return the object in a successful answer.

    Raises:
        UnavailableError: It is no JSON object.
    """
    body = response.json()
    if not isinstance(body, dict):
        raise UnavailableError(f"{target}: {ask}: the answer is not an object", cause="protocol")
    return body


_LOGIN_HINT = "Check the token, the certificate or the exec plugin of this target's kubeconfig"


def _status(response: Response) -> Mapping[str, Any]:
    try:
        body = response.json()
    except UnavailableError:  # a proxy in between answers in HTML
        return {}
    return body if isinstance(body, dict) else {}


def _details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    details = status.get("details")
    return details if isinstance(details, dict) else {}


def _causes(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    causes = _details(status).get("causes")
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []


def _denied(subject: str, ask: Ask, status: Mapping[str, Any]) -> NotFoundError | PermissionDeniedError:
    if any(cause.get("reason") == "NamespaceTerminating" for cause in _causes(status)):
        return NotFoundError(f"{subject}: the namespace {ask.namespace} is being deleted")
    lacking = replace(ask, verb=_lacking_verb(ask, status))
    where = f"a Role in the namespace {ask.namespace}" if ask.namespace else "a ClusterRole"
    return PermissionDeniedError(
        f"{subject}: not allowed to {lacking.verb} {ask.resource}", hint=f"Add to {where}: {lacking.rule}"
    )


def _lacking_verb(ask: Ask, status: Mapping[str, Any]) -> str:
    """Return the verb that was missing: an apply that has to create needs ``create`` beside ``patch``."""
    message = status.get("message")
    return "create" if isinstance(message, str) and "cannot create resource" in message else ask.verb


def _missing(ask: Ask, status: Mapping[str, Any]) -> str:
    kind = _details(status).get("kind")
    return f"the namespace {ask.namespace}" if kind == "namespaces" and ask.namespace else "it"


def _conflict(subject: str, status: Mapping[str, Any]) -> ConflictError:
    causes = [cause for cause in _causes(status) if cause.get("reason") == "FieldManagerConflict"]
    managers = sorted({name for cause in causes if (name := _manager(cause))})
    if not causes:
        return ConflictError(f"{subject}: somebody else changed it in between")
    fields = ", ".join(_fields(causes))
    return ConflictError(
        f"{subject}: it belongs to {', '.join(managers) or 'somebody else'} ({fields})",
        hint="Use another name for the secret, `mode: merge` to share it, or `mode: adopt` to take it over",
    )


def _manager(cause: Mapping[str, Any]) -> str:
    found = _MANAGER.search(str(cause.get("message", "")))
    return found.group(1) if found else ""


def _fields(causes: list[Mapping[str, Any]]) -> list[str]:
    names = [cause.get("field") for cause in causes]
    return [name if isinstance(name, str) and _SAFE.fullmatch(name) else "a field" for name in names]


def _invalid(subject: str, ask: Ask, status: Mapping[str, Any]) -> UnsupportedError:
    fields = _fields(_causes(status))
    listed = ", ".join(dict.fromkeys(fields)) or "no field named"
    return UnsupportedError(f"{subject}: refused as invalid ({listed})", hint="" if ask.group else _ADVICE)


_ADVICE = (
    "If the Secret is immutable or of another type, it cannot be changed in place: use another name for it, "
    "or delete it by hand once nothing depends on it"
)
