"""The sandbox Vault keeps to policies as Vault does."""

from __future__ import annotations

import pytest

from rotator.sandbox.vault_policy import parse_policy

POLICY = """
path "kv/data/*" { capabilities = ["read"] } # a comment
path "kv/data/+/shared" { capabilities = ["list"] }
path "kv/data/team/shared" { capabilities = ["create", "update"] }
path "kv/data/closed" { capabilities = ["deny", "read"] }
"""


@pytest.mark.parametrize(
    ("path", "capability", "may"),
    [
        pytest.param("kv/data/a/b", "read", True, id="any rest"),
        pytest.param("kv/data/a", "update", False, id="not what the rule lacks"),
        pytest.param("kv/metadata/a", "read", False, id="nothing covers it"),
        pytest.param("kv/data/x/shared", "read", False, id="a rest gives way to a name"),
        pytest.param("kv/data/x/shared", "list", True, id="which decides alone"),
        pytest.param("kv/data/team/shared", "update", True, id="an exact path decides"),
        pytest.param("kv/data/team/shared", "read", False, id="and alone"),
        pytest.param("kv/data/closed", "read", False, id="deny wins"),
    ],
)
def test_the_most_specific_rule_decides(path: str, capability: str, *, may: bool) -> None:
    """One rule decides, not the sum of all that cover a path."""
    assert parse_policy(POLICY).allows(path, capability) is may


def test_a_plus_is_one_segment() -> None:
    """A plus stands for one name and not for a folder's content."""
    acl = parse_policy('path "kv/data/+" { capabilities = ["read"] }')
    assert acl.allows("kv/data/a", "read")
    assert not acl.allows("kv/data/a/b", "read")
    assert not acl.allows("kv/data/", "read")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('path "a" { policy = "read" }', id="an old word"),
        pytest.param('path "a" { capabilities = ["write"] }', id="no capability"),
        pytest.param("allow everything", id="no policy"),
    ],
)
def test_what_is_not_understood_is_refused(text: str) -> None:
    """A policy that the sandbox would read otherwise than Vault is a mistake, not an empty one."""
    with pytest.raises(ValueError, match=r"not a policy|no such capability"):
        parse_policy(text)
