"""What the section ``policy`` refuses in the others, and what in it cannot work. Pure: parts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from rotator.config.credential import CredentialConfig
from rotator.config.duration import render_duration
from rotator.config.parts import Finding, Parts
from rotator.config.subject import destination_of, subject_of
from rotator.domain.policy import Renewal, why_not_at_all, why_refused, why_target_refused


def _deliveries_are_allowed(parts: Parts) -> Iterator[Finding]:
    """What no rule allows is refused before anything runs, delivered or not: a login is shown to its registry, too.

    Namespaces show at run time only.
    """
    rules = parts.policy.all_rules() if parts.policy is not None else None
    if rules is None:
        return
    for name, credential in parts.credentials.items():
        subject = subject_of(name, credential, parts.registries)
        if why := why_not_at_all(rules, subject):
            yield ("credentials", name), f"is not allowed by policy: {why}; change it, or have a rule added"
            continue
        for index, target in enumerate(credential.deliver_to):
            options = parts.targets.get(target)
            why = why_refused(rules, subject, destination_of(target, options)) if options is not None else ""
            if why:
                path = ("credentials", name, "deliver_to", index)
                yield path, f"is not allowed by policy: {why}; deliver it elsewhere, or have a rule added"


def _targets_read_their_own(parts: Parts) -> Iterator[Finding]:
    """Whoever may write a target, and not the policy, must not have it show somebody else's secret to a server."""
    rules = parts.policy.all_rules() if parts.policy is not None else None
    for name in sorted(parts.fragment_targets & parts.targets.keys()):
        why = why_target_refused(rules, destination_of(name, parts.targets[name]))
        if why:
            text = f"is not allowed by policy: {why}; read another, write it beside the policy, or have a rule added"
            yield ("targets", name), text


def _times_are_allowed(parts: Parts) -> Iterator[Finding]:
    renewal = parts.policy.renewal.renewal() if parts.policy is not None else Renewal()
    for name, credential in parts.credentials.items():
        for key, text in _outside(credential, renewal):
            yield ("credentials", name, key), f"{text}, which policy.renewal asks for"


def _outside(credential: CredentialConfig, limits: Renewal) -> Iterator[tuple[str, str]]:
    """Yield each option of ``credential`` that passes a floor or a ceiling."""
    before, age, floor = credential.renew_before, credential.max_age, limits.not_more_often_than
    lifetime = type(credential).lifetime
    if before is not None and limits.at_least_before is not None and before < limits.at_least_before:
        yield "renew_before", f"is too late; write at least {render_duration(limits.at_least_before)}"
    if age is not None and limits.at_most_age is not None and age > limits.at_most_age:
        yield "max_age", f"is too old; write at most {render_duration(limits.at_most_age)}"
    if floor is None:
        return
    if age is not None and age < floor:
        yield "max_age", f"is too often; write at least {render_duration(floor)}"
    if lifetime is not None and before is not None and timedelta() < lifetime - before < floor < lifetime:
        yield "renew_before", f"is too often; write at most {render_duration(lifetime - floor)}"


def _limits_can_work(parts: Parts) -> Iterator[Finding]:
    if parts.policy is None:
        return
    limits = parts.policy.renewal
    floor, age = limits.not_more_often_than, limits.at_most_age
    if floor is not None and age is not None and floor > age:
        yield ("policy", "renewal", "not_more_often_than"), "is longer than at_most_age; nothing could meet both"
    for name, credential in parts.credentials.items():
        lifetime = type(credential).lifetime
        if lifetime is None:
            continue
        lives = f"versions of credentials.{name} live for {render_duration(lifetime)}"
        if floor is not None and floor >= lifetime:
            yield ("policy", "renewal", "not_more_often_than"), f"would let them expire: {lives}; write less"
        if limits.at_least_before is not None and limits.at_least_before >= lifetime:
            yield ("policy", "renewal", "at_least_before"), f"cannot be met: {lives}; write less"


POLICY_RULES: tuple[Callable[[Parts], Iterator[Finding]], ...] = (
    _deliveries_are_allowed,
    _targets_read_their_own,
    _times_are_allowed,
    _limits_can_work,
)
