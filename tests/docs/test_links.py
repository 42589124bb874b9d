"""The documents tell the truth, as far as a program can see: links, commands, names, snippets, messages."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import textwrap
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import typer.core
import typer.main

from rotator.cli.main import app
from rotator.config.load import load
from rotator.kinds import kinds
from rotator.metrics import CATALOGUE
from rotator.providers import PROVIDERS
from rotator.sources import SOURCES
from rotator.targets import TARGETS

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
INSTALLED_AT = ("/opt/rotator", "/etc/rotator", "/var/lib/rotator")
"""Where the documents themselves install things; a checkout there cannot be told from them."""


def files(pattern: str = "*") -> list[Path]:
    """Return every file of the repository, committed or about to be."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", pattern]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return sorted({path for line in done.stdout.splitlines() if (path := ROOT / line).is_file()})


PAGES = files("*.md")


def name_of(path: Path) -> str:
    """Return a page's path for a test's id."""
    return str(path.relative_to(ROOT))


@cache
def anchors(page: Path) -> frozenset[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    text = FENCE.sub("", page.read_text())
    headings = re.findall(r"^#+ +(.+?) *$", text, re.MULTILINE)
    return frozenset(re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings)


def broken(page: Path, link: str) -> str:
    """Return what is wrong with a relative link; empty when nothing is."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return f"{link}: there is no such file"
    return f"{link}: there is no such heading" if anchor and anchor not in anchors(target) else ""


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Each relative link of a page leads to a file, and each anchor to a heading."""
    links = [link for link in LINK.findall(FENCE.sub("", page.read_text())) if not urlsplit(link).scheme]
    assert [complaint for link in links if (complaint := broken(page, link))] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_make_target_exists(page: Path) -> None:
    """Whatever a page tells to make can be made."""
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"(?:`|[$#] )make ([a-z]+)", page.read_text())) <= known


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_command_exists(page: Path) -> None:
    """Whatever command of the program a page names is one."""
    program = typer.main.get_command(app)
    assert isinstance(program, typer.core.TyperGroup)
    text = page.read_text()
    named = re.findall(r"(?:`|/bin/)rotator ([a-z]+)", text)
    for _, body in FENCE.findall(text):
        named += re.findall(r"^ *(?:[$#] )?rotator ([a-z]+)", body, re.MULTILINE)
    assert set(named) <= set(program.commands)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_metric_exists(page: Path) -> None:
    """Each metric that a page names is in the catalogue."""
    named = {re.sub(r"_(bucket|count|sum)$", "", name) for name in re.findall(r"\brotator_[a-z_]+", page.read_text())}
    assert named <= set(CATALOGUE)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_test_exists(page: Path) -> None:
    """Each test that a page names as evidence is there."""
    named = set(re.findall(r"`(?:\S*::)?(test_\w+)`", page.read_text()))
    defined = {
        name for path in files("tests/*.py") for name in re.findall(r"def (test_\w+)", path.read_text()) if named
    }
    assert named <= defined


def snippets() -> list[tuple[str, str]]:
    """Return every whole configuration in a page, in a block of its own or as a shell's here-document."""
    found = []
    for page in PAGES:
        for language, body in FENCE.findall(page.read_text()):
            texts = (
                [body]
                if language == "yaml"
                else re.findall(r"<<'?(?:END|EOF)'?\n(.*?)^ *END$", body, re.MULTILINE | re.DOTALL)
            )
            found += [(name_of(page), textwrap.dedent(text)) for text in texts]
    return [(page, text) for page, text in found if text.startswith("version: 1\n")]


SNIPPETS = snippets()


def test_there_are_configurations_to_check() -> None:
    """The search finds the one that a newcomer copies first."""
    assert "README.md" in {page for page, _ in SNIPPETS}


@pytest.mark.parametrize("text", [text for _, text in SNIPPETS], ids=[page for page, _ in SNIPPETS])
def test_every_configuration_loads(text: str, tmp_path: Path) -> None:
    """A configuration in a page is valid as it stands."""
    path = tmp_path / "rotator.yaml"
    path.write_text(text)
    assert load(path, kinds()).version == 1


@pytest.mark.parametrize(
    ("heading", "rows"),
    [
        pytest.param("provider", PROVIDERS, id="provider"),
        pytest.param("target", TARGETS, id="target"),
        pytest.param("source", SOURCES, id="source"),
    ],
)
def test_the_readme_names_what_there_is(heading: str, rows: dict[str, str]) -> None:
    """The README's tables have one row for each provider, target and source, and no other."""
    table = re.search(rf"^\| {heading} \|.*\n\|[-|]+\n((?:\|.*\n)+)", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert table is not None
    assert sorted(re.findall(r"^\| `(\w+)` \|", table.group(1), re.MULTILINE)) == sorted(rows)


@cache
def texts() -> str:
    """Return every text in the program's code; what is filled in at run time is left out."""
    nodes = (node for path in files("rotator/*.py") for node in ast.walk(ast.parse(path.read_text())))
    return "\0".join(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def messages() -> list[str]:
    """Return the messages in the tables of the operations page."""
    _, _, section = (ROOT / "docs" / "operations.md").read_text().partition("## Messages")
    cells = re.findall(r"^\| (`.*?) \|", section, re.MULTILINE)
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


@pytest.mark.parametrize("message", messages())
def test_every_message_is_one_the_program_says(message: str) -> None:
    """What a person looks for in the table of messages is what the program prints; "..." stands for what varies."""
    fragments = [fragment.strip(" :,;") for fragment in message.split("...")]
    assert [fragment for fragment in fragments if fragment not in texts()] == []


def index_hosts() -> set[str]:
    """Return the hosts of package indexes: the public ones, and whatever this machine uses."""
    public = {"".join(parts) for parts in (("pypi", ".org"), ("python", "hosted.org"), ("proxy.golang", ".org"))}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True)
    variables = " ".join(value for name, value in os.environ.items() if name.startswith(("PIP_", "UV_")))
    urls = re.findall(r"https?://[^\s'\"]+", f"{listed.stdout} {variables}")
    return public | {host for url in urls if (host := urlsplit(url).hostname)}


def test_no_file_names_a_package_index_or_this_checkout() -> None:
    """Nothing in the repository depends on where packages come from, or on where it was checked out."""
    words = index_hosts() - {"localhost", "127.0.0.1"}
    if not str(ROOT).startswith(INSTALLED_AT) and len(ROOT.parts) > 2:
        words.add(str(ROOT))
    found = [f"{name_of(path)}: {word}" for path in files() for word in words if word.encode() in path.read_bytes()]
    assert found == []
