"""Which namespaces are meant is decided by patterns; what is going away is never meant."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.targets.kubernetes.config import NamespaceRules
from rotator.targets.kubernetes.namespaces import (
    Namespace,
    Selection,
    fixed_names,
    parse_namespace,
    parse_selection,
    select,
)

ALL = [Namespace("web"), Namespace("web-1"), Namespace("db"), Namespace("web-old", terminating=True)]


@pytest.mark.parametrize(
    ("selection", "names"),
    [
        pytest.param(Selection(("web",)), ["web"], id="name"),
        pytest.param(Selection(("web*",)), ["web", "web-1"], id="any text"),
        pytest.param(Selection(("web-?",)), ["web-1"], id="one character"),
        pytest.param(Selection(("*",), ("web",)), ["db", "web-1"], id="exclude wins"),
        pytest.param(Selection(("web", "w*")), ["web", "web-1"], id="each once"),
        pytest.param(Selection(("none",)), [], id="nothing"),
    ],
)
def test_select(selection: Selection, names: list[str]) -> None:
    """The selected names are sorted and unique, without those that go away."""
    assert select(selection, ALL) == names


@pytest.mark.parametrize(
    ("selection", "fixed"),
    [
        pytest.param(Selection(("web", "db")), True, id="names"),
        pytest.param(Selection(("web", "d?")), False, id="pattern"),
        pytest.param(Selection(("web",), (), "team=web"), False, id="selector"),
        pytest.param(Selection(("web",), ("w*",)), True, id="pattern in exclude"),
    ],
)
def test_is_fixed(selection: Selection, *, fixed: bool) -> None:
    """Only plain names are known without asking the cluster."""
    assert selection.is_fixed is fixed


def test_fixed_names() -> None:
    """Fixed names pass through exclude, too."""
    assert fixed_names(Selection(("web", "db", "web"), ("d*",))) == ["web"]


def test_parse_selection() -> None:
    """A list is names; rules carry exclude and selector."""
    rules = NamespaceRules(include=["a*"], exclude=["ab"], selector=" team=web ")
    assert parse_selection(["a"]) == Selection(("a",))
    assert parse_selection(rules) == Selection(("a*",), ("ab",), "team=web")


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        pytest.param({"metadata": {"name": "a"}}, Namespace("a"), id="bare"),
        pytest.param({"metadata": {"name": "a"}, "status": {"phase": "Terminating"}}, Namespace("a", True), id="phase"),  # noqa: FBT003
        pytest.param({"metadata": {"name": "a", "deletionTimestamp": "x"}}, Namespace("a", True), id="stamp"),  # noqa: FBT003
        pytest.param({"metadata": {"name": "a"}, "status": []}, Namespace("a"), id="garbage status"),
        pytest.param({"metadata": {"resourceVersion": "1"}}, None, id="bookmark"),
        pytest.param({"metadata": []}, None, id="garbage metadata"),
        pytest.param([], None, id="no object"),
        pytest.param(None, None, id="nothing"),
    ],
)
def test_parse_namespace(body: Any, expected: Namespace | None) -> None:
    """A namespace is read from an API object; garbage is no namespace."""
    assert parse_namespace(body) == expected
