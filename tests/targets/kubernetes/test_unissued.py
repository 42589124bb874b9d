"""What a Secret holds of credentials that have no version yet stays there, though the rest is made anew."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from rotator.domain.model import Entry
from rotator.errors import ConflictError, FencedError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.kubernetes import KubernetesTarget

PLACEMENT = "web/regcred"
QUAY = {"quay": "quay.io"}
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


def data(cluster: SandboxKubernetes) -> dict[str, str]:
    """Return the decoded values of the Secret."""
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    return {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}


def auths(cluster: SandboxKubernetes) -> dict[str, Any]:
    """Return the logins in the Secret."""
    found: dict[str, Any] = json.loads(data(cluster)[".dockerconfigjson"])["auths"]
    return found


def put(cluster: SandboxKubernetes, text: str, **metadata: Any) -> None:
    """Make a pull secret that holds ``text``, as helm would."""
    content = {".dockerconfigjson": base64.b64encode(text.encode()).decode()}
    body = {"metadata": {"name": "regcred", **metadata}, "type": "kubernetes.io/dockerconfigjson", "data": content}
    cluster.set_secret("web", body, manager="helm")


async def test_login_without_a_version_stays(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """After a lost state a neighbour's write keeps the other login and its generation, and drops what nobody wants."""
    ghcr, quay, old = entry(), entry("quay", registry="quay.io", generation=7), entry("old", registry="r.example.com")
    await make_target().apply(PLACEMENT, [ghcr, quay, old])
    before = auths(cluster)
    held = await make_target().apply_beside(PLACEMENT, [entry(password="second-one", generation=2)], QUAY)
    assert (held.changed, list(held.logins)) == (True, ["ghcr"])
    after = auths(cluster)
    assert set(after) == {"ghcr.io", "quay.io"}
    assert after["quay.io"] == before["quay.io"]
    assert after["ghcr.io"] != before["ghcr.io"]
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    assert json.loads(secret["metadata"]["annotations"]["rotator.dev/generations"]) == {"ghcr": 2, "quay": 7}


async def test_login_under_a_new_name_stays(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """A login is kept by its registry, so that a credential may be renamed while its vendor is down."""
    target = make_target()
    await target.apply(PLACEMENT, [entry(), entry("hub", registry="docker.io")])
    await target.apply_beside(PLACEMENT, [entry(generation=2)], {"hub-prod": "docker.io"})
    assert set(auths(cluster)) == {"ghcr.io", "https://index.docker.io/v1/"}


async def test_first_version_does_not_pass_by_the_fence(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """The generation of a login that was kept is above a first version, also for the process that kept it."""
    await make_target().apply(PLACEMENT, [entry(), entry("quay", registry="quay.io", generation=7)])
    target = make_target()
    await target.apply_beside(PLACEMENT, [entry()], QUAY)
    first = entry("quay", registry="quay.io", password="first-password")
    with pytest.raises(FencedError, match="generation 7 of quay"):
        await target.apply(PLACEMENT, [entry(), first])
    assert set(auths(cluster)) == {"ghcr.io", "quay.io"}


async def test_repeating_changes_nothing(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """A write beside a login that is kept is idempotent, and looks each time."""
    await make_target().apply(PLACEMENT, [entry(), entry("quay", registry="quay.io")])
    target = make_target()
    await target.apply_beside(PLACEMENT, [entry()], QUAY)
    cluster.asked.clear()
    assert not (await target.apply_beside(PLACEMENT, [entry()], QUAY)).changed
    assert [asked.method for asked in cluster.asked] == ["GET", "PATCH"]


async def test_nothing_there_is_nothing_kept(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """The first login is written, though another has no version yet: a vendor that is down blocks no neighbour."""
    await make_target().apply_beside(PLACEMENT, [entry()], QUAY)
    assert set(auths(cluster)) == {"ghcr.io"}


async def test_adopting_keeps_it_too(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """What somebody else wrote for a registry of ours works on until there is a version of ours."""
    put(cluster, '{"auths":{"https://quay.io/v2/":{"auth":"YW5uOnB3"},"r.example.com":{"auth":"YW5uOnB3"}}}')
    await make_target(mode="adopt").apply_beside(PLACEMENT, [entry()], QUAY)
    assert set(auths(cluster)) == {"ghcr.io", "https://quay.io/v2/"}


async def test_unreadable_content_is_replaced(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Of what no kubelet can read nothing is kept."""
    put(cluster, '{"auths": [')
    await make_target(mode="adopt").apply_beside(PLACEMENT, [entry()], QUAY)
    assert set(auths(cluster)) == {"ghcr.io"}


async def test_secret_of_others_is_refused(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """That something is to be kept takes over nothing that belongs to somebody else."""
    put(cluster, '{"auths":{"quay.io":{"auth":"YW5uOnB3"}}}')
    before = cluster.secret("web", "regcred")
    with pytest.raises(ConflictError, match="belongs to helm"):
        await make_target().apply_beside(PLACEMENT, [entry()], QUAY)
    assert cluster.secret("web", "regcred") == before


async def test_fields_of_a_credential_stay(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Keys that carry a credential's name are kept with their values; those of a credential that is gone are not."""
    options = {"secret_template": "opaque", "keys": {"{CREDENTIAL}_USER": "username", "{CREDENTIAL}_TOKEN": "password"}}
    written = [
        entry(),
        entry("quay", registry="quay.io", password="quay-password"),
        entry("old", registry="r.example.com"),
    ]
    await make_target(**options).apply(PLACEMENT, written)
    await make_target(**options).apply_beside(PLACEMENT, [entry(password="second-one", generation=2)], QUAY)
    found = data(cluster)
    assert set(found) == {"GHCR_USER", "GHCR_TOKEN", "QUAY_USER", "QUAY_TOKEN"}
    assert (found["GHCR_TOKEN"], found["QUAY_TOKEN"]) == ("second-one", "quay-password")


async def test_merge_keeps_everything(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """In a shared Secret every login stays, wanted or not."""
    target = make_target(mode="merge")
    await target.apply(PLACEMENT, [entry(), entry("quay", registry="quay.io"), entry("old", registry="r.example.com")])
    await target.apply_beside(PLACEMENT, [entry(generation=2)], QUAY)
    assert set(auths(cluster)) == {"ghcr.io", "quay.io", "r.example.com"}
