"""Flux and workloads are told of a new login once the Secret holds it, once per generation, and of nothing else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from rotator.domain.model import Entry
from rotator.errors import ConflictError
from rotator.sandbox.kubernetes import SandboxKubernetes
from rotator.sandbox.kubernetes_objects import Place
from rotator.targets.kubernetes import KubernetesTarget
from rotator.targets.kubernetes.listener import (
    Occasion,
    Way,
    is_due,
    nudging_patch,
    parse_flux,
    parse_workload,
)

PLACEMENT = "web/regcred"
CHARTS: Place = ("source.toolkit.fluxcd.io", "v1", "web", "ocirepositories", "charts")
API: Place = ("apps", "v1", "web", "deployments", "api")
NUDGE = {"flux": ["ocirepository/charts"], "restart": ["deployment/api"]}
MARK = "nudged.rotator.dev/regcred"
MakeTarget = Callable[..., KubernetesTarget]
MakeEntry = Callable[..., Entry]


@pytest.fixture(autouse=True)
def _objects(cluster: SandboxKubernetes) -> None:
    cluster.others.put(CHARTS, {"url": "oci://ghcr.io/acme/charts"})
    cluster.others.put(API, {"replicas": 3, "template": {"metadata": {"labels": {"app": "api"}}}})


def noted(cluster: SandboxKubernetes, place: Place) -> dict[str, str]:
    """Return the annotations of an object."""
    found: dict[str, str] = cluster.others.get(place)["metadata"].get("annotations", {})
    return found


async def told(cluster: SandboxKubernetes, generation: int, *places: Place) -> None:
    """Wait until objects were told of ``generation``."""
    news = json.dumps({"ghcr": generation})
    for place in places or (CHARTS, API):
        while noted(cluster, place).get(MARK) != news:
            await asyncio.sleep(0)


async def quiet(target: KubernetesTarget) -> None:
    """Wait until nothing is to be told any more."""
    while target._nudger.is_busy:
        await asyncio.sleep(0)


async def test_a_new_login_is_told(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, clock: Any
) -> None:
    """Flux is asked at the object, a workload by its pod template; nothing else of either changes."""
    held = await make_target(nudge=NUDGE).apply(PLACEMENT, [entry(generation=7)])
    await told(cluster, 7)
    instant = clock.now().strftime("%Y-%m-%dT%H:%M:%S.000Z")
    charts, api = cluster.others.get(CHARTS), cluster.others.get(API)
    assert held.changed
    assert noted(cluster, CHARTS) == {"reconcile.fluxcd.io/requestedAt": instant, MARK: '{"ghcr": 7}'}
    assert (charts["spec"], charts["metadata"]["generation"]) == ({"url": "oci://ghcr.io/acme/charts"}, 1)
    template = {"labels": {"app": "api"}, "annotations": {"kubectl.kubernetes.io/restartedAt": instant}}
    assert (api["spec"], api["metadata"]["generation"]) == ({"replicas": 3, "template": {"metadata": template}}, 2)
    assert noted(cluster, API) == {MARK: '{"ghcr": 7}'}


async def test_once_per_generation(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, clock: Any
) -> None:
    """The same login again, a repair of the Secret and another process tell nobody twice; the next generation does."""
    target = make_target(nudge=NUDGE)
    await target.apply(PLACEMENT, [entry()])
    await told(cluster, 1)
    await target.apply(PLACEMENT, [entry()])
    secret = cluster.secret("web", "regcred")
    assert secret is not None
    cluster.set_secret("web", {**secret, "data": {".dockerconfigjson": "e30="}}, manager="kubectl-edit")
    other = make_target(nudge=NUDGE)
    assert (await other.apply(PLACEMENT, [entry()])).changed
    for each in (target, other):
        await quiet(each)
    assert cluster.others.get(API)["metadata"]["generation"] == 2
    clock.advance(timedelta(milliseconds=1))
    await other.apply(PLACEMENT, [entry(password="second", generation=2)])
    await told(cluster, 2)
    assert cluster.others.get(API)["metadata"]["generation"] == 3


async def test_nobody_is_told_of_what_was_there(
    cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]
) -> None:
    """Who is named only after the login was delivered is not told of it: nothing changed for them."""
    await make_target().apply(PLACEMENT, one)
    target = make_target(nudge=NUDGE)
    assert not (await target.apply(PLACEMENT, one)).changed
    await quiet(target)
    assert (noted(cluster, CHARTS), noted(cluster, API)) == ({}, {})


async def test_what_was_missed_is_made_up_for(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """A daemon that stopped between the write and the telling tells it at its next look."""
    first = make_target(nudge=NUDGE)
    await first.apply(PLACEMENT, [entry()])
    await told(cluster, 1)
    await make_target().apply(PLACEMENT, [entry(password="second", generation=2)])
    assert not (await make_target(nudge=NUDGE).apply(PLACEMENT, [entry(password="second", generation=2)])).changed
    await told(cluster, 2)


async def test_off_by_default(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """Without the option nothing but the Secret is asked for."""
    await make_target().apply(PLACEMENT, one)
    assert {asked.path for asked in cluster.asked} == {"/api/v1/namespaces/web/secrets/regcred"}


async def test_a_write_that_was_not_confirmed_tells_nobody(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """Neither a refused write nor one that was read back as something else is told."""
    target = make_target(nudge=NUDGE)
    cluster.set_secret("web", {"metadata": {"name": "regcred"}, "type": "kubernetes.io/dockerconfigjson", "data": {}})
    changed = {"metadata": {"name": "regcred", "resourceVersion": "5"}, "data": {".dockerconfigjson": "e30="}}
    cluster.fail(200, path="/api/v1/namespaces/db/secrets/regcred", method="PATCH", body=json.dumps(changed))
    cluster.fail(409, path="/api/v1/namespaces/web/secrets/regcred", method="PATCH", body="{}")
    with pytest.raises(ConflictError):
        await target.apply(PLACEMENT, [entry()])
    assert (await target.apply("db/regcred", [entry()])).logins == {}
    assert not target._nudger.is_busy
    assert (noted(cluster, CHARTS), noted(cluster, API)) == ({}, {})


async def test_a_failure_is_logged_and_tried_again(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry, clock: Any
) -> None:
    """The delivery counts at once; what could not be told is said, and told later; the others are not told twice."""
    path = "/apis/source.toolkit.fluxcd.io/v1/namespaces/web/ocirepositories/charts"
    cluster.fail(500, path=path, method="PATCH", times=3)
    with capture_logs() as logs:
        held = await make_target(nudge=NUDGE).apply(PLACEMENT, [entry()])
        await told(cluster, 1)
    failures = [line for line in logs if line["event"] == "kubernetes_nudge_failed"]
    assert held.logins == {"ghcr": entry().login}
    assert len(failures) == 3
    assert {(line["target"], line["namespace"], line["object"], line["error"]) for line in failures} == {
        ("prod", "web", "ocirepositories/charts", "unavailable")
    }
    assert clock.slept == [3.75, 7.5, 15.0]
    assert cluster.others.get(API)["metadata"]["generation"] == 2


async def test_missing_rights_and_objects_are_said(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """What lacks is named: the rule to add, the object that is not there; `missing_rights` lists the rule too."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "patch", "create"]}
    apps = {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}
    cluster.add_token("rotator-token-5d1f", [rule, apps])
    target = make_target(namespaces=["web"], nudge={"flux": ["ocirepository/charts"], "restart": ["deployment/gone"]})
    lacking = '{apiGroups: ["source.toolkit.fluxcd.io"], resources: [ocirepositories], resourceNames: [charts], verbs: '
    assert await target.missing_rights() == [f"web: {lacking}[get]}}", f"web: {lacking}[patch]}}"]
    with capture_logs() as logs:
        await target.apply(PLACEMENT, [entry()])
        while len(logs) < 2:
            await asyncio.sleep(0)
        await target.close()
    told_of = {line["object"]: line["message"] for line in logs}
    assert lacking in told_of["ocirepositories/charts"]
    assert told_of["deployments/gone"] == "prod: get deployments web/gone: it does not exist"


async def test_a_newer_login_takes_the_place_of_an_older_one(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """What could not be told in time is not told once there is something newer."""
    late: Place = ("apps", "v1", "web", "deployments", "late")
    target = make_target(nudge={"restart": ["deployment/late"]})
    await target.apply(PLACEMENT, [entry()])
    await target.apply(PLACEMENT, [entry(password="second", generation=2)])
    cluster.others.put(late, {"template": {}})
    await told(cluster, 2, late)
    await quiet(target)
    assert [task for task in asyncio.all_tasks() if "_tell_all" in repr(task)] == []
    assert cluster.count("PATCH", "/apis/apps/v1/namespaces/web/deployments/late") == 1


async def test_closing_gives_up(cluster: SandboxKubernetes, make_target: MakeTarget, one: Sequence[Entry]) -> None:
    """A target that is closed tells nobody any more."""
    target = make_target(nudge={"restart": ["deployment/late"]})
    await target.apply(PLACEMENT, one)
    await target.close()
    asked = len(cluster.asked)
    assert not target._nudger.is_busy
    await target.read(PLACEMENT, one)
    assert len(cluster.asked) == asked + 1


@pytest.mark.parametrize(
    ("text", "place"),
    [
        pytest.param("ocirepository/a", ("source.toolkit.fluxcd.io", "v1", "ocirepositories"), id="kind"),
        pytest.param("HelmRepository/a", ("source.toolkit.fluxcd.io", "v1", "helmrepositories"), id="upper case"),
        pytest.param("imagerepository/a", ("image.toolkit.fluxcd.io", "v1", "imagerepositories"), id="image"),
        pytest.param("x.v2beta1.y.example/a", ("y.example", "v2beta1", "x"), id="in full"),
    ],
)
def test_objects_of_flux(text: str, place: tuple[str, str, str]) -> None:
    """Flux's kinds are known by name; an object of any other kind or version is written in full."""
    listener = parse_flux(text)
    assert ((listener.group, listener.version, listener.resource), listener.name) == (place, "a")


@pytest.mark.parametrize(
    "text", ["deployment", "deployment/", "deployment/A", "pod/a", "x.v1.apps/a", "deployment/a/b", "/a", ""]
)
def test_no_workload(text: str) -> None:
    """Only the three kinds that own pods are restarted."""
    with pytest.raises(ValueError, match="deployment, statefulset, daemonset"):
        parse_workload(text)


@pytest.mark.parametrize(
    ("metadata", "occasion", "due"),
    [
        pytest.param({}, Occasion.CHANGED, True, id="first time, changed"),
        pytest.param({}, Occasion.SEEN, False, id="first time, seen"),
        pytest.param({"annotations": {MARK: "x"}}, Occasion.SEEN, True, id="told of something else"),
        pytest.param({"annotations": {MARK: "n"}}, Occasion.CHANGED, False, id="told"),
        pytest.param({"annotations": []}, Occasion.CHANGED, True, id="garbage"),
        pytest.param(None, Occasion.SEEN, False, id="no metadata"),
    ],
)
def test_who_is_due(metadata: Any, occasion: Occasion, *, due: bool) -> None:
    """Who knows is not told again, and for the first time only of a change."""
    assert is_due({"metadata": metadata}, "regcred", "n", occasion) is due


def test_patch_keeps_to_annotations() -> None:
    """A patch sets annotations and no other field."""
    now = datetime(2026, 11, 23, 12, 0, 5, 700, tzinfo=UTC)
    assert nudging_patch(Way.RECONCILE, "s", "n", now) == {
        "metadata": {
            "annotations": {"nudged.rotator.dev/s": "n", "reconcile.fluxcd.io/requestedAt": "2026-11-23T12:00:05.000Z"}
        }
    }


async def test_nobody_is_told_in_a_namespace_that_is_gone(
    cluster: SandboxKubernetes, make_target: MakeTarget, entry: MakeEntry
) -> None:
    """What is still to be told is given up with its namespace, and with no other."""
    target = make_target(namespaces=["pr-*"], nudge=NUDGE)
    for name in ("pr-1", "pr-2"):
        cluster.add_namespace(name)
        await target.apply(f"{name}/regcred", [entry()])  # there is nothing in it that could be told
    cluster.delete_namespace("pr-1")
    assert await target.placements() == ["pr-2/regcred"]
    assert target._nudger.namespaces == {"pr-2"}
    while cluster.count("GET", "/apis/apps/v1/namespaces/pr-2/") < 3:
        await asyncio.sleep(0)
    cluster.delete_namespace("pr-2")
    assert await target.placements() == []
    await quiet(target)
