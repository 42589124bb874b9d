"""What the pages for the person on call tell them to type was typed: every command of every page, every query."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMQL = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LAST = ("rotate", "rollback", "leak", "targets reveal", "targets ack")
"""What changes something, in the order in which one makes the other possible. All else is run before."""

PERSONS = ("targets reveal", "targets ack")
"""What is about the one target that a person fills in."""

NEEDED = "$ rotator status"
"""Ends with 1, since a person is needed at that target when it is run."""


def commands() -> list[str]:
    """Return each distinct command of all pages; those that differ in the reason alone are one."""
    lines = [line for page in PAGES for block in CONSOLE.findall(page.read_text()) for line in block.splitlines()]
    found = dict.fromkeys(re.sub(r'--reason "[^"]*"', '--reason "tried out"', line) for line in lines)
    return sorted(found, key=rank)


def rank(line: str) -> int:
    """Return when a command is to be run: 0 for what changes nothing."""
    return next((place for place, verb in enumerate(LAST, 1) if line.startswith(f"$ rotator {verb} ")), 0)


def fillings(world: Any) -> dict[str, str]:
    """Return what stands for what in the pages, here."""
    return {
        "NAME": "app",
        "TARGET": "here",
        "IMAGE": f"{world.registry}/team/form:1",
        "NAMESPACE": "web",
        "GENERATION": "1",
        "/etc/rotator/rotator.yaml": str(world.directory / "rotator.yaml"),
        "/run/rotator/admin.sock": str(world.directory / "admin.sock"),
        "/etc/prometheus/prometheus.yml": str(world.directory / "prometheus.yml"),
        "http://127.0.0.1:9090": world.prometheus,
    }


def fill_in(line: str, fillings: dict[str, str]) -> list[str]:
    """Return the words of a command as somebody would type them here."""
    if line.startswith(tuple(f"$ rotator {verb} " for verb in PERSONS)):
        fillings = {**fillings, "TARGET": "tago"}
    return [fillings.get(word, word) for word in shlex.split(line.removeprefix("$ "))]


@pytest.mark.asyncio(loop_scope="module")
async def test_every_command_was_typed(on_call: Any) -> None:
    """Each command of each page ends well where a daemon, a cluster and a Prometheus are, and shows no defect."""
    failed, lines = {}, commands()
    assert len(lines) > len(LAST)
    ends = on_call.run_all([fill_in(line, fillings(on_call)) for line in lines])
    for line in lines:
        ended = await anext(ends)
        if ended.code != (line == NEEDED) or "Traceback" in ended.text:
            failed[line] = (ended.code, ended.text)
    await ends.aclose()
    assert failed == {}


@pytest.mark.asyncio(loop_scope="module")
async def test_every_query_was_asked(on_call: Any) -> None:
    """A Prometheus that scrapes the daemon answers every query of every page."""
    queries = {query for page in PAGES for block in PROMQL.findall(page.read_text()) for query in block.splitlines()}
    refused = {}
    assert len(queries) > 1
    async with aiohttp.ClientSession() as session:
        for query in queries:
            async with session.get(f"{on_call.prometheus}/api/v1/query", params={"query": query}) as answer:
                if answer.status != 200:
                    refused[query] = await answer.text()
    assert refused == {}


def test_what_is_filled_in_is_explained() -> None:
    """The table on the overview page has a row for each word that is to be replaced, and no other."""
    _, _, section = (ROOT / "docs/alerts.md").read_text().partition("## The pages\n")
    rows = re.findall(r"^\| `([^`]+)` \|", section.partition("\n## ")[0], re.MULTILINE)
    assert rows == list(fillings(_Nowhere()))


def test_every_word_to_fill_in_is_known() -> None:
    """No command of a page has a word in capitals that is not in the table."""
    words = {word for line in commands() for word in line.split() if re.fullmatch(r"[A-Z]{3,}", word)}
    assert words <= set(fillings(_Nowhere()))


class _Nowhere:
    directory, registry, prometheus = Path("/"), "registry", "http://prometheus"
