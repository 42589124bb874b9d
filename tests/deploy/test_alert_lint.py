"""The alert rules keep six rules that Prometheus does not check: it takes a rule that can never fire for a good one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from rotator.metrics import CATALOGUE

ROOT = Path(__file__).parents[2]
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|\{|\}|\[[^\]]*\]|[(),]|=~|!~|==|!=|<=|>=|[-+*/%^<>=]|[\w:.]+|\S')
SCRAPE = {"job", "instance", "namespace", "pod"}
"""Labels that the scrape adds, on a host and in a cluster."""

COMPARE = {"==", "!=", "<", ">", "<=", ">="}
OVER_COUNTERS = {"rate", "irate", "increase", "resets"}
LISTS = {"by", "without", "on", "ignoring", "group_left", "group_right"}
LABELS = ("labels", "annotations")


@dataclass(frozen=True)
class Use:
    """One place where a series is named.

    Args:
        metric: Its name.
        inside: The function or aggregation right around it; empty for none.
        labels: The labels that its matchers name.
    """

    metric: str
    inside: str
    labels: frozenset[str]


@dataclass(frozen=True)
class Listed:
    """One list of labels: ``without (instance, pod)``.

    Args:
        labels: What it names.
        metrics: The series that it is about: those in the aggregation's parentheses; all of them for a join.
    """

    labels: frozenset[str]
    metrics: frozenset[str]


def tokens(expr: str) -> list[str]:
    """Return the words and signs of an expression that Prometheus accepts."""
    return TOKEN.findall(re.sub(r"#.*", "", expr))


def closing(words: Sequence[str], start: int) -> int:
    """Return the index of the parenthesis that closes the one at ``start``."""
    depth = 0
    for index in range(start, len(words)):
        depth += {"(": 1, ")": -1}.get(words[index], 0)
        if depth == 0:
            return index
    return len(words) - 1


def is_series(word: str) -> bool:
    """Return whether ``word`` is the name of one of our series or of one that is recorded from them."""
    return re.search(r"(^|:)rotator_", word) is not None


def uses(expr: str) -> Iterator[Use]:
    """Yield every place where ``expr`` names one of our series."""
    words, around = tokens(expr), [""]
    for index, word in enumerate(words):
        if word == "(":
            around.append(words[index - 1] if index and re.fullmatch(r"[a-z_]+", words[index - 1]) else "")
        elif word == ")":
            around.pop()
        elif is_series(word):
            end = words.index("}", index) if words[index + 1 : index + 2] == ["{"] else index
            matched = {name for name, sign in pairwise(words[index + 2 : end]) if sign in {"=", "!=", "=~", "!~"}}
            yield Use(word, around[-1], frozenset(matched))


def listed(expr: str) -> Iterator[Listed]:
    """Yield every list of labels in ``expr``, with the series that it is about."""
    words = tokens(expr)
    for index, word in enumerate(words):
        if word not in LISTS:
            continue
        end = closing(words, index + 1)
        labels = frozenset(one for one in words[index + 2 : end] if one != ",")
        start = 0 if word not in {"by", "without"} else end + 1
        stop = len(words) if start == 0 else closing(words, start)
        yield Listed(labels, frozenset(one for one in words[start:stop] if is_series(one)))


def known_labels(metric: str, recorded: Mapping[str, str]) -> frozenset[str]:
    """Return the labels that a series may have; of a recorded one, those of what it is made of."""
    if metric in CATALOGUE:
        return frozenset({*CATALOGUE[metric].labels, *SCRAPE})
    made_of = uses(recorded.get(metric, ""))
    return frozenset(SCRAPE).union(*(known_labels(use.metric, recorded) for use in made_of))


def has_no_comparison(rule: Mapping[str, Any], _: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint where nothing decides: every series that is there would fire."""
    words = tokens(re.sub(r"\{[^}]*\}", "", rule["expr"]))
    filters = [sign for sign, after in pairwise(words) if sign in COMPARE and after != "bool"]
    if "alert" in rule and not filters and "absent" not in words:
        yield "compares nothing"


def absent_at_once(rule: Mapping[str, Any], _: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint where one missed scrape would fire."""
    if "absent" in tokens(rule["expr"]) and not re.fullmatch(r"[1-9]\d*[mhd]", rule.get("for", "")):
        yield "absent() without `for`"


def bare_counters(rule: Mapping[str, Any], _: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for each counter whose value is used as it is, and each gauge that is taken for a counter."""
    for use in uses(rule["expr"]):
        is_counter = use.metric in CATALOGUE and CATALOGUE[use.metric].type == "counter"
        if is_counter != (use.inside in OVER_COUNTERS):
            yield f"{use.metric} is a {'counter' if is_counter else 'gauge'} under {use.inside or 'nothing'}"


def values_in_labels(rule: Mapping[str, Any], _: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for each label with a template: a new value would be a new alert."""
    yield from (f"label {name} is a template" for name, text in rule.get("labels", {}).items() if "{{" in str(text))


def missing_annotations(rule: Mapping[str, Any], _: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for what a person on call would miss: summary, description, a runbook that is there."""
    if "alert" not in rule:
        return
    told = rule.get("annotations", {})
    yield from (f"no {name}" for name in ("summary", "description") if not told.get(name))
    if "{{" in told.get("summary", ""):
        yield "the summary is a template"
    page = f"docs/runbooks/{rule['alert']}.md"
    if told.get("runbook_url") != page or not (ROOT / page).is_file():
        yield f"its runbook is not {page}, or that is not there"


def unknown_names(rule: Mapping[str, Any], recorded: Mapping[str, str]) -> Iterator[str]:
    """Yield a complaint for each series and each label that is not exported."""
    found = list(uses(rule["expr"]))
    for use in found:
        if use.metric not in CATALOGUE and use.metric not in recorded:
            yield f"{use.metric} is not exported"
        yield from (f"{use.metric} has no {one}" for one in use.labels - known_labels(use.metric, recorded))
    for one in listed(rule["expr"]):
        known = frozenset[str]().union(*(known_labels(metric, recorded) for metric in one.metrics))
        yield from (f"nothing there has {label}" for label in one.labels - known)
    every = frozenset[str]().union(*(known_labels(use.metric, recorded) for use in found))
    text = " ".join(str(value) for kind in LABELS for value in rule.get(kind, {}).values())
    yield from (f"{label} is in the text only" for label in set(re.findall(r"\$labels\.(\w+)", text)) - every)


CHECKS = (has_no_comparison, absent_at_once, bare_counters, values_in_labels, missing_annotations, unknown_names)


def complaints(rule: Mapping[str, Any], recorded: Mapping[str, str]) -> list[str]:
    """Return what is wrong with one rule; ``recorded`` are the expressions of the recorded series by name."""
    return [complaint for check in CHECKS for complaint in check(rule, recorded)]


def test_the_rules_are_in_order(rules: list[dict[str, Any]]) -> None:
    """No rule has any of the six faults."""
    recorded = {rule["record"]: rule["expr"] for rule in rules if "record" in rule}
    found = {rule.get("alert") or rule["record"]: complaints(rule, recorded) for rule in rules}
    assert {name: complaint for name, complaint in found.items() if complaint} == {}


TEXTS = {"summary": "s", "description": "d", "runbook_url": "docs/runbooks/RotatorAbsent.md"}
GOOD = {
    "alert": "RotatorAbsent",
    "expr": "absent(rotator_build_info)",
    "for": "5m",
    "labels": {"severity": "critical"},
    "annotations": TEXTS,
}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        pytest.param({"expr": "rotator_targets"}, "compares nothing", id="no comparison"),
        pytest.param({"expr": 'rotator_targets{state!="stale"}'}, "compares nothing", id="a matcher is no comparison"),
        pytest.param({"expr": "rotator_targets > bool 1"}, "compares nothing", id="bool keeps all"),
        pytest.param({"for": ""}, "absent() without `for`", id="absent at once"),
        pytest.param({"for": "0m"}, "absent() without `for`", id="absent for nothing"),
        pytest.param(
            {"expr": "rotator_clock_jumps_total > 0"},
            "rotator_clock_jumps_total is a counter under nothing",
            id="bare counter",
        ),
        pytest.param(
            {"expr": "sum without (pod) (rotator_clock_jumps_total) > 0"},
            "rotator_clock_jumps_total is a counter under nothing",
            id="summed counter",
        ),
        pytest.param(
            {"expr": "rate(rotator_targets[5m]) > 0"}, "rotator_targets is a gauge under rate", id="rate of a gauge"
        ),
        pytest.param({"labels": {"left": "{{ $value }}"}}, "label left is a template", id="value in a label"),
        pytest.param({"annotations": {**TEXTS, "summary": ""}}, "no summary", id="no summary"),
        pytest.param(
            {"annotations": {**TEXTS, "runbook_url": "docs/runbooks/RotatorAbsnt.md"}},
            "its runbook is not docs/runbooks/RotatorAbsent.md, or that is not there",
            id="another runbook",
        ),
        pytest.param(
            {
                "alert": "RotatorNew",
                "annotations": {**TEXTS, "runbook_url": "docs/runbooks/RotatorNew.md"},
            },
            "its runbook is not docs/runbooks/RotatorNew.md, or that is not there",
            id="no runbook",
        ),
        pytest.param({"expr": "rotator_leader == 0"}, "rotator_leader is not exported", id="no such series"),
        pytest.param(
            {"expr": 'rotator_targets{credential="x"} > 0'}, "rotator_targets has no credential", id="no such label"
        ),
        pytest.param(
            {"expr": "sum by (peer) (increase(rotator_clock_jumps_total[5m])) > 0"},
            "nothing there has peer",
            id="by what it has not",
        ),
        pytest.param(
            {"annotations": {**TEXTS, "description": "{{ $labels.owner }}"}},
            "owner is in the text only",
            id="text without a label",
        ),
    ],
)
def test_each_fault_is_found(change: Mapping[str, Any], complaint: str) -> None:
    """A rule that has one of the faults, and no other, gets the complaint about it, and no other."""
    assert complaints({**GOOD, **change}, {}) == [complaint]


def test_recorded_series_are_known() -> None:
    """A recorded series has the labels of what it is recorded from, and no others."""
    recorded = {"job:rotator_late:max": "max without (instance) (rotator_credential_valid)"}
    good, bad = ({**GOOD, "expr": f'job:rotator_late:max{{{name}="x"}} > 0'} for name in ("credential", "target"))
    assert complaints(good, recorded) == []
    assert complaints(bad, recorded) == ["job:rotator_late:max has no target"]
