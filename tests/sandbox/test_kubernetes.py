"""The Kubernetes sandbox answers as the reference documentation of Kubernetes says a real API server does."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest

from rotator.sandbox.kubernetes import SandboxKubernetes

APPLY = "application/apply-patch+yaml"
JSON_PATCH = "application/json-patch+json"
DOCKER = "kubernetes.io/dockerconfigjson"
SECRETS = "/api/v1/namespaces/web/secrets"
REGCRED = f"{SECRETS}/regcred"
ADMIN = "admin-token"


def docker_value(password: str) -> str:
    """Return a docker configuration as a Secret holds it."""
    return base64.b64encode(json.dumps({"auths": {"ghcr.io": {"password": password}}}).encode()).decode()


def pull_secret(password: str = "one", **extra: Any) -> dict[str, Any]:
    """Return a pull secret to send."""
    data = {".dockerconfigjson": docker_value(password)}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "regcred"},
        "type": DOCKER,
        "data": data,
        **extra,
    }


@dataclass
class Client:
    """Sends requests to the sandbox with a token."""

    server: SandboxKubernetes
    http: aiohttp.ClientSession
    token: str = ADMIN

    async def __call__(
        self, method: str, path: str, body: object = None, *, kind: str = "application/json"
    ) -> tuple[int, Any]:
        """Return status and parsed body."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": kind}
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        data = None if body is None else io.BytesIO(content)
        async with self.http.request(method, self.server.url + path, data=data, headers=headers) as answer:
            return answer.status, json.loads(await answer.read())

    async def apply(self, body: Mapping[str, Any], manager: str = "rotator", query: str = "") -> tuple[int, Any]:
        """Apply a Secret server-side."""
        return await self("PATCH", f"{REGCRED}?fieldManager={manager}{query}", body, kind=APPLY)


@pytest.fixture
async def server() -> AsyncIterator[SandboxKubernetes]:
    """Return a cluster with one namespace and an administrator."""
    async with SandboxKubernetes(bookmark_seconds=0.05) as sandbox:
        sandbox.add_token(ADMIN)
        sandbox.add_namespace("web", {"team": "web"})
        yield sandbox


@pytest.fixture
def call(server: SandboxKubernetes, http: aiohttp.ClientSession) -> Client:
    """Return a client with an administrator's token."""
    return Client(server, http)


async def test_version(call: Client) -> None:
    """The version is told to everybody."""
    status, body = await call("GET", "/version")
    assert (status, body["major"]) == (200, "1")


async def test_apply_creates_then_updates_in_place(call: Client) -> None:
    """An apply creates with 201, then updates with 200, keeps the uid and moves the resource version."""
    created, first = await call.apply(pull_secret("one"))
    updated, second = await call.apply(pull_secret("two"))
    assert (created, updated) == (201, 200)
    assert first["metadata"]["uid"] == second["metadata"]["uid"]
    assert first["metadata"]["resourceVersion"] != second["metadata"]["resourceVersion"]
    assert second["data"][".dockerconfigjson"] == docker_value("two")


async def test_apply_of_the_same_changes_nothing(call: Client) -> None:
    """Applying the same again leaves the resource version alone."""
    _, first = await call.apply(pull_secret())
    _, second = await call.apply(pull_secret())
    assert first == second


async def test_apply_records_the_manager(call: Client) -> None:
    """Managed fields name the manager, the operation and the leaves."""
    _, body = await call.apply(pull_secret())
    (entry,) = body["metadata"]["managedFields"]
    assert (entry["manager"], entry["operation"]) == ("rotator", "Apply")
    assert entry["fieldsV1"] == {"f:data": {"f:.dockerconfigjson": {}}, "f:type": {}}


async def test_apply_conflict_names_manager_and_field(server: SandboxKubernetes, call: Client) -> None:
    """Without force, a field that another manager set to another value is a 409 with a cause per field."""
    server.set_secret("web", pull_secret("theirs"), manager="helm")
    status, body = await call.apply(pull_secret("ours"))
    assert (status, body["reason"]) == (409, "Conflict")
    assert body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "helm" using v1',
            "field": ".data..dockerconfigjson",
        }
    ]


async def test_apply_with_force_takes_the_field(server: SandboxKubernetes, call: Client) -> None:
    """With force the field changes hands; equal fields become shared."""
    server.set_secret("web", pull_secret("theirs"), manager="helm")
    status, body = await call.apply(pull_secret("ours"), query="&force=true")
    fields = {entry["manager"]: entry["fieldsV1"] for entry in body["metadata"]["managedFields"]}
    assert status == 200
    assert fields["helm"] == {"f:type": {}}
    assert fields["rotator"] == {"f:data": {"f:.dockerconfigjson": {}}, "f:type": {}}


async def test_apply_without_the_field_removes_it(call: Client) -> None:
    """A field that its only manager no longer applies goes away; one of somebody else stays."""
    noted = {"name": "regcred", "annotations": {"a": "1", "b": "2"}}
    await call.apply(pull_secret(metadata=noted))
    _, body = await call.apply(pull_secret(metadata={"name": "regcred", "annotations": {"a": "1"}}))
    assert body["metadata"]["annotations"] == {"a": "1"}


async def test_basic_auth_needs_user_or_password(call: Client) -> None:
    """A Secret for basic auth without both keys is a 422 that names them, as ``validation.go`` of Kubernetes has it."""
    status, body = await call.apply(pull_secret(type="kubernetes.io/basic-auth"))
    assert status == 422
    assert [cause["field"] for cause in body["details"]["causes"]] == ["data[username]", "data[password]"]


async def test_apply_dry_run_keeps_nothing(server: SandboxKubernetes, call: Client) -> None:
    """A dry run answers as if, and stores nothing."""
    status, body = await call.apply(pull_secret(), query="&dryRun=All")
    assert (201, docker_value("one")) == (status, body["data"][".dockerconfigjson"])
    assert server.secret("web", "regcred") is None


@pytest.mark.parametrize(
    ("query", "body", "status"),
    [
        pytest.param("", pull_secret(), 422, id="no field manager"),
        pytest.param("?fieldManager=x", {"kind": "ConfigMap"}, 400, id="another kind"),
        pytest.param("?fieldManager=x", b"{", 400, id="not JSON"),
        pytest.param("?fieldManager=x", [1], 400, id="no object"),
        pytest.param("?fieldManager=x", pull_secret(metadata={"name": "other"}), 400, id="another name"),
        pytest.param("?fieldManager=x", pull_secret(metadata={"managedFields": [{}]}), 400, id="managed fields"),
        pytest.param("?fieldManager=x", pull_secret(data={}), 422, id="required key missing"),
        pytest.param("?fieldManager=x", pull_secret(data={".dockerconfigjson": "%"}), 400, id="not base64"),
        pytest.param("?fieldManager=x", pull_secret(data={".dockerconfigjson": "eA=="}), 422, id="not a config"),
        pytest.param("?fieldManager=x&dryRun=Some", pull_secret(), 400, id="unknown dry run"),
    ],
)
async def test_apply_refuses(call: Client, query: str, body: object, status: int) -> None:
    """What a real server refuses is refused, in a Status."""
    answered, told = await call("PATCH", REGCRED + query, body, kind=APPLY)
    assert (status, "Status", status) == (answered, told["kind"], told["code"])


async def test_patch_of_another_kind_is_415(call: Client) -> None:
    """A merge patch is refused: we do not speak it."""
    status, _ = await call("PATCH", REGCRED, {}, kind="application/merge-patch+json")
    assert status == 415


async def test_size_limit(call: Client) -> None:
    """Values above 1 MiB in sum are refused with the field's name."""
    data = {"k": base64.b64encode(b"x" * ((1 << 20) + 1)).decode()}
    status, body = await call("POST", SECRETS, {"metadata": {"name": "big"}, "data": data})
    assert (status, body["details"]["causes"][0]["field"]) == (422, "data")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({"data": {"k": "Yg=="}}, "data", id="data"),
        pytest.param({"immutable": False}, "immutable", id="flag"),
        pytest.param({"type": "other"}, "type", id="type"),
    ],
)
async def test_immutable(server: SandboxKubernetes, call: Client, change: dict[str, Any], field: str) -> None:
    """An immutable Secret keeps its data, its flag and, as every Secret, its type."""
    body = {"metadata": {"name": "regcred"}, "type": "Opaque", "data": {"k": "YQ=="}, "immutable": True}
    server.set_secret("web", body)
    status, told = await call("PUT", REGCRED, {**body, **change})
    assert (422, field) == (status, told["details"]["causes"][0]["field"])
    assert server.secret("web", "regcred")["data"] == {"k": "YQ=="}  # type: ignore[index]


async def test_put_needs_the_current_version(call: Client) -> None:
    """A PUT with an old resource version is a 409 without causes; with the current one it replaces."""
    _, old = await call("POST", SECRETS, pull_secret("one"))
    _, new = await call("PUT", REGCRED, {**old, "data": {".dockerconfigjson": docker_value("two")}})
    status, body = await call("PUT", REGCRED, old)
    assert (status, "causes" in body["details"]) == (409, False)
    assert new["data"][".dockerconfigjson"] == docker_value("two")


async def test_put_moves_ownership(call: Client) -> None:
    """A PUT that changes a field takes it from whoever applied it."""
    _, body = await call.apply(pull_secret("one"))
    changed = {**body, "data": {".dockerconfigjson": docker_value("two")}}
    _, after = await call("PUT", f"{REGCRED}?fieldManager=edit", changed)
    fields = {entry["manager"]: entry["fieldsV1"] for entry in after["metadata"]["managedFields"]}
    assert fields == {"rotator": {"f:type": {}}, "edit": {"f:data": {"f:.dockerconfigjson": {}}}}


async def test_post_of_what_exists_is_409(call: Client) -> None:
    """Creating twice is AlreadyExists."""
    await call("POST", SECRETS, pull_secret())
    status, body = await call("POST", SECRETS, pull_secret())
    assert (status, body["reason"]) == (409, "AlreadyExists")


async def test_delete_then_get_is_404(call: Client) -> None:
    """A deleted Secret is not found, with its name and kind in the details."""
    await call("POST", SECRETS, pull_secret())
    assert (await call("DELETE", REGCRED))[0] == 200
    status, body = await call("GET", REGCRED)
    assert (status, body["details"]) == (404, {"name": "regcred", "kind": "secrets"})


async def test_json_patch_of_a_secret(call: Client) -> None:
    """A JSON Patch with a passing test changes; with a failing one it is a 422 and changes nothing."""
    await call("POST", SECRETS, pull_secret("one"))
    path = "/data/.dockerconfigjson"
    test = {"op": "test", "path": path, "value": docker_value("one")}
    change = {"op": "replace", "path": path, "value": docker_value("two")}
    first, body = await call("PATCH", REGCRED, [test, change], kind=JSON_PATCH)
    second, _ = await call("PATCH", REGCRED, [test, change], kind=JSON_PATCH)
    assert (first, second) == (200, 422)
    assert body["data"][".dockerconfigjson"] == docker_value("two")


async def test_json_patch_of_a_service_account(server: SandboxKubernetes, call: Client) -> None:
    """A service account takes JSON Patches and moves its resource version."""
    path = "/api/v1/namespaces/web/serviceaccounts/default"
    _, before = await call("GET", path)
    add = {"op": "add", "path": "/imagePullSecrets", "value": [{"name": "regcred"}]}
    await call("PATCH", path, [add], kind=JSON_PATCH)
    after = server.service_account("web", "default")
    assert after is not None
    assert after["imagePullSecrets"] == [{"name": "regcred"}]
    assert after["metadata"]["resourceVersion"] != before["metadata"]["resourceVersion"]


@pytest.mark.parametrize(
    "patch",
    [
        pytest.param({}, id="no list"),
        pytest.param([{"op": "move", "path": "/a"}], id="unknown operation"),
        pytest.param([{"op": "add"}], id="no path"),
        pytest.param([{"op": "add", "path": "a"}], id="no pointer"),
    ],
)
async def test_malformed_json_patch_is_400(call: Client, patch: object) -> None:
    """A patch that is none is a bad request."""
    status, _ = await call("PATCH", "/api/v1/namespaces/web/serviceaccounts/default", patch, kind=JSON_PATCH)
    assert status == 400


async def test_terminating_namespace_refuses_creation(server: SandboxKubernetes, call: Client) -> None:
    """In a namespace that goes away nothing can be created: 403 with the cause NamespaceTerminating."""
    server.terminate_namespace("web")
    status, body = await call.apply(pull_secret())
    assert (status, body["details"]["causes"][0]["reason"]) == (403, "NamespaceTerminating")


async def test_missing_namespace_is_404(server: SandboxKubernetes, call: Client) -> None:
    """Creating in a namespace that does not exist says so."""
    server.delete_namespace("web")
    status, body = await call.apply(pull_secret())
    assert (status, body["details"]["kind"]) == (404, "namespaces")


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        pytest.param([], 403, id="nothing"),
        pytest.param([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch"]}], 403, id="no create"),
        pytest.param([{"apiGroups": [""], "resources": ["secrets"], "verbs": ["patch", "create"]}], 201, id="enough"),
        pytest.param(
            [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["regcred"], "verbs": ["*"]}],
            201,
            id="limited to the name",
        ),
        pytest.param(
            [{"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["other"], "verbs": ["*"]}],
            403,
            id="another name",
        ),
        pytest.param(
            [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["*"], "namespace": "other"}],
            403,
            id="another namespace",
        ),
        pytest.param([{"apiGroups": ["apps"], "resources": ["*"], "verbs": ["*"]}], 403, id="another group"),
    ],
)
async def test_rbac_of_an_apply(
    server: SandboxKubernetes, call: Client, rules: list[dict[str, Any]], status: int
) -> None:
    """An apply that creates needs patch and create, and both may be limited to the name."""
    server.add_token("limited", rules)
    call.token = "limited"
    assert (await call.apply(pull_secret()))[0] == status


async def test_post_cannot_be_limited_to_a_name(server: SandboxKubernetes, call: Client) -> None:
    """A POST has no name to authorise, so a rule with resource names never grants it."""
    rule = {"apiGroups": [""], "resources": ["secrets"], "resourceNames": ["regcred"], "verbs": ["create"]}
    server.add_token("limited", [rule])
    call.token = "limited"
    assert (await call("POST", SECRETS, pull_secret()))[0] == 403


async def test_unknown_token_is_401(call: Client) -> None:
    """A token that nobody added is not known."""
    call.token = "stranger"
    status, body = await call("GET", REGCRED)
    assert (status, body["reason"]) == (401, "Unauthorized")


def test_malformed_rule() -> None:
    """A rule that RBAC would not know is refused when it is added."""
    with pytest.raises(ValueError, match="not an RBAC rule"):
        SandboxKubernetes().add_token("x", [{"verb": ["get"]}])


async def test_verbs_used(server: SandboxKubernetes, call: Client) -> None:
    """What was granted is remembered; what was refused is not."""
    await call.apply(pull_secret())
    server.add_token("nobody", [])
    call.token = "nobody"
    await call("GET", REGCRED)
    assert server.verbs_used() == {("patch", "secrets"), ("create", "secrets")}


@pytest.mark.parametrize(
    ("verb", "allowed"), [pytest.param("get", True, id="granted"), pytest.param("list", False, id="not granted")]
)
async def test_self_subject_access_review(server: SandboxKubernetes, call: Client, verb: str, *, allowed: bool) -> None:
    """A review answers as the request would be."""
    server.add_token("reader", [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}])
    call.token = "reader"
    spec = {"resourceAttributes": {"verb": verb, "resource": "secrets", "namespace": "web"}}
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    status, body = await call("POST", path, {"kind": "SelfSubjectAccessReview", "spec": spec})
    assert (201, allowed) == (status, body["status"]["allowed"])


async def test_unknown_path_is_404(call: Client) -> None:
    """What is not imitated is refused."""
    assert (await call("GET", "/api/v1/pods"))[0] == 404


async def test_throttling_by_fault(server: SandboxKubernetes, call: Client) -> None:
    """A fault answers 429 with the header that was ordered."""
    server.fail(429, path=REGCRED, times=1, headers={"Retry-After": "7"}, body="{}")
    assert (await call("GET", REGCRED))[0] == 429


async def test_get_namespace(call: Client) -> None:
    """A namespace is found by name, with the label that every namespace carries."""
    status, body = await call("GET", "/api/v1/namespaces/web")
    assert (status, body["metadata"]["labels"]["kubernetes.io/metadata.name"]) == (200, "web")
    assert (await call("GET", "/api/v1/namespaces/none"))[0] == 404


DEPLOYMENT = "/apis/apps/v1/namespaces/web/deployments/api"
MERGE_PATCH = "application/merge-patch+json"


async def test_other_objects_are_merge_patched(server: SandboxKubernetes, call: Client) -> None:
    """A merge patch sets and removes keys; the generation moves with the spec only, the version with everything."""
    server.others.put(("apps", "v1", "web", "deployments", "api"), {"a": {"b": 1}})
    annotated = {"metadata": {"annotations": {"x": "1"}}}
    _, first = await call("PATCH", DEPLOYMENT, annotated, kind=MERGE_PATCH)
    _, again = await call("PATCH", DEPLOYMENT, annotated, kind=MERGE_PATCH)
    _, second = await call("PATCH", DEPLOYMENT, {"spec": {"a": {"b": None, "c": 2}}}, kind=MERGE_PATCH)
    assert (first["metadata"]["generation"], first["metadata"]["annotations"]) == (1, {"x": "1"})
    assert again == first
    assert (second["metadata"]["generation"], second["spec"]) == (2, {"a": {"c": 2}})
    assert await call("GET", DEPLOYMENT) == (200, second)


@pytest.mark.parametrize(
    ("path", "content_type", "body", "status"),
    [
        pytest.param(DEPLOYMENT.replace("/api", "/gone"), MERGE_PATCH, {}, 404, id="no object"),
        pytest.param(DEPLOYMENT.replace("/v1/", "/v2/"), MERGE_PATCH, {}, 404, id="no such version"),
        pytest.param(DEPLOYMENT, APPLY, {}, 415, id="another patch"),
        pytest.param(DEPLOYMENT, MERGE_PATCH, [1], 400, id="no object in the patch"),
    ],
)
async def test_other_objects_refused(
    server: SandboxKubernetes, call: Client, path: str, content_type: str, body: Any, status: int
) -> None:
    """What is not there, or not a merge patch, is refused."""
    server.others.put(("apps", "v1", "web", "deployments", "api"), {})
    assert (await call("PATCH", path, body, kind=content_type))[0] == status


async def test_rights_to_other_objects_have_a_group(server: SandboxKubernetes, call: Client) -> None:
    """A right to a resource of one API group opens none of the same name in another."""
    server.others.put(("apps", "v1", "web", "deployments", "api"), {})
    rule = {"apiGroups": [""], "resources": ["deployments"], "verbs": ["get"]}
    server.add_token(ADMIN, [rule])
    status, body = await call("GET", DEPLOYMENT)
    assert (status, 'in API group "apps"' in body["message"]) == (403, True)
