"""Which credential may go where, and how often it may be renewed. Pure.

A rule allows what meets all of its conditions; what no rule allows is refused. A condition about something that a place
does not have (a host, a namespace) is not met by it: a rule never allows more than it says.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase

Patterns = tuple[str, ...] | None
"""Texts with ``*`` and ``?``, one of which must match; None for no such condition."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A credential, as rules see it.

    Args:
        name: Its name.
        reads: Where its secrets are read, each as ``source:location``; empty when it reads none.
    """

    name: str
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """A target, as rules see it.

    Args:
        name: Its name.
        kind: Its kind.
        hosts: Hosts that its configuration sends to, without ports; empty when it names none.
        has_namespaces: Whether its placements are called ``namespace/name``.
    """

    name: str
    kind: str
    hosts: tuple[str, ...] = ()
    has_namespaces: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed: these credentials, read from there, at these places.

    Args:
        credentials: Names of credentials.
        reads: Where all their secrets must be read, as ``source:location``.
        targets: Names of targets.
        kinds: Kinds of targets.
        namespaces: Namespaces of the placements; no target without namespaces meets it.
        hosts: Hosts, all of which must match; no target that names no host meets it.
    """

    credentials: tuple[str, ...]
    reads: Patterns = None
    targets: Patterns = None
    kinds: Patterns = None
    namespaces: Patterns = None
    hosts: Patterns = None


@dataclass(frozen=True, slots=True)
class Renewal:
    """Floors and ceilings that no credential's own options can pass.

    Args:
        at_least_before: Renewed this long before the expiry at the latest; None for no such floor.
        at_most_age: Renewed at this age at the latest; None for no such ceiling.
        not_more_often_than: No renewal by schedule earlier than this after the issue; None for no such floor.
    """

    at_least_before: timedelta | None = None
    at_most_age: timedelta | None = None
    not_more_often_than: timedelta | None = None


def why_refused(rules: Sequence[Rule] | None, subject: Subject, destination: Destination) -> str:
    """Return why ``subject`` may go nowhere in ``destination``; empty when it may, at least to some placement.

    Args:
        rules: All rules; None where there are none, so that everything may go everywhere.
        subject: The credential.
        destination: The target.
    """
    if rules is None or any(not _unmet(rule, subject, destination) for rule in rules):
        return ""
    near = [rule for rule in rules if _matches(subject.name, rule.credentials)]
    if not near:
        return f"no rule is about {subject.name}"
    whys = dict.fromkeys(_unmet(rule, subject, destination) for rule in near)
    return "; ".join(whys)


def namespaces_for(rules: Sequence[Rule] | None, subject: Subject, destination: Destination) -> Patterns:
    """Return in which namespaces of ``destination`` a credential may be; None for all, empty for none."""
    if rules is None:
        return None
    found: list[str] = []
    for rule in rules:
        if _unmet(rule, subject, destination):
            continue
        if rule.namespaces is None:
            return None
        found += rule.namespaces
    return tuple(dict.fromkeys(found))


def why_not_in(allowed: Patterns, placement: str) -> str:
    """Return why a placement, ``namespace/name``, is outside of ``allowed``; empty when it is inside."""
    namespace = placement.partition("/")[0]
    if allowed is None or _matches(namespace, allowed):
        return ""
    return f"policy allows it in namespaces {', '.join(allowed) or 'of no name'} only"


def _unmet(rule: Rule, subject: Subject, destination: Destination) -> str:
    """Return the first condition of ``rule`` that is not met; empty when all are, namespaces in general included."""
    return next(_conditions(rule, subject, destination), "")


def _conditions(rule: Rule, subject: Subject, destination: Destination) -> Iterator[str]:
    if not _matches(subject.name, rule.credentials):
        yield f"no rule is about {subject.name}"
    outside = [one for one in subject.reads if not _may_read(one, rule.reads)]
    if outside:
        yield f"the rule about it allows reads {_listed(rule.reads)}, and its secret is at {outside[0]}"
    if not _matches(destination.name, rule.targets):
        yield f"the rule about it allows targets {_listed(rule.targets)}"
    if not _matches(destination.kind, rule.kinds):
        yield f"the rule about it allows kinds {_listed(rule.kinds)}, and {destination.name} is {destination.kind}"
    if rule.namespaces is not None and not destination.has_namespaces:
        yield f"the rule about it allows namespaces only, and {destination.kind} has none"
    if rule.hosts is not None and not destination.hosts:
        yield f"the rule about it allows hosts {_listed(rule.hosts)}, and {destination.name} names none"
    elsewhere = [host for host in destination.hosts if not _matches(host, rule.hosts)]
    if elsewhere:
        yield f"the rule about it allows hosts {_listed(rule.hosts)}, and {destination.name} sends to {elsewhere[0]}"


def _may_read(reference: str, patterns: Patterns) -> bool:
    """Return whether a reference matches; one that climbs (``..``) matches nothing but the absence of a condition."""
    if patterns is None:
        return True
    climbs = ".." in reference.partition(":")[2].partition("#")[0].split("/")
    return not climbs and _matches(reference, patterns)


def _matches(text: str, patterns: Iterable[str] | None) -> bool:
    return patterns is None or any(fnmatchcase(text, one) for one in patterns)


def _listed(patterns: Patterns) -> str:
    return ", ".join(patterns or ())
