"""The rule that no two targets are one place. Pure, but for links that a target's options follow."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, product

from rotator.config.parts import Finding, Parts
from rotator.config.subject import destination_of, subject_of
from rotator.domain.extent import Extent
from rotator.domain.policy import namespaces_for
from rotator.domain.site import EVERYWHERE, Load, Site, clash

_ADVICE = "deliver only one of them there, or give one of the two targets another place"


def sites_are_apart(parts: Parts) -> Iterator[Finding]:
    """Find targets that would overwrite each other's logins: each would be told that its own was confirmed."""
    loads = _loads(parts)
    at: dict[tuple[str, ...], list[tuple[str, Site]]] = defaultdict(list)
    for name in loads:
        for site in parts.targets[name].sites():
            at[site.key].append((name, site))
    for (first, one), (second, other) in (pair for found in at.values() for pair in combinations(found, 2)):
        if first == second:
            continue
        pairs = product(loads[first], loads[second])
        clashing = next((pair for pair in pairs if clash(one, pair[0], other, pair[1])), None)
        if clashing is not None:
            mine, its = (load.credential for load in clashing)
            yield ("targets", second, other.option), _sentence(first, other, one.advice or other.advice, {mine, its})


def _sentence(first: str, site: Site, advice: str, credentials: set[str]) -> str:
    names = " and ".join(f"credentials.{name}" for name in sorted(credentials))
    happens = f"{names} would replace each other there"
    if len(credentials) == 1:
        happens, advice = f"{names} would be delivered there twice", "take it from one of the two targets"
    return f"is {site.label}, where targets.{first} writes, too: {happens}; {advice or _ADVICE}"


def _loads(parts: Parts) -> dict[str, list[Load]]:
    """Return what each target receives, in the order of the targets; without those that receive nothing."""
    loads: dict[str, list[Load]] = {name: [] for name in parts.targets}
    for name, credential in parts.credentials.items():
        for target in dict.fromkeys(credential.deliver_to):
            if target in loads:
                loads[target].append(Load(name, credential.registry, _within(parts, name, target)))
    return {name: found for name, found in loads.items() if found}


def _within(parts: Parts, credential: str, target: str) -> Extent:
    if parts.policy is None or not parts.targets[target].has_namespaces:
        return EVERYWHERE
    rules, destination = parts.policy.all_rules(), destination_of(target, parts.targets[target])
    allowed = namespaces_for(
        rules, subject_of(credential, parts.credentials[credential], parts.registries), destination
    )
    return EVERYWHERE if allowed is None else Extent(tuple(allowed))
