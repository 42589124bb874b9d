"""The Kubernetes target writes pull secrets in place, beside others, and says why it cannot."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from rotator.domain.model import Entry
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.targets.kubernetes import KubernetesTarget

DOCKER = "kubernetes.io/dockerconfigjson"
PLACEMENT = "web/regcred"
REGCRED = "/api/v1/namespaces/web/secrets/regcred"
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


def theirs(**changes: Any) -> dict[str, Any]:
    """Return a pull secret that somebody else made, for another registry."""
    document = {"auths": {"quay.io": {"auth": base64.b64encode(b"ann:pw").decode()}}, "x": 1}
    data = {".dockerconfigjson": base64.b64encode(json.dumps(document).encode()).decode()}
    return {"metadata": {"name": "regcred", "labels": {"app": "shop"}}, "type": DOCKER, "data": data, **changes}


def document(cluster: SandboxKubernetes, namespace: str = "web") -> Any:
    """Return the docker configuration that a Secret of the cluster holds."""
    secret = cluster.secret(namespace, "regcred")
    assert secret is not None
    return json.loads(base64.b64decode(secret["data"][".dockerconfigjson"]))


async def test_placements_of_plain_names(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """Plain names are placements without asking the cluster, so they need no right to list."""
    assert await make_target().placements() == ["db/regcred", "web/regcred"]
    assert list(cluster.asked) == []


async def test_placements_by_rules(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """Patterns and a selector are answered by the cluster; what is going away is left out."""
    for name in ("web-a", "web-b", "web-old"):
        cluster.add_namespace(name, {"team": "web"})
    cluster.add_namespace("web-x")
    cluster.terminate_namespace("web-old")
    target = make_target(namespaces={"include": ["web*"], "exclude": ["*-b"], "selector": "team=web"})
    assert await target.placements() == ["web/regcred", "web-a/regcred"]


async def test_placements_of_many_pages(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """A cluster with more namespaces than fit in a page is listed to its end."""
    for number in range(600):
        cluster.add_namespace(f"n-{number}")
    assert len(await make_target(namespaces=["n-*"]).placements()) == 600
    assert cluster.count("GET", "/api/v1/namespaces") == 3


async def test_own_creates(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """A missing Secret is created with type, label, generation and fingerprint, and read back from the answer."""
    held = await make_target(labels={"a": "b"}).apply(PLACEMENT, one)
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    assert (held.changed, held.logins) == (True, {"ghcr": one[0].login})
    assert secret["type"] == DOCKER
    assert secret["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "rotator", "a": "b"}
    assert json.loads(secret["metadata"]["annotations"]["rotator.dev/generations"]) == {"ghcr": 1}
    assert json.loads(secret["metadata"]["annotations"]["rotator.dev/fingerprints"]) == {"ghcr": one[0].fingerprint}
    assert [asked.method for asked in cluster.asked] == ["GET", "PATCH"]


async def test_own_updates_in_place_with_one_request(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """The second write is one request, keeps the uid and leaves no last-applied annotation."""
    target = make_target()
    await target.apply(PLACEMENT, [entry()])
    before = cluster.secret("web", "regcred")
    cluster.asked.clear()
    held = await target.apply(PLACEMENT, [entry(password="second-one", generation=2)])
    after = cluster.secret("web", "regcred")
    assert before is not None
    assert after is not None
    assert [asked.method for asked in cluster.asked] == ["PATCH"]
    assert held.changed
    assert before["metadata"]["uid"] == after["metadata"]["uid"]
    assert "kubectl.kubernetes.io/last-applied-configuration" not in after["metadata"]["annotations"]
    assert cluster.count("DELETE", "/") == 0


async def test_own_after_a_restart_changes_nothing(make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """A new process that finds what it would write reports no change."""
    await make_target().apply(PLACEMENT, one)
    assert not (await make_target().apply(PLACEMENT, one)).changed


async def test_docker_hub_key(cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry) -> None:
    """Docker Hub is written under the key that the kubelet looks for."""
    await make_target().apply(PLACEMENT, [entry("hub", registry="docker.io")])
    assert list(document(cluster)["auths"]) == ["https://index.docker.io/v1/"]


async def test_own_refuses_what_others_made(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """A Secret of another manager is left alone; the error names the manager, the field and the two ways out."""
    cluster.set_secret("web", theirs(), manager="helm")
    before = cluster.secret("web", "regcred")
    with pytest.raises(ConflictError, match=r"belongs to helm \(.data..dockerconfigjson\).*merge.*adopt"):
        await make_target().apply(PLACEMENT, one)
    assert cluster.secret("web", "regcred") == before


async def test_own_repairs_an_edit(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """What we once applied stays ours when somebody edits it, also after a restart."""
    await make_target().apply(PLACEMENT, one)
    mine = cluster.secret("web", "regcred")
    assert mine is not None
    cluster.set_secret("web", {**mine, "data": theirs()["data"]}, manager="kubectl-edit")
    held = await make_target().apply(PLACEMENT, one)
    assert held.changed
    assert list(document(cluster)["auths"]) == ["ghcr.io"]


async def test_adopt_takes_over(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """Adopting replaces the content of a Secret that somebody else made, and keeps their labels."""
    cluster.set_secret("web", theirs())
    await make_target(mode="adopt").apply(PLACEMENT, one)
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    assert list(document(cluster)["auths"]) == ["ghcr.io"]
    assert secret["metadata"]["labels"]["app"] == "shop"


@pytest.mark.parametrize("mode", ["own", "merge", "adopt"])
async def test_generation_never_goes_back(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, mode: str
) -> None:
    """An older generation is refused while the newer one is there, also by a process that did not write it."""
    new, old = entry(password="new-password", generation=7), entry(password="old-password", generation=6)
    writer = make_target(mode=mode)
    await writer.apply(PLACEMENT, [new])
    before = cluster.secret("web", "regcred")
    for target in (writer, make_target(mode=mode)):
        with pytest.raises(ConflictError, match="generation 7 of ghcr"):
            await target.apply(PLACEMENT, [old])
    assert cluster.secret("web", "regcred") == before


@pytest.mark.parametrize("mode", ["own", "merge", "adopt"])
@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"immutable": True}, "immutable", id="immutable"),
        pytest.param({"type": "Opaque"}, "another type", id="type"),
    ],
)
async def test_unsuitable_secret(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry], mode: str, body: Any, words: str
) -> None:
    """An immutable Secret or one of another type is never deleted and made anew; the error says what to do."""
    cluster.set_secret("web", theirs(**body))
    before = cluster.secret("web", "regcred")
    with pytest.raises(UnsupportedError, match=f"{words}.*another name"):
        await make_target(mode=mode).apply(PLACEMENT, one)
    assert cluster.secret("web", "regcred") == before


@pytest.mark.parametrize("registry", [pytest.param("quay.io/acme", id="path"), pytest.param("no host", id="garbage")])
async def test_unsuitable_registry(make_target: MakeTarget, entry: MakeEntry, registry: str) -> None:
    """A registry that the kubelet would not match is refused before anything is sent."""
    with pytest.raises(UnsupportedError, match="regcred"):
        await make_target().apply(PLACEMENT, [entry(registry=registry)])


@pytest.mark.parametrize("placement", ["web/other", "kube-system/regcred", "web", "../regcred", ""])
async def test_foreign_placement(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry], placement: str
) -> None:
    """Only placements of the configuration are written: nothing leaves for another namespace or Secret."""
    with pytest.raises(NotFoundError, match="no placement"):
        await make_target().apply(placement, one)
    assert list(cluster.asked) == []


async def test_namespace_gone(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """A namespace that is gone is not found; so is one that is going."""
    target = make_target()
    cluster.terminate_namespace("db")
    cluster.delete_namespace("web")
    with pytest.raises(NotFoundError, match="namespace web does not exist"):
        await target.apply(PLACEMENT, one)
    with pytest.raises(NotFoundError, match="namespace db is being deleted"):
        await target.apply("db/regcred", one)


@pytest.mark.parametrize(
    ("verbs", "lacking"),
    [
        pytest.param(["patch", "create"], "get", id="get"),
        pytest.param(["get", "create"], "patch", id="patch"),
        pytest.param(["get", "patch"], "create", id="create"),
    ],
)
async def test_denied(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry], verbs: list[str], lacking: str
) -> None:
    """A missing right is named with verb, resource, namespace and the rule to add."""
    cluster.add_token("rotator-token-5d1f", [{"apiGroups": [""], "resources": ["secrets"], "verbs": verbs}])
    names = r"resources: \[secrets\], resourceNames: \[regcred\]"
    rule = rf'Role in the namespace web: {{apiGroups: \[""\], {names}, verbs: \[{lacking}\]}}'
    with pytest.raises(PermissionDeniedError, match=f"not allowed to {lacking} secrets.*{rule}"):
        await make_target().apply(PLACEMENT, one)


async def test_refused_token(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """An unknown token is tried once more, then it is an authentication error."""
    cluster.remove_token("rotator-token-5d1f")
    with pytest.raises(AuthenticationError, match="prod: get secrets web/regcred"):
        await make_target().apply(PLACEMENT, one)
    assert len(cluster.asked) == 2


@pytest.mark.parametrize(
    ("status", "headers", "error"),
    [
        pytest.param(429, {"Retry-After": "7"}, RateLimitedError, id="throttled"),
        pytest.param(500, {}, UnavailableError, id="server error"),
        pytest.param(503, {"Retry-After": "7"}, UnavailableError, id="unavailable"),
        pytest.param(302, {"Location": "http://elsewhere"}, RotatorError, id="redirect"),
    ],
)
async def test_refusals_by_status(
    cluster: SandboxKubernetes,
    make_target: MakeTarget,
    one: Sequence[Entry],
    status: int,
    headers: dict[str, str],
    error: type[RotatorError],
) -> None:
    """A status becomes the error of its class, with the wait that was asked for, and the old value stays."""
    target = make_target()
    await target.apply(PLACEMENT, one)
    before = cluster.secret("web", "regcred")
    cluster.fail(status, path=REGCRED, headers=headers, body="<html>")
    with pytest.raises(error) as caught:
        await target.apply(PLACEMENT, one)
    asked = getattr(caught.value, "retry_after", None)
    assert (asked.total_seconds() if asked else None) == (7 if "Retry-After" in headers else None)
    assert cluster.secret("web", "regcred") == before


async def test_answer_that_is_no_object(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """An answer with status 200 that is no Secret confirms nothing."""
    cluster.fail(200, path=REGCRED, body="[]")
    with pytest.raises(UnavailableError, match="not an object"):
        await make_target().apply(PLACEMENT, one)


async def test_write_that_was_changed_on_the_way(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """The read-back is what the server answered, not what was sent."""
    body = json.dumps({**theirs(), "metadata": {"name": "regcred", "resourceVersion": "5"}})
    cluster.fail(200, path=REGCRED, method="PATCH", body=body)
    assert (await make_target().apply(PLACEMENT, one)).logins == {}


async def test_read(make_target: MakeTarget, entry: MakeEntry) -> None:
    """Reading returns the logins under the keys, nothing for a missing Secret, and changes nothing."""
    target = make_target()
    ghcr, quay = entry(), entry("quay", registry="quay.io")
    assert dict((await target.read(PLACEMENT, [ghcr])).logins) == {}
    await target.apply(PLACEMENT, [ghcr])
    held = await target.read(PLACEMENT, [ghcr, quay])
    assert (held.changed, held.logins) == (False, {"ghcr": ghcr.login})


async def test_service_accounts(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """Service accounts are made to name the Secret, once, beside what they name already."""
    target = make_target(service_accounts=["default"])
    first = await target.apply(PLACEMENT, one)
    second = await target.apply(PLACEMENT, one)
    account = cluster.service_account("web", "default")
    assert account is not None
    assert account["imagePullSecrets"] == [{"name": "regcred"}]
    assert (first.changed, second.changed) == (True, False)
    assert cluster.count("PATCH", "/api/v1/namespaces/web/serviceaccounts") == 1


async def test_missing_rights(cluster: SandboxKubernetes, make_target: MakeTarget) -> None:
    """The rights that are missing are listed as rules, each with its place; nothing is written."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["regcred"], "verbs": ["get", "patch"]}
    cluster.add_token("rotator-token-5d1f", [{**rule, "namespace": "web"}])
    fixed = await make_target(namespaces=["web"], service_accounts=["default"]).missing_rights()
    listed = await make_target(namespaces=["w*"]).missing_rights()
    assert fixed == [
        'web: {apiGroups: [""], resources: [secrets], resourceNames: [regcred], verbs: [create]}',
        'web: {apiGroups: [""], resources: [serviceaccounts], resourceNames: [default], verbs: [get]}',
        'web: {apiGroups: [""], resources: [serviceaccounts], resourceNames: [default], verbs: [patch]}',
    ]
    assert listed == [
        'cluster: {apiGroups: [""], resources: [namespaces], verbs: [list]}',
        'cluster: {apiGroups: [""], resources: [namespaces], verbs: [watch]}',
    ]
