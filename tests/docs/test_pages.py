"""Each provider and each target has a page of its own, and the overview leads to every page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from rotator.providers import PROVIDERS
from rotator.targets import TARGETS

DOCS = Path(__file__).parents[2] / "docs"
PARTS = ["At the vendor", "Configuration", "How it rotates", "How it fails", "What is proven"]
YAML = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
DECISION = ["Context", "Decision", "Consequences"]


def headings(page: Path) -> list[str]:
    """Return the headings of a page's parts."""
    return re.findall(r"^## (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)


def entries(page: Path, section: str) -> list[dict[str, str]]:
    """Return what the examples of a page have in one section."""
    found = [yaml.safe_load(block) for block in YAML.findall(page.read_text())]
    return [entry for one in found for entry in (one.get(section) or {}).values()]


def test_every_provider_has_a_page() -> None:
    """There is one page per row of the table, and none besides."""
    assert sorted(page.stem for page in (DOCS / "registries").glob("*.md")) == sorted(PROVIDERS)


@pytest.mark.parametrize("name", PROVIDERS)
def test_a_providers_page_is_whole(name: str) -> None:
    """It says what to make at the vendor, shows a configuration, and how it rotates, fails and was proven."""
    page = DOCS / f"registries/{name}.md"
    assert headings(page) == PARTS
    assert name in {entry["provider"] for entry in entries(page, "credentials")}
    assert f"configuration.md#provider-{name})" in page.read_text()
    assert re.search(r"`test_\w+`|`tests/\w+`", page.read_text().partition("## What is proven")[2])


def test_every_target_has_a_page() -> None:
    """There is one page per row of the table, and none besides."""
    assert sorted(page.stem for page in (DOCS / "targets").glob("*.md")) == sorted(TARGETS)


@pytest.mark.parametrize("name", TARGETS)
def test_a_targets_page_is_whole(name: str) -> None:
    """It says what is changed, how it is known, which rights suffice and how to undo it, and shows a configuration."""
    page = DOCS / f"targets/{name}.md"
    for wanted in ("it changes|it sends", "confirmed|done|Example", "Least permissions", "undo|says no"):
        assert any(re.search(wanted, heading) for heading in headings(page)), wanted
    assert name in {entry["type"] for entry in entries(page, "targets")}


def test_the_overview_leads_to_every_page() -> None:
    """docs/README.md has a link to each page of the folder and its sub-folders, but for runbooks."""
    text = (DOCS / "README.md").read_text()
    pages = {str(page.relative_to(DOCS)) for page in DOCS.rglob("*.md")} - {"README.md"}
    wanted = {page for page in pages if not page.startswith("runbooks/")}
    assert wanted - set(re.findall(r"\]\(([\w/.-]+\.md)", text)) == set(), "give it a line in docs/README.md"


@pytest.mark.parametrize("page", sorted((DOCS / "decisions").glob("*.md")), ids=lambda page: page.stem)
def test_a_decision_is_short_and_whole(page: Path) -> None:
    """A decision is numbered, has its three parts, and can be read in a minute."""
    assert re.fullmatch(r"\d{4}-[a-z0-9-]+", page.stem)
    assert headings(page) == DECISION
    assert len(page.read_text().split()) <= 350


def test_decisions_are_numbered_without_gaps() -> None:
    """The numbers of the decisions are 1, 2, 3 and so on."""
    numbers = [int(page.stem[:4]) for page in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
