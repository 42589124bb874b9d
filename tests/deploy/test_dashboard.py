"""Grafana's dashboard: it is fresh, names only what is exported, parses, and keeps the rules of Grafana's own linter.

The rules are those of github.com/grafana/dashboard-linter (``lint/rules.go`` and ``docs/index.md``, read 2026-11-28),
written anew: the linter is a Go program that is in no package here. `test_watched.py` shows that every query returns
data.
"""

from __future__ import annotations

import copy
import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.metrics import CATALOGUE

GRAFANA = Path(__file__).parents[2] / "deploy" / "grafana"
SHOWN: dict[str, Any] = json.loads((GRAFANA / "rotator.json").read_text())

UNITS = {"none", "s", "bytes", "percentunit", "reqps"}
"""Those of Grafana's value formats that the dashboard uses."""
STOCK = {"process_resident_memory_bytes", "process_cpu_seconds_total"}
SUFFIX = re.compile(r"_(bucket|sum|count)$")
SELECTOR = re.compile(r"\b((?:rotator|process)_\w+)(\{[^}]*\})?(\[[^\]]*\])?")
COUNTING = ("rate(", "irate(", "increase(")

Json = dict[str, Any]


def panels(board: Json) -> list[Json]:
    """Return the panels that are no rows."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def targets(board: Json) -> Iterator[tuple[Json, Json]]:
    """Yield each panel with each of its queries."""
    return ((panel, target) for panel in panels(board) for target in panel.get("targets", ()))


def variables(board: Json, kind: str) -> list[Json]:
    """Return the variables of one type."""
    return [one for one in board["templating"]["list"] if one["type"] == kind]


def concrete(expr: str) -> str:
    """Return ``expr`` as Grafana sends it, with everything chosen."""
    values = {"$__rate_interval": "4m", "$__range": "1h", "$job": ".+", "$instance": ".+", "$credential": ".+"}
    for name, value in values.items():
        expr = expr.replace(name, value)
    return expr


def template_datasource(board: Json) -> Iterator[str]:
    """Yield a complaint unless there is one variable for the data source, named and labelled as Grafana has it."""
    found = [(one["name"], one["label"], one["query"]) for one in variables(board, "datasource")]
    if found != [("datasource", "Data source", "prometheus")]:
        yield f"data sources {found}"


def _choice(board: Json, name: str) -> Iterator[str]:
    for one in variables(board, "query"):
        wanted = {"label": name.title(), "multi": True, "allValue": ".+"}
        if one["name"] == name:
            yield from (f"{name}: {key} is {one.get(key)}" for key, value in wanted.items() if one.get(key) != value)
            if one["datasource"]["uid"] != "${datasource}":
                yield f"{name} asks another data source"
            return
    yield f"no variable {name}"


def template_job(board: Json) -> Iterator[str]:
    """Yield a complaint unless jobs can be chosen, several or all."""
    return _choice(board, "job")


def template_instance(board: Json) -> Iterator[str]:
    """Yield a complaint unless instances can be chosen, several or all."""
    return _choice(board, "instance")


def template_label_promql(board: Json) -> Iterator[str]:
    """Yield a complaint for each variable that is no ``label_values`` of one of our series."""
    for one in variables(board, "query"):
        found = re.fullmatch(r"label_values\((rotator_\w+)(\{[^}]*\})?, (\w+)\)", one["query"]["query"])
        known = CATALOGUE.get(found[1]) if found else None
        if found is None or known is None or found[3] not in {*known.labels, "job", "instance"}:
            yield f"{one['name']}: {one['query']['query']}"


def template_on_time_change_reload(board: Json) -> Iterator[str]:
    """Yield a complaint for each variable that is not filled anew when the time changes (2)."""
    yield from (one["name"] for one in variables(board, "query") if one["refresh"] != 2)


def panel_datasource(board: Json) -> Iterator[str]:
    """Yield a complaint for each panel and query of another data source than the chosen one."""
    for panel, target in targets(board):
        if {panel["datasource"]["uid"], target["datasource"]["uid"]} != {"${datasource}"}:
            yield panel["title"]


def panel_title_description(board: Json) -> Iterator[str]:
    """Yield a complaint for each panel without a title or a description."""
    yield from (f"panel {one['id']}" for one in panels(board) if not one.get("title") or not one.get("description"))


def panel_units(board: Json) -> Iterator[str]:
    """Yield a complaint for each panel without a unit that is known."""
    yield from (one["title"] for one in panels(board) if one["fieldConfig"]["defaults"].get("unit") not in UNITS)


def panel_no_targets(board: Json) -> Iterator[str]:
    """Yield a complaint for each panel that asks nothing."""
    yield from (one["title"] for one in panels(board) if not one.get("targets"))


def target_promql(board: Json) -> Iterator[str]:
    """Yield a complaint for each query whose parentheses do not match or that has a variable nobody fills."""
    for panel, target in targets(board):
        expr = concrete(target["expr"])
        if not expr or "$" in expr or any(expr.count(a) != expr.count(b) for a, b in ("()", "{}", "[]")):
            yield panel["title"]


def target_rate_interval(board: Json) -> Iterator[str]:
    """Yield a complaint for each rate over another range than ``$__rate_interval``."""
    for panel, target in targets(board):
        ranges = re.findall(r"\brate\([^\[\]]*\[([^\]]*)\]", target["expr"])
        yield from (f"{panel['title']}: {one}" for one in ranges if one != "$__rate_interval")


def _matcher(board: Json, name: str) -> Iterator[str]:
    for panel, target in targets(board):
        for metric, matchers, _ in SELECTOR.findall(target["expr"]):
            if f'{name}=~"${name}"' not in matchers:
                yield f"{panel['title']}: {metric}"


def target_job(board: Json) -> Iterator[str]:
    """Yield a complaint for each series that is not of the chosen jobs."""
    return _matcher(board, "job")


def target_instance(board: Json) -> Iterator[str]:
    """Yield a complaint for each series that is not of the chosen instances."""
    return _matcher(board, "instance")


def target_counter_agg(board: Json) -> Iterator[str]:
    """Yield a complaint for each counter that is used as it is."""
    for panel, target in targets(board):
        for found in SELECTOR.finditer(target["expr"]):
            if found[1].endswith("_total") and not target["expr"][: found.start()].endswith(COUNTING):
                yield f"{panel['title']}: {found[1]}"


def uneditable(board: Json) -> Iterator[str]:
    """Yield a complaint where people could change what the next release overwrites."""
    if board.get("editable") is not False:
        yield "it can be edited"


RULES: tuple[Callable[[Json], Iterator[str]], ...] = (
    template_datasource,
    template_job,
    template_instance,
    template_label_promql,
    template_on_time_change_reload,
    panel_datasource,
    panel_title_description,
    panel_units,
    panel_no_targets,
    target_promql,
    target_rate_interval,
    target_job,
    target_instance,
    target_counter_agg,
    uneditable,
)


def _set(*path: str | int, to: Any) -> Callable[[Json], None]:
    def change(board: Json) -> None:
        inner: Any = board
        for step in path[:-1]:
            inner = inner[step]
        inner[path[-1]] = to

    return change


EXPR = ("panels", 1, "targets", 0, "expr")
BREAKS: dict[str, Callable[[Json], None]] = {
    "template_datasource": _set("templating", "list", 0, "name", to="ds"),
    "template_job": _set("templating", "list", 1, "multi", to=False),
    "template_instance": _set("templating", "list", 2, "allValue", to=".*"),
    "template_label_promql": _set("templating", "list", 1, "query", "query", to="label_values(rotator_targets, owner)"),
    "template_on_time_change_reload": _set("templating", "list", 3, "refresh", to=1),
    "panel_datasource": _set("panels", 1, "targets", 0, "datasource", to={"uid": "abc"}),
    "panel_title_description": _set("panels", 1, "description", to=""),
    "panel_units": _set("panels", 1, "fieldConfig", "defaults", "unit", to="seconds"),
    "panel_no_targets": _set("panels", 1, "targets", to=[]),
    "target_promql": _set(*EXPR, to='rotator_targets{job=~"$job", instance=~"$instance", kind="$kind"}'),
    "target_rate_interval": _set(*EXPR, to='rate(rotator_clock_jumps_total{job=~"$job", instance=~"$instance"}[5m])'),
    "target_job": _set(*EXPR, to='rotator_targets{instance=~"$instance"}'),
    "target_instance": _set(*EXPR, to='rotator_targets{job=~"$job"}'),
    "target_counter_agg": _set(*EXPR, to='sum(rotator_clock_jumps_total{job=~"$job", instance=~"$instance"})'),
    "uneditable": _set("editable", to=True),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_dashboard_keeps_the_rule(rule: Callable[[Json], Iterator[str]]) -> None:
    """What is shipped breaks no rule of the linter."""
    assert list(rule(SHOWN)) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_broken_rule_is_found(rule: Callable[[Json], Iterator[str]]) -> None:
    """A dashboard with one fault breaks that rule and no other, but where a fault is one of two."""
    board = copy.deepcopy(SHOWN)
    BREAKS[rule.__name__](board)

    assert list(rule(board))
    assert [other.__name__ for other in RULES if list(other(board))] == [rule.__name__]


def test_it_is_fresh() -> None:
    """What is shipped is what `make-dashboard` prints."""
    made = subprocess.run([str(GRAFANA / "make-dashboard")], capture_output=True, text=True, check=True).stdout

    assert (GRAFANA / "rotator.json").read_text() == made


def test_every_query_parses(program: Callable[[str], str], tmp_path: Path) -> None:
    """Prometheus' own parser takes every query and every annotation's."""
    written = [target["expr"] for _, target in targets(SHOWN)]
    written += [one["expr"] for one in SHOWN["annotations"]["list"]]
    rules = [{"record": f"query:{number}", "expr": concrete(expr)} for number, expr in enumerate(written)]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))

    done = subprocess.run(
        [program("promtool"), "check", "rules", str(path)], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(rules)} rules found" in done.stdout


def test_it_names_only_what_is_exported() -> None:
    """Every series is in the catalogue or one of the stock ones, with the labels that are matched and shown."""
    for _, target in targets(SHOWN):
        names = {
            SUFFIX.sub("", metric) if metric not in CATALOGUE else metric
            for metric, *_ in SELECTOR.findall(target["expr"])
        }
        assert names - STOCK <= set(CATALOGUE)
        labels = {"job", "instance"}.union(*(CATALOGUE[name].labels for name in names - STOCK))
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= labels


def test_panels_do_not_lie_on_each_other() -> None:
    """No two panels share a cell, and none is wider than the page."""
    taken: set[tuple[int, int]] = set()
    for panel in SHOWN["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells


def test_it_has_the_rows_that_on_call_needs() -> None:
    """The rows go from what needs somebody now to the daemon itself."""
    rows = [panel["title"] for panel in SHOWN["panels"] if panel["type"] == "row"]

    assert rows == ["Now", "Expiry", "Pipeline", "Targets", "Rate limits", "Peers", "Daemon"]
