"""A Status of the API server becomes an error that names objects, fields and rules, and quotes no value."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rotator.errors import ConflictError, NotFoundError, PermissionDeniedError, RotatorError, UnsupportedError
from rotator.targets.kubernetes.refusal import Ask, check_answer
from rotator.transport import Response

CANARY = "canary-5d1f0c77ab93"
ASK = Ask("patch", "secrets", "web", "regcred")


def answer(status: int, body: object) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, {}, json.dumps(body).encode())


def causes(*found: dict[str, Any]) -> dict[str, Any]:
    """Return a Status with causes."""
    return {"kind": "Status", "message": f"value {CANARY}", "details": {"causes": list(found)}}


def test_success_passes() -> None:
    """A success is returned as it is."""
    response = answer(201, {})
    assert check_answer(response, ASK, "prod") is response


@pytest.mark.parametrize(
    ("status", "body", "error", "message"),
    [
        pytest.param(
            422,
            causes({"field": "data[.dockerconfigjson]", "message": CANARY}, {"field": "type", "message": CANARY}),
            UnsupportedError,
            r"refused as invalid \(data\[\.dockerconfigjson\], type\)",
            id="invalid fields",
        ),
        pytest.param(422, causes({"field": f"x {CANARY} y"}), UnsupportedError, r"\(a field\)", id="odd field"),
        pytest.param(422, {"details": "x"}, UnsupportedError, "no field named", id="no details"),
        pytest.param(422, [CANARY], UnsupportedError, "no field named", id="no Status"),
        pytest.param(409, causes(), ConflictError, "changed it in between", id="version conflict"),
        pytest.param(
            409,
            causes(
                {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using v1', "field": ".type"},
                {"reason": "FieldManagerConflict", "message": CANARY, "field": ".data"},
            ),
            ConflictError,
            r"belongs to helm \(\.type, \.data\)",
            id="field conflict",
        ),
        pytest.param(403, {"message": CANARY}, PermissionDeniedError, "not allowed to patch secrets", id="forbidden"),
        pytest.param(
            403,
            {"message": 'User "x" cannot create resource "secrets"'},
            PermissionDeniedError,
            r"not allowed to create secrets.*verbs: \[create\]",
            id="create is lacking",
        ),
        pytest.param(403, causes({"reason": "NamespaceTerminating"}), NotFoundError, "being deleted", id="terminating"),
        pytest.param(404, {"details": {"kind": "secrets"}}, NotFoundError, "it does not exist", id="no secret"),
        pytest.param(404, {"details": {"kind": "namespaces"}}, NotFoundError, "namespace web does not", id="no ns"),
    ],
)
def test_refused(status: int, body: object, error: type[RotatorError], message: str) -> None:
    """Each refusal is of its class, says its reason, and repeats no value of the Status."""
    with pytest.raises(error, match=message) as caught:
        check_answer(answer(status, body), ASK, "prod")
    assert CANARY not in str(caught.value)
    assert str(caught.value).startswith("prod: patch secrets web/regcred: ")


def test_answer_of_a_proxy() -> None:
    """A refusal in HTML is a refusal all the same."""
    with pytest.raises(PermissionDeniedError, match=r"a ClusterRole: .*namespaces"):
        check_answer(Response(403, {}, b"<html>"), Ask("list", "namespaces"), "prod")
