"""Refuse what cannot be a registry login before anything is done with it.

A source that is half broken rarely fails: it hands over an empty text, a template that was not filled in, an error
page, a key with the newline of the editor. Each refusal names the reason and never the value.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import unicodedata
from typing import TYPE_CHECKING

from rotator.errors import ShapeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from rotator.domain.model import Login

MAX_BYTES = 65536
"""More than any registry's token (Amazon ECR: about 3 kB) and any service account key (about 2.4 kB)."""
MAX_USERNAME_CHARS = 512
JSON_KEY = "_json_key"
"""The user name under which Google's registries take a whole service account key, a JSON document, as password.

Source: reference documentation of Google Artifact Registry, "Configure authentication for Docker".
"""

_EMPTY_WORDS = frozenset({"null", "undefined", "none", "nil", "nan", "<nil>", "<none>", "[object object]"})
_LEFTOVER = re.compile(r"<no value>|\$\{[^${}\n]*\}|\{\{[^{}\n]*\}\}|<%[^%\n]*%>", re.ASCII)
_PAGE = re.compile(r"\s*<(?:!doctype|html|head|body|\?xml)\b", re.ASCII | re.IGNORECASE)
_PULL_SECRET = re.compile(r"\s*\{\s*\"(?:auths?|credHelpers|credsStore)\"\s*:", re.ASCII)
_HEADER = re.compile(r"(?:authorization:|basic |bearer )", re.ASCII | re.IGNORECASE)
_MASKED = re.compile(r"[*•●]+")
_INVISIBLE = frozenset({"Cf", "Zl", "Zp"})
_LINE_WHITE_SPACE = "\n\r\t"


def check_shape(login: Login, *, max_bytes: int = MAX_BYTES) -> None:
    """Refuse ``login`` when it cannot be one, whatever the registry.

    Args:
        login: The login. Secret.
        max_bytes: The longest secret, in bytes of UTF-8, that is taken for one.

    Raises:
        ShapeError: Names the first reason found, never any part of the user name or the secret.
    """
    problem = _username_problem(login.username)
    if problem:
        raise ShapeError(f"the user name {problem}", hint="look at what the source holds; nothing was changed")
    problem = _secret_problem(login.secret.reveal(), login.username, max_bytes)
    if problem:
        raise ShapeError(f"the secret {problem}", hint="look at what the source holds; nothing was changed")


def _username_problem(username: str) -> str | None:
    checks: tuple[tuple[bool, str], ...] = (
        (not username, "is empty"),
        (":" in username, "contains ':', which ends a user name wherever it is sent"),
        (len(username) > MAX_USERNAME_CHARS, f"is longer than {MAX_USERNAME_CHARS} characters"),
        (username.lower() in _EMPTY_WORDS, "is a word for nothing"),
    )
    problem = next((reason for applies, reason in checks if applies), None)
    return problem or _text_problem(username) or _template_problem(username)


def _secret_problem(secret: str, username: str, max_bytes: int) -> str | None:
    if not secret:
        return "is empty"
    if secret.lower() in _EMPTY_WORDS:
        return "is a word for nothing"
    is_json_key = username == JSON_KEY
    text = "".join(char for char in secret if char not in _LINE_WHITE_SPACE) if is_json_key else secret
    problem = _edge_problem(secret) or _page_problem(secret) or _text_problem(text) or _size_problem(secret, max_bytes)
    if problem:
        return problem
    return _json_key_problem(secret) if is_json_key else _token_problem(secret, username)


def _token_problem(secret: str, username: str) -> str | None:
    checks: tuple[Callable[[], str | None], ...] = (
        lambda: _template_problem(secret),
        lambda: "is a row of asterisks, as a page shows instead of a secret" if _MASKED.fullmatch(secret) else None,
        lambda: "is a whole HTTP header, not a password" if _HEADER.match(secret) else None,
        lambda: _base64_problem(secret, username),
    )
    return next((problem for problem in (check() for check in checks) if problem), None)


def _edge_problem(text: str) -> str | None:
    return "has white space at its beginning or end" if text != text.strip() else None


def _text_problem(text: str) -> str | None:
    """Return what is wrong with the characters of one line of text."""
    categories = {unicodedata.category(char) for char in text}
    if "Cc" in categories:
        return "contains a control character (a line end, a NUL, a tab)"
    if "Cs" in categories:
        return "cannot be encoded as UTF-8"
    if categories & _INVISIBLE:
        return "contains an invisible character (a byte order mark, a zero-width space)"
    return _edge_problem(text)


def _size_problem(secret: str, max_bytes: int) -> str | None:
    size = len(secret.encode())
    return f"has {size} bytes; at most {max_bytes} are taken" if size > max_bytes else None


def _template_problem(text: str) -> str | None:
    return "holds a template that was not filled in" if _LEFTOVER.search(text) else None


def _page_problem(secret: str) -> str | None:
    if _PAGE.match(secret):
        return "is a web page or XML document, not a password"
    return "is a docker configuration, not a password" if _PULL_SECRET.match(secret) else None


def _base64_problem(secret: str, username: str) -> str | None:
    try:
        decoded = base64.b64decode(secret, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not decoded.strip(b" \t\r\n\0:"):
        return "is base64 of nothing"
    if decoded.startswith(f"{username}:".encode()):
        return "is base64 of user name and password together, not the password"
    return None


def _json_key_problem(secret: str) -> str | None:
    # The parser's error carries the whole text; it must not travel along as the context of ours.
    try:
        document = json.loads(secret)
    except (ValueError, RecursionError):
        return "is not the JSON document that this user name stands for"
    if not isinstance(document, dict) or not document:
        return "is not the JSON document that this user name stands for"
    return None
