"""The description of the admin API (OpenAPI 3.1): what the framework knows, and what the gate adds to every path.

``python -m rotator.admin.openapi`` prints it; `docs/openapi.json` is that text.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from rotator.admin.failure import STATUS
from rotator.admin.gate import CUSTOM_HEADER, HOOKS
from rotator.admin.models import Problem, ProblemEnvelope

ENVELOPE = "ProblemEnvelope"
SECURITY = "token"
EVERYWHERE = (401, 403, 421, 429, 500, 503)
"""What may be answered on any path: by the gate, or because the daemon cannot."""

_ABOUT = """What people, scripts and Alertmanager ask of the running daemon.

On its UNIX socket the kernel says who asks, over TCP a bearer token does. GET changes nothing.
"""


def describe(api: FastAPI) -> dict[str, Any]:
    """Return the description of ``api``: each operation with a summary, its headers, and every failure there is."""
    told = get_openapi(title=api.title, version=api.version, description=_ABOUT, routes=api.routes)
    schemas = told.setdefault("components", {}).setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    for model in (Problem, ProblemEnvelope):
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schema.pop("$defs", None)
        schemas[model.__name__] = schema
    told["components"]["securitySchemes"] = {
        SECURITY: {"type": "http", "scheme": "bearer", "description": "A line of admin.tokens_file; only over TCP."}
    }
    told["security"] = [{SECURITY: []}, {}]
    for path, method, operation in _operations(told):
        _complete(path, method, operation)
    return told


def _operations(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in told["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def _complete(path: str, method: str, operation: dict[str, Any]) -> None:
    """Add to one operation what every one has."""
    operation["summary"] = operation["description"].partition("\n")[0].rstrip(".")
    operation["tags"] = [path.split("/")[3]]
    if method == "post" and not path.startswith(HOOKS):
        header = {
            "name": CUSTOM_HEADER,
            "in": "header",
            "required": True,
            "schema": {"type": "string", "minLength": 1, "maxLength": 100, "pattern": "^[a-z]+$"},
            "description": "Any value; no form of another web site can send it.",
        }
        operation.setdefault("parameters", []).append(header)
    responses = operation["responses"]
    responses.pop("default", None)
    for status in _failures(path, method, operation):
        responses[str(status)] = _response(status)


def _failures(path: str, method: str, operation: dict[str, Any]) -> Iterator[int]:
    """Yield the statuses with which an operation may fail."""
    yield from EVERYWHERE
    if "{" in path or path.startswith(HOOKS) or operation.get("parameters"):
        yield HTTPStatus.NOT_FOUND
    if operation.get("parameters") or method == "post":
        yield HTTPStatus.UNPROCESSABLE_ENTITY
    if method == "post":
        yield from (HTTPStatus.CONFLICT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _response(status: int) -> dict[str, Any]:
    codes = ", ".join(sorted(code for code, one in STATUS.items() if one == status)) or "internal"
    return {
        "description": f"{HTTPStatus(status).phrase}. Codes: {codes}",
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{ENVELOPE}"}}},
    }


def text(api: FastAPI) -> str:
    """Return the description as the text of a file: sorted, so that a change shows as what it is."""
    return json.dumps(describe(api), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    from rotator.admin.api import blank_api

    sys.stdout.write(text(blank_api()))
