"""The `Status` object, in which a Kubernetes API server says no. Pure.

Source: ``k8s.io/apimachinery/pkg/api/errors`` and ``meta/v1/types.go`` of Kubernetes (read 2026-07).
"""

from __future__ import annotations

import json
from dataclasses import dataclass

_REASONS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    409: "Conflict",
    410: "Expired",
    415: "UnsupportedMediaType",
    422: "Invalid",
}


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry of ``details.causes``.

    Args:
        reason: CamelCase token, such as ``FieldManagerConflict``.
        message: Sentence.
        field: Path of the field, such as ``.data..dockerconfigjson``; empty for none.
    """

    reason: str
    message: str
    field: str = ""


class RefusedError(Exception):
    """A request is answered with a `Status` instead of an object.

    Args:
        code: HTTP status.
        message: Sentence for people, as the real server words it.
        kind: Resource the refusal is about (``secrets``); empty for none.
        name: Name of the object; empty for none.
        causes: Details.
        reason: Overrides the reason that goes with the status (``AlreadyExists``).
    """

    def __init__(
        self,
        code: int,
        message: str,
        *,
        about: tuple[str, str] = ("", ""),
        causes: tuple[Cause, ...] = (),
        reason: str = "",
    ) -> None:
        super().__init__(message)
        self.code = code
        self.about = about
        self.causes = causes
        self.reason = reason or _REASONS.get(code, "InternalError")

    def status(self) -> dict[str, object]:
        """Return the `Status` object."""
        kind, name = self.about
        details: dict[str, object] = {key: value for key, value in (("name", name), ("kind", kind)) if value}
        if self.causes:
            details["causes"] = [
                {"reason": cause.reason, "message": cause.message, **({"field": cause.field} if cause.field else {})}
                for cause in self.causes
            ]
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": str(self),
            "reason": self.reason,
            **({"details": details} if details else {}),
            "code": self.code,
        }

    def body(self) -> bytes:
        """Return the `Status` object as JSON."""
        return json.dumps(self.status()).encode()


def not_found(resource: str, name: str) -> RefusedError:
    """Return the refusal for an object that does not exist."""
    return RefusedError(404, f'{resource} "{name}" not found', about=(resource, name))


def invalid(resource: str, name: str, *causes: Cause) -> RefusedError:
    """Return the refusal for an object that fails validation."""
    listed = ", ".join(f"{cause.field}: {cause.message}" for cause in causes)
    return RefusedError(422, f'{resource} "{name}" is invalid: {listed}', about=(resource, name), causes=causes)


def bad_request(message: str) -> RefusedError:
    """Return the refusal for a request that cannot be read."""
    return RefusedError(400, message)
