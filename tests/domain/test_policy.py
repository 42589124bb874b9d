"""Which credential may go where."""

from __future__ import annotations

import pytest

from rotator.domain.policy import (
    Destination,
    Rule,
    Subject,
    namespaces_for,
    why_not_at_all,
    why_not_in,
    why_refused,
    why_target_refused,
)

ECR = Subject("ecr-prod", ("vault:team-a/aws#id", "vault:team-a/aws#secret"))
CLUSTER = Destination("prod", "kubernetes", has_namespaces=True)
HOOK = Destination("hook", "webhook", ("hooks.internal", "spare.internal"))
FILE = Destination("disk", "docker_config")


@pytest.mark.parametrize(
    ("rule", "destination", "is_allowed"),
    [
        pytest.param(Rule(("*",)), HOOK, True, id="no condition"),
        pytest.param(Rule(("ecr-*",)), FILE, True, id="by glob"),
        pytest.param(Rule(("ghcr",)), FILE, False, id="about another credential"),
        pytest.param(Rule(("*",), targets=("prod", "edge-*")), CLUSTER, True, id="named target"),
        pytest.param(Rule(("*",), targets=("pro",)), CLUSTER, False, id="part of a name is not the name"),
        pytest.param(Rule(("*",), kinds=("docker_config",)), FILE, True, id="kind"),
        pytest.param(Rule(("*",), kinds=("docker_config",)), HOOK, False, id="another kind"),
        pytest.param(Rule(("*",), hosts=("*.internal",)), HOOK, True, id="all hosts match"),
        pytest.param(Rule(("*",), hosts=("hooks.internal",)), HOOK, False, id="one host does not match"),
        pytest.param(Rule(("*",), hosts=("*",)), FILE, False, id="a host is asked for where there is none"),
        pytest.param(Rule(("*",), namespaces=("web-*",)), CLUSTER, True, id="namespaces come later"),
        pytest.param(Rule(("*",), namespaces=("*",)), HOOK, False, id="a namespace is asked for where there is none"),
        pytest.param(Rule(("*",), reads=("vault:team-a/*",)), FILE, True, id="reads its own"),
        pytest.param(Rule(("*",), reads=("vault:team-a/aws#id",)), FILE, False, id="one of two reads is another's"),
        pytest.param(Rule(("*",), reads=("file:*",)), FILE, False, id="another source"),
        pytest.param(Rule(("*",), targets=("prod",), kinds=("webhook",)), CLUSTER, False, id="all conditions count"),
    ],
)
def test_a_rule_allows_what_meets_all_its_conditions(rule: Rule, destination: Destination, is_allowed: bool) -> None:  # noqa: FBT001 (a row's value)
    """One rule decides by all of its conditions, and a condition about what a place does not have is not met."""
    assert (why_refused([rule], ECR, destination) == "") is is_allowed


@pytest.mark.parametrize(
    ("location", "is_allowed"),
    [
        pytest.param("vault:team-a/x#token", True, id="inside"),
        pytest.param("vault:team-a/../team-b/x#token", False, id="climbs"),
        pytest.param("vault:team-a/..#token", False, id="climbs at the end"),
        pytest.param("vault:team-a/..x#token", True, id="dots in a name"),
        pytest.param("vault:team-ab/x#token", False, id="a longer name"),
    ],
)
def test_reads_cannot_climb(location: str, is_allowed: bool) -> None:  # noqa: FBT001 (a row's value)
    """A path that leads out of the part that a rule allows does not match, however it is written."""
    why = why_refused([Rule(("*",), reads=("vault:team-a/*",))], Subject("x", (location,)), FILE)
    assert (why == "") is is_allowed


def test_without_rules_everything_may_go_everywhere() -> None:
    """None are none; a list of rules of which none fits refuses."""
    assert why_refused(None, ECR, HOOK) == ""
    assert namespaces_for(None, ECR, CLUSTER) is None
    assert why_refused([], ECR, HOOK) == "no rule is about ecr-prod"


def test_one_rule_that_allows_is_enough() -> None:
    """Rules add up; a refusal names what each that is about the credential lacks."""
    rules = [Rule(("ecr-*",), targets=("a",)), Rule(("ecr-*",), kinds=("exec",)), Rule(("x",))]
    assert why_refused([*rules, Rule(("ecr-prod",))], ECR, FILE) == ""
    assert why_refused(rules, ECR, FILE) == (
        "the rule about it allows targets a; the rule about it allows kinds exec, and disk is docker_config"
    )


@pytest.mark.parametrize(
    ("rules", "allowed"),
    [
        pytest.param([Rule(("*",), namespaces=("a-*",)), Rule(("*",), namespaces=("b",))], ("a-*", "b"), id="union"),
        pytest.param([Rule(("*",), namespaces=("a-*",)), Rule(("*",))], None, id="one rule asks for none"),
        pytest.param([Rule(("*",), namespaces=("a",)), Rule(("x",))], ("a",), id="rules of others do not count"),
        pytest.param([Rule(("x",))], (), id="nowhere"),
    ],
)
def test_namespaces_add_up(rules: list[Rule], allowed: tuple[str, ...] | None) -> None:
    """Where several rules allow a target, a credential may be in the namespaces of each."""
    assert namespaces_for(rules, ECR, CLUSTER) == allowed


@pytest.mark.parametrize(
    ("allowed", "placement", "is_allowed"),
    [
        pytest.param(None, "evil/pull", True, id="no condition"),
        pytest.param(("web-*",), "web-1/pull", True, id="inside"),
        pytest.param(("web-*",), "evil/web-1", False, id="only the namespace counts"),
        pytest.param(("web",), "web-1/pull", False, id="another one"),
        pytest.param((), "web/pull", False, id="nowhere"),
    ],
)
def test_a_placement_is_known_by_its_namespace(
    allowed: tuple[str, ...] | None,
    placement: str,
    is_allowed: bool,  # noqa: FBT001 (a row's value)
) -> None:
    """A placement is inside when its namespace matches one of the patterns."""
    assert (why_not_in(allowed, placement) == "") is is_allowed


@pytest.mark.parametrize(
    ("rule", "is_allowed"),
    [
        pytest.param(Rule(("ecr-*",)), True, id="no condition"),
        pytest.param(Rule(("x",)), False, id="about another"),
        pytest.param(Rule(("*",), reads=("vault:team-a/*",)), True, id="reads its own"),
        pytest.param(Rule(("*",), reads=("vault:team-b/*",)), False, id="reads another's"),
        pytest.param(Rule(("*",), registries=("r.internal:5000", "p.*")), True, id="shown to whom it may be"),
        pytest.param(Rule(("*",), registries=("r.internal:5000",)), False, id="shown to one more"),
        pytest.param(Rule(("*",), registries=("r.internal", "p.internal")), False, id="a port is part of the name"),
        pytest.param(Rule(("*",), targets=("nowhere",), namespaces=("x",)), True, id="places do not count"),
    ],
)
def test_a_credential_that_goes_nowhere_is_judged_too(rule: Rule, is_allowed: bool) -> None:  # noqa: FBT001 (a row's value)
    """What is read, and shown to whom, needs a rule though nothing is delivered."""
    subject = Subject("ecr-prod", ECR.reads, ("r.internal:5000", "p.internal"))
    assert (why_not_at_all([rule], subject) == "") is is_allowed
    assert why_refused([rule], subject, FILE) or is_allowed
    assert why_not_at_all(None, subject) == ""


@pytest.mark.parametrize(
    ("rules", "is_allowed"),
    [
        pytest.param(None, True, id="no rules"),
        pytest.param([], False, id="no rule allows anything"),
        pytest.param([Rule(("x",), reads=("vault:team-a/*",), hosts=("hooks.*",))], True, id="a rule allows it"),
        pytest.param([Rule(("x",), reads=("vault:team-a/*",), hosts=("spare.*",))], False, id="for other hosts"),
        pytest.param(
            [Rule(("x",), reads=("vault:team-b/*",)), Rule(("x",), reads=("vault:team-a/*",), targets=("b",))],
            False,
            id="no single rule allows both",
        ),
    ],
)
def test_a_target_reads_what_one_rule_allows(rules: list[Rule] | None, is_allowed: bool) -> None:  # noqa: FBT001 (a row's value)
    """One rule must be about the target and allow what it reads; one that reads nothing needs none."""
    hook = Destination("hook", "webhook", ("hooks.internal",), reads=("vault:team-a/key",))
    assert (why_target_refused(rules, hook) == "") is is_allowed
    assert why_target_refused(rules, HOOK) == ""
