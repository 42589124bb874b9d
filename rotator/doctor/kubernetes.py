"""Clusters: whether the target may do there what it does, and whether it may do much more."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.doctor.finding import Finding, Level, of_error
from rotator.errors import RotatorError
from rotator.ports import ReviewsRights, Target

FAMILY = "kubernetes"


async def check_kubernetes(targets: Mapping[str, Target]) -> list[Finding]:
    """Return what every cluster says of our rights there, by access reviews, which change nothing."""
    found: list[Finding] = []
    for name, target in sorted(targets.items()):
        if isinstance(target, ReviewsRights):
            found += await _check_target(name, target)
    return found


async def _check_target(name: str, target: ReviewsRights) -> list[Finding]:
    try:
        missing, excess = await target.missing_rights(), await target.excess_rights()
    except RotatorError as error:
        return [of_error(FAMILY, name, error, "Look at the target's kubeconfig or service account")]
    return [*judge_missing(name, missing), judge_excess(name, excess)]


def judge_missing(name: str, missing: list[str]) -> list[Finding]:
    """Decide by the RBAC rules that are lacking."""
    if not missing:
        return [Finding(FAMILY, name, Level.OK, "every right that it uses is granted")]
    text = f"{len(missing)} rights that it uses are not granted" if len(missing) > 1 else "a right is not granted"
    return [Finding(FAMILY, name, Level.FAIL, f"{text}: {one}", f"Add to its role: {one}") for one in missing]


def judge_excess(name: str, excess: list[str]) -> Finding:
    """Decide by the rights that it has and never uses."""
    if not excess:
        return Finding(FAMILY, name, Level.OK, "it may not read, list or delete Secrets beyond its own")
    mend = "Bind it to the shipped roles (deploy/kubernetes), which name its Secrets, and to nothing wider"
    return Finding(FAMILY, name, Level.WARN, f"it may do more than it uses: {', '.join(excess)}", mend)
