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
        shown_to: Who sees them, or the login, wherever it is delivered: ``host[:port]`` of its registry first, then of
            whatever else its options and those of its registry name.
    """

    name: str
    reads: tuple[str, ...] = ()
    shown_to: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Destination:
    """A target, as rules see it.

    Args:
        name: Its name.
        kind: Its kind.
        hosts: Hosts that its configuration sends to, without ports; empty when it names none.
        has_namespaces: Whether its placements are called ``namespace/name``.
        reads: Where it reads secrets of its own, each as ``source:location``; empty when it reads none.
    """

    name: str
    kind: str
    hosts: tuple[str, ...] = ()
    has_namespaces: bool = False
    reads: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rule:
    """What is allowed: these credentials, read from there, at these places.

    Args:
        credentials: Names of credentials.
        reads: Where all their secrets must be read, as ``source:location``.
        registries: Who may see them, as ``host[:port]``: all to whom the credential's options show them must match.
        targets: Names of targets.
        kinds: Kinds of targets.
        namespaces: Namespaces of the placements; no target without namespaces meets it.
        hosts: Hosts, all of which must match; no target that names no host meets it.
    """

    credentials: tuple[str, ...]
    reads: Patterns = None
    registries: Patterns = None
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


def why_not_at_all(rules: Sequence[Rule] | None, subject: Subject) -> str:
    """Return why ``subject`` may not even be kept fresh, wherever it goes; empty when it may.

    A credential is read, and shown to its registry, without being delivered anywhere.

    Args:
        rules: All rules; None where there are none.
        subject: The credential.
    """
    if rules is None:
        return ""
    return _joined([next(_about(rule, subject), "") for rule in rules], rules, subject)


def why_target_refused(rules: Sequence[Rule] | None, destination: Destination) -> str:
    """Return why no rule lets ``destination`` read what it reads; empty when one does, or it reads nothing.

    Args:
        rules: All rules; None where there are none.
        destination: A target that somebody wrote who may not write the rules.
    """
    if rules is None or not destination.reads:
        return ""
    whys = [next(_target_reads(rule, destination), "") for rule in rules]
    return "" if "" in whys else "; ".join(dict.fromkeys(whys)) or "there is no rule"


def why_refused(rules: Sequence[Rule] | None, subject: Subject, destination: Destination) -> str:
    """Return why ``subject`` may go nowhere in ``destination``; empty when it may, at least to some placement.

    Args:
        rules: All rules; None where there are none, so that everything may go everywhere.
        subject: The credential.
        destination: The target.
    """
    if rules is None:
        return ""
    return _joined([_unmet(rule, subject, destination) for rule in rules], rules, subject)


def _joined(whys: Sequence[str], rules: Sequence[Rule], subject: Subject) -> str:
    """Return what the rules that are about ``subject`` lack; empty when one lacks nothing."""
    if "" in whys:
        return ""
    near = [why for why, rule in zip(whys, rules, strict=True) if _matches(subject.name, rule.credentials)]
    return "; ".join(dict.fromkeys(near)) or f"no rule is about {subject.name}"


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
    yield from _about(rule, subject)
    yield from _place(rule, destination)


def _about(rule: Rule, subject: Subject) -> Iterator[str]:
    """Yield each condition about a credential itself that is not met."""
    if not _matches(subject.name, rule.credentials):
        yield f"no rule is about {subject.name}"
    outside = [one for one in subject.reads if not _may_read(one, rule.reads)]
    if outside:
        yield f"the rule about it allows reads {_listed(rule.reads)}, and its secret is at {outside[0]}"
    seen_by = [host for host in subject.shown_to if not _matches(host, rule.registries)]
    if seen_by:
        yield f"the rule about it allows registries {_listed(rule.registries)}, and it is shown to {seen_by[0]}"


def _target_reads(rule: Rule, destination: Destination) -> Iterator[str]:
    """Yield what keeps a rule from letting a target read what it reads."""
    yield from _place(rule, destination)
    outside = [one for one in destination.reads if not _may_read(one, rule.reads)]
    if outside:
        yield f"a rule allows reads {_listed(rule.reads)}, and it reads {outside[0]}"


def _place(rule: Rule, destination: Destination) -> Iterator[str]:
    """Yield each condition about a target that is not met."""
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
