"""The IAM policies that ship: well-formed, no more than what is called, and no less."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "deploy/aws").glob("*.json"))
PULL = {"ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"}
"""What the registry asks of a login when images are pulled
(docs.aws.amazon.com/AmazonECR/latest/userguide/image-push-iam.html, read 2026-11-28)."""
BEARER = "sts:GetServiceBearerToken"
"""A permission without an operation: AWS asks for it behind ``ecr-public:GetAuthorizationToken``
(docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html, read 2026-11-28)."""
WITHOUT_RESOURCE = {"ecr:GetAuthorizationToken", "ecr-public:GetAuthorizationToken", BEARER}


def statements(name: str) -> list[dict[str, Any]]:
    """Return the statements of a policy."""
    found: list[dict[str, Any]] = json.loads((ROOT / "deploy/aws" / name).read_text())["Statement"]
    return found


def actions(statement: dict[str, Any]) -> set[str]:
    """Return the actions of a statement."""
    said = statement["Action"]
    return {said} if isinstance(said, str) else set(said)


def granted(name: str) -> set[str]:
    """Return every action of a policy."""
    return {action for statement in statements(name) for action in actions(statement)}


def called(module: str, service: str) -> set[str]:
    """Return the operations of a service that a module of ours calls on its client, as actions."""
    client = botocore.session.get_session().create_client(service, region_name="us-east-1")
    operations = client.meta.method_to_api_mapping
    tree = ast.parse((ROOT / "rotator" / module).read_text())
    return {f"{service}:{operations[name]}" for name in methods(tree) if name in operations}


def methods(tree: ast.AST) -> Iterator[str]:
    """Return what is taken of anything called ``client``."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client":
            yield node.attr


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_policies_are_minimal_in_form(path: Path) -> None:
    """Each statement allows named actions on named things; all of a kind only where AWS knows no less."""
    body = json.loads(path.read_text())
    assert (set(body), body["Version"]) == ({"Version", "Statement"}, "2012-10-17")
    for statement in body["Statement"]:
        assert statement["Effect"] == "Allow"
        assert statement["Sid"].isalnum()
        assert "*" not in "".join(actions(statement))
        assert ("Resource" in statement) != ("Principal" in statement)
        if statement.get("Resource") == "*":
            assert actions(statement) <= WITHOUT_RESOURCE


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_action_exists(path: Path) -> None:
    """AWS would take a misspelt action without a word; each is an operation of its service."""
    session = botocore.session.get_session()
    for action in granted(path.name) - {BEARER}:
        service, _, operation = action.partition(":")
        assert operation in session.get_service_model(service).operation_names


@pytest.mark.parametrize(
    ("name", "module", "service", "besides"),
    [
        pytest.param("ecr-pull.json", "providers/aws.py", "ecr", PULL, id="ecr"),
        pytest.param("ecr-public.json", "providers/aws.py", "ecr-public", {BEARER}, id="ecr_public"),
        pytest.param("assume-role.json", "aws/call.py", "sts", set(), id="assume_role"),
        pytest.param("secrets-manager.json", "targets/aws_secrets_manager.py", "secretsmanager", set(), id="target"),
    ],
)
def test_what_is_called_is_granted(name: str, module: str, service: str, besides: set[str]) -> None:
    """A policy grants exactly the operations that the code calls, and what AWS asks for behind them."""
    operations = called(module, service)
    assert operations
    assert granted(name) == operations | besides


def test_a_role_trusts_one_caller_who_knows_the_external_id() -> None:
    """The trust policy names a role, not an account or everybody, and wants the external id."""
    (statement,) = statements("assume-role-trust.json")
    assert ":role/" in statement["Principal"]["AWS"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": "rotator"}}
    assert granted("assume-role-trust.json") == granted("assume-role.json")


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_documents_name_every_policy(path: Path) -> None:
    """Each file is linked from the page about security or that of its target."""
    pages = (ROOT / "docs/security.md", ROOT / "docs/targets/aws_secrets_manager.md")
    assert any(f"deploy/aws/{path.name})" in page.read_text() for page in pages)
