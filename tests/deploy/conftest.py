"""The alert rules, read once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def rules() -> list[dict[str, Any]]:
    """Return every rule of deploy/prometheus/rotator.rules.yaml, recorded series and alerts."""
    text = (ROOT / "deploy/prometheus/rotator.rules.yaml").read_text()
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.fixture(scope="session")
def alerts(rules: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rules that are alerts."""
    return [rule for rule in rules if "alert" in rule]
