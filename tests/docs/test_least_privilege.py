"""The page about rights has a row for each vendor that is known."""

from __future__ import annotations

import re
from pathlib import Path

from rotator.domain.privilege import INSTEAD, SCOPES
from rotator.providers import PROVIDERS

PAGE = (Path(__file__).parents[2] / "docs/least-privilege.md").read_text()


def test_every_vendor_has_a_row() -> None:
    """Each vendor with a remedy or a scope is in the table, and each provider is named on the page."""
    rows = set(re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE))
    assert rows == {*INSTEAD, "custom"}
    assert {row.vendor for row in SCOPES} <= {*rows, "*"}
    assert [name for name in PROVIDERS if f"`{name}`" not in PAGE] == []
