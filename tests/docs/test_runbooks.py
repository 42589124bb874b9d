"""Every alert has a page for the person on call, and what the page tells them to type can be typed."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy/prometheus/rotator.rules.yaml"
PAGES = sorted((ROOT / "docs/runbooks").glob("*.md"))
HEADINGS = ["Meaning", "Impact", "Time left", "Diagnosis", "Safe to do now", "Do not", "Mitigation"]
CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PROMQL = re.compile(r"^```promql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
KUBECTL = {
    "describe": {"-n"},
    "get": {"-n", "-A", "-l", "-o", "--field-selector"},
    "logs": {"-n", "--since", "--tail", "--previous"},
    "rollout restart": {"-n"},
}
"""What the pages may ask of kubectl, none of which shows a Secret's content or deletes anything; options as in
https://kubernetes.io/docs/reference/kubectl/generated/ (read 2026-11-28)."""

SECRET = re.compile(r"\bsecrets?\b")


def alerts() -> dict[str, list[dict[str, str]]]:
    """Return the labels of the rules of every alert."""
    found: dict[str, list[dict[str, str]]] = {}
    for group in yaml.safe_load(RULES.read_text())["groups"]:
        for rule in group["rules"]:
            if "alert" in rule:
                found.setdefault(rule["alert"], []).append(rule["labels"])
    return found


def fault_of_kubectl(words: list[str]) -> str:
    """Return what is wrong with kubectl's arguments; empty for nothing."""
    verb = next((verb for verb in KUBECTL if words[: len(verb.split())] == verb.split()), None)
    if verb is None:
        return f"kubectl {words[0]} is none of {sorted(KUBECTL)}"
    options = {word.partition("=")[0] for word in words if word.startswith("-")}
    if options - KUBECTL[verb]:
        return f"kubectl {verb} with {sorted(options - KUBECTL[verb])}"
    prints_all = any(
        words[index] == "-o" and not words[index + 1].startswith("jsonpath=") for index in range(len(words))
    )
    return "prints a Secret" if SECRET.search(" ".join(words)) and prints_all else ""


def fault_of(line: str, program: Callable[[str], str], rotator: Callable[[list[str]], str]) -> str:
    """Return what is wrong with one line of a console; empty for nothing."""
    if not line.startswith("$ "):
        return "is no command"
    name, *words = shlex.split(line[2:].replace("GENERATION", "1"))
    if name == "rotator":
        return rotator(words)
    if name == "kubectl":
        return fault_of_kubectl(words)
    if name == "promtool":
        command = [program("promtool"), *words[:2], "--help"]
        return (
            "" if subprocess.run(command, capture_output=True, check=False).returncode == 0 else "promtool has it not"
        )
    return f"{name} is not one of rotator, kubectl, promtool"


def test_every_alert_has_a_page() -> None:
    """There is one page per alert, and none besides."""
    assert [page.stem for page in PAGES] == sorted(alerts())


def test_the_overview_names_every_alert() -> None:
    """The table in docs/alerts.md has every alert with its severities, and no other."""
    rows = re.findall(
        r"^\| \[`(\w+)`\]\(runbooks/\1\.md\) \| ([a-z, ]+) \|", (ROOT / "docs/alerts.md").read_text(), re.MULTILINE
    )
    severities = {name: {one["severity"] for one in rules} for name, rules in alerts().items()}
    assert {name: set(text.split(", ")) for name, text in rows} == severities
    assert len(rows) == len(severities)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_page_has_every_part(page: Path) -> None:
    """A page is called like its alert, has all headings in one order, and something below each."""
    title, *parts = re.split(r"^## ", page.read_text(), flags=re.MULTILINE)
    assert title.strip() == f"# {page.stem}"
    assert [part.partition("\n")[0] for part in parts] == HEADINGS
    assert all(part.partition("\n")[2].strip() for part in parts)
    assert PROMQL.search(parts[HEADINGS.index("Time left")]), "the time left is a query"
    assert len(page.read_text().splitlines()) <= 80, "nobody reads more at night"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_commands_can_be_typed(
    page: Path, program: Callable[[str], str], fault_of_rotator: Callable[[list[str]], str]
) -> None:
    """Each command of a page is one that its program takes, with these arguments and options."""
    lines = [line for block in CONSOLE.findall(page.read_text()) for line in block.splitlines()]
    assert {line: fault for line in lines if (fault := fault_of(line, program, fault_of_rotator))} == {}


def test_the_queries_are_queries(program: Callable[[str], str], tmp_path: Path) -> None:
    """Prometheus accepts every query of every page."""
    queries = [query for page in PAGES for block in PROMQL.findall(page.read_text()) for query in block.splitlines()]
    rules = [{"record": f"query_{number}", "expr": query} for number, query in enumerate(queries)]
    (tmp_path / "queries.yaml").write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    command = [program("promtool"), "check", "rules", str(tmp_path / "queries.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"{len(queries)} rules found" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        pytest.param("$ rotator trigger NAME", "there is no rotator trigger", id="no such command"),
        pytest.param("$ rotator targets tst prod", "there is no rotator targets tst", id="no such sub-command"),
        pytest.param("$ rotator status --limit", "No such option: --limit", id="no such option"),
        pytest.param("$ rotator rotate NAME", "Missing parameter: reason", id="an option is missing"),
        pytest.param("$ rotator rotate --reason r", "Missing parameter: name", id="an argument is missing"),
        pytest.param("$ kubectl delete secret regcred", "kubectl delete is none of", id="deletes"),
        pytest.param("$ kubectl logs --sinse=1h", "kubectl logs with ['--sinse']", id="kubectl's option"),
        pytest.param("$ kubectl get secret regcred -o yaml", "prints a Secret", id="prints a Secret"),
        pytest.param("$ promtool chek config x", "promtool has it not", id="promtool's command"),
        pytest.param("$ systemctl restart rotator", "systemctl is not one of", id="another program"),
        pytest.param("rotator status", "is no command", id="no prompt"),
    ],
)
def test_a_wrong_command_is_found(
    line: str, fault: str, program: Callable[[str], str], fault_of_rotator: Callable[[list[str]], str]
) -> None:
    """A command that its program would refuse, or that shows or deletes a Secret, is found, and said what is wrong."""
    assert fault in fault_of(line, program, fault_of_rotator)
