"""What is shipped for Prometheus and Alertmanager: their own programs accept it, and every alert fires when it must."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "deploy/prometheus"
CASES = sorted((Path(__file__).parent / "alerts").glob("*.yaml"))

Program = Callable[[str], str]


def said(*command: str, cwd: Path = PROMETHEUS) -> str:
    """Return what a program that must succeed says."""
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_prometheus_accepts_the_rules(program: Program) -> None:
    """Prometheus' own check finds the rules, every template in them, and the configuration that loads them in order."""
    assert "SUCCESS" in said(program("promtool"), "check", "config", "prometheus.yaml")


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_alerts_fire_when_they_must(case: Path, program: Program, tmp_path: Path) -> None:
    """Each alert fires at the minute that its cases say, with those labels, and is silent before.

    The texts are taken out first: the cases are about when, and a better sentence must not break them.
    """
    rules = yaml.safe_load((PROMETHEUS / "rotator.rules.yaml").read_text())
    for group in rules["groups"]:
        group["rules"] = [{key: rule[key] for key in rule if key != "annotations"} for rule in group["rules"]]
    (tmp_path / "rotator.rules.yaml").write_text(yaml.safe_dump(rules))
    shutil.copy(case, tmp_path)
    assert "SUCCESS" in said(program("promtool"), "test", "rules", case.name, cwd=tmp_path)


def test_the_texts_are_readable(program: Program) -> None:
    """Numbers in the texts are said as durations, instants and shares."""
    assert "SUCCESS" in said(program("promtool"), "test", "rules", str(Path(__file__).parent / "texts.yaml"))


def test_every_alert_has_both_cases(alerts: list[dict[str, Any]]) -> None:
    """For each alert, and each severity and window of it, a case says when it fires, and one when it does not."""
    firing, silent = set(), set()
    for case in CASES:
        for test in yaml.safe_load(case.read_text())["tests"]:
            for row in test.get("alert_rule_test", ()):
                labels = (one["exp_labels"] for one in row["exp_alerts"])
                firing |= {(row["alertname"], one["severity"], one.get("window")) for one in labels}
                silent |= set() if row["exp_alerts"] else {row["alertname"]}
    assert firing == {(one["alert"], one["labels"]["severity"], one["labels"].get("window")) for one in alerts}
    assert silent == {one["alert"] for one in alerts}


def test_the_operators_file_is_fresh() -> None:
    """What is shipped for the Prometheus operator is what `make rules` makes of the rules."""
    assert (PROMETHEUS / "operator.yaml").read_text() == said(str(PROMETHEUS / "make-operator"))


def test_the_operators_file_finds_the_daemon() -> None:
    """The monitor selects the service, the service the pods of deploy/kubernetes, and both their port by its name."""
    service, monitor, rule = yaml.safe_load_all((PROMETHEUS / "operator.yaml").read_text())
    deployment = next(yaml.safe_load_all((ROOT / "deploy/kubernetes/base/deployment.yaml").read_text()))
    pod = deployment["spec"]["template"]
    ports = [port["name"] for port in pod["spec"]["containers"][0]["ports"]]
    assert service["spec"]["selector"] == pod["metadata"]["labels"]
    assert [port["targetPort"] for port in service["spec"]["ports"]] == ports
    assert monitor["spec"]["selector"]["matchLabels"] == service["metadata"]["labels"]
    assert monitor["spec"]["endpoints"][0]["port"] == service["spec"]["ports"][0]["name"]
    assert {one["metadata"]["namespace"] for one in (service, monitor, rule)} == {deployment["metadata"]["namespace"]}
    assert rule["spec"] == yaml.safe_load((PROMETHEUS / "rotator.rules.yaml").read_text())


def test_alertmanager_accepts_the_example(program: Program) -> None:
    """Alertmanager's own check finds the example in order."""
    assert "SUCCESS" in said(program("amtool"), "check-config", "alertmanager.yaml")


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        pytest.param(("alertname=RotatorCredentialExpired", "severity=critical"), "pages", id="critical"),
        pytest.param(("alertname=RotatorTargetOutOfSync", "severity=warning"), "tickets", id="warning"),
        pytest.param(("alertname=RotatorDeadMansSwitch", "severity=none"), "dead-mans-switch", id="dead man's switch"),
    ],
)
def test_alerts_reach_their_receiver(labels: tuple[str, ...], receiver: str, program: Program) -> None:
    """The example sends what pages to the pager, the rest to the tickets, and the heartbeat outside."""
    routes = ("config", "routes", "test", "--config.file=alertmanager.yaml")
    assert said(program("amtool"), *routes, *labels).strip() == receiver


def test_inhibitions_name_alerts_that_exist(alerts: list[dict[str, Any]]) -> None:
    """Each matcher of an inhibition fits an alert; none mutes that a login has expired, is refused or ends soon."""
    names = {one["alert"] for one in alerts}
    muted: set[str] = set()
    for rule in yaml.safe_load((PROMETHEUS / "alertmanager.yaml").read_text())["inhibit_rules"]:
        for side in ("source_matchers", "target_matchers"):
            for pattern in re.findall(r'alertname =~? "?([^"\']+)"?', " ; ".join(rule[side])):
                fitting = {name for name in names if re.fullmatch(pattern, name)}
                assert fitting, pattern
                if side == "target_matchers" and "alertname" not in rule.get("equal", ()):
                    muted |= fitting
    assert muted.isdisjoint({"RotatorCredentialExpired", "RotatorCredentialRejected", "RotatorErrorBudgetBurn"})
