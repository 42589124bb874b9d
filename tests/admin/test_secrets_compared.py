"""SR-17: secrets are compared in constant time, and nowhere by ``==``."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2] / "rotator"
SECRET = re.compile(r"(^|_)(token|tokens|secret|secrets|password|passwd|passphrase|api_key|session|csrf|nonce)$")
ALLOWED = {
    "domain/model.py": "whether a login's two parts are the same, for itself",
    "providers/from_source.py": "two revisions, which are no secrets",
    "providers/quay.py": "two of Secret, whose equality is hmac.compare_digest",
    "targets/aws_secrets_manager.py": "names of AWS's secrets",
    "targets/kubernetes/service_account.py": "names of Kubernetes Secrets",
    "targets/kubernetes/target.py": "names of Kubernetes Secrets",
}
"""Files in which one thing is compared that is only named like a secret, or by nobody who could guess."""


FILES = [path for path in sorted(ROOT.rglob("*.py")) if "sandbox" not in path.parts]


def compared(source: str) -> list[int]:
    """Return the lines in which something that is named like a secret is compared by ``==``, ``!=`` or ``in``."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Compare):
            continue
        if not any(isinstance(one, ast.Eq | ast.NotEq | ast.In | ast.NotIn) for one in node.ops):
            continue
        sides = [node.left, *node.comparators]
        is_harmless = any(_is_plain(side) for side in sides) or _looks_for_a_word(node)
        if any(SECRET.search(_name(side)) for side in sides) and not is_harmless:
            found.append(node.lineno)
    return found


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case ast.Call(func=ast.Attribute(attr="reveal")):
            return "secret"
        case ast.Call(func=inner):
            return _name(inner)
        case _:
            return ""


def _looks_for_a_word(node: ast.Compare) -> bool:
    """Return whether it asks whether a text that everybody knows is within another."""
    return isinstance(node.left, ast.Constant) and isinstance(node.ops[0], ast.In | ast.NotIn)


def _is_plain(node: ast.expr) -> bool:
    """Return whether it is a number or an empty text, which is no secret."""
    return isinstance(node, ast.Constant) and (not node.value or not isinstance(node.value, str | bytes))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_secret_is_compared_by_equality(path: Path) -> None:
    """SR-17: nothing that is named like a secret is compared by ``==``, whose time tells how much of it was right."""
    assert len(compared(path.read_text())) == (str(path.relative_to(ROOT)) in ALLOWED)


@pytest.mark.parametrize(
    ("source", "is_found"),
    [
        pytest.param("shown == self._token", True, id="a token"),
        pytest.param("if one.password != other.password: pass", True, id="passwords"),
        pytest.param("a == b.reveal()", True, id="what was revealed"),
        pytest.param("if token not in self._tokens: pass", True, id="one of many"),
        pytest.param("' ' in token", False, id="a word in a token"),
        pytest.param("compare_digest(token, known)", False, id="in constant time"),
        pytest.param("token == ''", False, id="nothing"),
        pytest.param("code == 'token_required'", False, id="a word about tokens"),
    ],
)
def test_the_search_finds_them(source: str, is_found: bool) -> None:  # noqa: FBT001 (a row)
    """The search finds what it is for, and nothing else."""
    assert bool(compared(source)) == is_found
