"""JSON Patch: the operations ``test``, ``add``, ``replace`` and ``remove``. Pure.

Source: RFC 6902; paths are JSON Pointers, RFC 6901.
"""

from __future__ import annotations

import copy
from typing import Any


class PatchError(Exception):
    """The patch cannot be applied: a test failed, or a path does not exist."""


def apply_json_patch(document: Any, operations: Any) -> Any:
    """Return ``document`` with ``operations`` applied, all or none; ``document`` stays as it is.

    Raises:
        PatchError: An operation failed.
        ValueError: The patch is not a list of operations known here.
    """
    if not isinstance(operations, list):
        raise ValueError("a JSON patch is a list")  # noqa: TRY004 (one error class for every malformed patch)
    patched = copy.deepcopy(document)
    for operation in operations:
        _apply_one(patched, operation)
    return patched


def _apply_one(document: Any, operation: Any) -> None:
    if not isinstance(operation, dict) or not isinstance(operation.get("path"), str):
        raise ValueError("an operation needs op and path")  # noqa: TRY004 (as above)
    *parents, last = _tokens(operation["path"])
    parent = document
    for token in parents:
        parent = _child(parent, token)
    match operation.get("op"):
        case "test":
            if _child(parent, last) != operation.get("value"):
                raise PatchError(f"testing value {operation['path']} failed: test failed")
        case "add":
            _add(parent, last, operation.get("value"))
        case "replace":
            _child(parent, last)
            _set(parent, last, operation.get("value"))
        case "remove":
            _child(parent, last)
            del parent[int(last) if isinstance(parent, list) else last]
        case other:
            raise ValueError(f"unknown operation {other!r}")


def _tokens(path: str) -> list[str]:
    if not path.startswith("/"):
        raise ValueError("a path starts with a slash")
    return [token.replace("~1", "/").replace("~0", "~") for token in path[1:].split("/")]


def _child(parent: Any, token: str) -> Any:
    if isinstance(parent, dict) and token in parent:
        return parent[token]
    if isinstance(parent, list) and token.isdigit() and int(token) < len(parent):
        return parent[int(token)]
    raise PatchError(f"the path {token!r} does not exist")


def _add(parent: Any, token: str, value: Any) -> None:
    if isinstance(parent, dict):
        parent[token] = value
    elif isinstance(parent, list) and token == "-":  # noqa: S105 (a token of a path)
        parent.append(value)
    elif isinstance(parent, list) and token.isdigit() and int(token) <= len(parent):
        parent.insert(int(token), value)
    else:
        raise PatchError(f"nothing can be added at {token!r}")


def _set(parent: Any, token: str, value: Any) -> None:
    if isinstance(parent, list):
        parent[int(token)] = value
    else:
        parent[token] = value
