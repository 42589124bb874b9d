"""The sandbox registry logs in, serves and refuses as real registries do."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
APP = "/v2/team/app/manifests/1.0"
OPEN = "/v2/open/app/manifests/1.0"

Advance = Callable[[timedelta], None]
Http = aiohttp.ClientSession


@pytest.fixture
async def registry(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a bearer registry with one private and one public image and one login."""
    async with SandboxRegistry(clock, service="hub") as server:
        server.add_image("team/app:1.0")
        server.add_image("open/app:1.0", public=True)
        server.add_login("robot", "s3cret-one")
        yield server


@pytest.fixture
async def ecr(clock: Clock) -> AsyncIterator[SandboxRegistry]:
    """Return a basic registry with one image and one login that expires in an hour."""
    async with SandboxRegistry(clock, auth="basic", service="ecr.amazonaws.com") as server:
        server.add_image("team/app:1.0")
        server.add_login("AWS", "s3cret-one", expires_at=clock.now() + timedelta(hours=1))
        yield server


def basic(username: str, password: str) -> dict[str, str]:
    """Return the header of a login."""
    return {"Authorization": f"Basic {base64.b64encode(f'{username}:{password}'.encode()).decode()}"}


async def ask_token(http: Http, server: SandboxRegistry, login: tuple[str, str] | None, *scopes: str) -> Any:
    """Return the token server's status and JSON."""
    query = [("service", "hub"), *(("scope", scope) for scope in scopes)]
    headers = basic(*login) if login else {}
    async with http.get(f"{server.url}/token", params=query, headers=headers) as response:
        return response.status, await response.json()


def granted(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the ``access`` claim of a token answer."""
    payload = answer["token"].split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=="))
    access: list[dict[str, Any]] = claims["access"]
    return access


async def bearer(http: Http, server: SandboxRegistry, login: tuple[str, str] | None, scope: str) -> dict[str, str]:
    """Return the header of a fresh bearer token that accepts an index."""
    _, answer = await ask_token(http, server, login, scope)
    return {"Authorization": f"Bearer {answer['token']}", "Accept": INDEX}


ROBOT = ("robot", "s3cret-one")
PULL_APP = "repository:team/app:pull"


async def test_ping_without_login_names_the_token_server(http: Http, registry: SandboxRegistry) -> None:
    """Without a token ``/v2/`` answers 401 with realm and service and no scope."""
    async with http.get(f"{registry.url}/v2/") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"] == f'Bearer realm="{registry.url}/token",service="hub"'


async def test_manifest_without_login_names_the_scope(http: Http, registry: SandboxRegistry) -> None:
    """Without a token a manifest answers 401 UNAUTHORIZED with the scope that is needed, and no error."""
    async with http.get(registry.url + APP) as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].endswith(f'scope="{PULL_APP}"')
        assert (await response.json())["errors"][0]["code"] == "UNAUTHORIZED"


async def test_token_pulls(http: Http, registry: SandboxRegistry) -> None:
    """A token for the scope reads the index by HEAD and GET, by tag and digest, with type and digest headers."""
    digest = registry.add_image("team/app:1.0")
    headers = await bearer(http, registry, ROBOT, PULL_APP)
    for method in ("GET", "HEAD"):
        for reference in ("1.0", digest):
            async with http.request(
                method, f"{registry.url}/v2/team/app/manifests/{reference}", headers=headers
            ) as response:
                assert response.status == 200
                assert response.headers["Content-Type"] == INDEX
                assert response.headers["Docker-Content-Digest"] == digest
                assert int(response.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    "login", [("robot", "wrong"), ("nobody", "s3cret-one"), ("", "")], ids=["password", "username", "empty"]
)
async def test_wrong_login_gets_no_token(http: Http, registry: SandboxRegistry, login: tuple[str, str]) -> None:
    """A wrong login answers 401 with Docker Hub's ``details`` body, whatever scope is asked for."""
    assert await ask_token(http, registry, login, PULL_APP) == (401, {"details": "incorrect username or password"})


async def test_garbage_authorization_gets_no_token(http: Http, registry: SandboxRegistry) -> None:
    """An Authorization header that is not Basic, or is not base64, is a wrong login."""
    for header in ("Bearer abc", "Basic ???", "Basic", "Basic YWJj"):
        async with http.get(f"{registry.url}/token", headers={"Authorization": header}) as response:
            assert response.status == 401


async def test_narrower_access_is_a_token_with_less(http: Http, registry: SandboxRegistry) -> None:
    """Asking for more than is granted answers 200 with what is granted, down to an empty list."""
    registry.add_login("narrow", "s3cret-two", repositories="other/")
    status, answer = await ask_token(http, registry, ("narrow", "s3cret-two"), PULL_APP)
    assert (status, granted(answer)) == (200, [])
    status, answer = await ask_token(http, registry, ROBOT, "repository:team/app:pull,push")
    assert (status, granted(answer)) == (200, [{"type": "repository", "name": "team/app", "actions": ["pull"]}])


async def test_token_without_access_is_insufficient_scope(http: Http, registry: SandboxRegistry) -> None:
    """A valid token that does not grant the repository answers 401 with error=insufficient_scope."""
    headers = await bearer(http, registry, ROBOT, "repository:other/app:pull")
    async with http.get(registry.url + APP, headers=headers) as response:
        assert response.status == 401
        assert 'error="insufficient_scope"' in response.headers["WWW-Authenticate"]


async def test_expired_or_foreign_token_is_invalid(http: Http, registry: SandboxRegistry, advance: Advance) -> None:
    """A token past its ``exp``, and one that was never ours, answer 401 with error=invalid_token."""
    headers = await bearer(http, registry, ROBOT, PULL_APP)
    advance(timedelta(seconds=300))
    for value in (headers["Authorization"], "Bearer garbage", "Bearer a.b.c", "Bearer "):
        async with http.get(registry.url + APP, headers={"Authorization": value, "Accept": INDEX}) as response:
            assert response.status == 401
            assert 'error="invalid_token"' in response.headers["WWW-Authenticate"]


async def test_anonymous_token_pulls_public_only(http: Http, registry: SandboxRegistry) -> None:
    """Without a login a token pulls the public repository and not the private one."""
    async with http.get(
        registry.url + OPEN, headers=await bearer(http, registry, None, "repository:open/app:pull")
    ) as response:
        assert response.status == 200
    async with http.get(registry.url + APP, headers=await bearer(http, registry, None, PULL_APP)) as response:
        assert response.status == 401


async def test_two_passwords_work_at_once(registry: SandboxRegistry) -> None:
    """A second password does not end the first; revoking one leaves the other, revoking all leaves none."""
    registry.add_login("robot", "s3cret-two")
    assert registry.accepts("robot", "s3cret-one")
    assert registry.accepts("robot", "s3cret-two")
    registry.revoke("robot", "s3cret-one")
    assert not registry.accepts("robot", "s3cret-one")
    assert registry.accepts("robot", "s3cret-two")
    registry.revoke("robot")
    registry.revoke("robot")
    assert not registry.accepts("robot", "s3cret-two")


async def test_login_expires(http: Http, registry: SandboxRegistry, clock: Clock, advance: Advance) -> None:
    """A login with an expiry works until that instant and not from it on."""
    registry.add_login("robot", "brief", expires_at=clock.now() + timedelta(minutes=5))
    advance(timedelta(minutes=5) - timedelta(microseconds=1))
    assert registry.accepts("robot", "brief")
    advance(timedelta(microseconds=1))
    assert not registry.accepts("robot", "brief")
    assert (await ask_token(http, registry, ("robot", "brief")))[0] == 401


async def test_minted_token_survives_its_login(http: Http, registry: SandboxRegistry, advance: Advance) -> None:
    """A token minted before the login was revoked pulls until it expires."""
    headers = await bearer(http, registry, ROBOT, PULL_APP)
    registry.revoke("robot")
    advance(timedelta(seconds=299))
    async with http.get(registry.url + APP, headers=headers) as response:
        assert response.status == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/team/app/manifests/none", "MANIFEST_UNKNOWN"),
        ("/v2/none/app/manifests/1.0", "NAME_UNKNOWN"),
        (f"/v2/team/app/blobs/sha256:{'0' * 64}", "BLOB_UNKNOWN"),
        ("/v2/none/app/tags/list", "NAME_UNKNOWN"),
    ],
    ids=["tag", "repository", "blob", "tags"],
)
async def test_missing_things_answer_404(http: Http, registry: SandboxRegistry, path: str, code: str) -> None:
    """Who may pull everything is told which thing does not exist, in the OCI shape."""
    name = path.split("/")[2] + "/app"
    headers = await bearer(http, registry, ROBOT, f"repository:{name}:pull")
    async with http.get(registry.url + path, headers=headers) as response:
        assert (response.status, (await response.json())["errors"][0]["code"]) == (404, code)


@pytest.mark.parametrize("accept", [MANIFEST, "*/*", ""], ids=["manifest-only", "anything", "empty"])
async def test_index_needs_its_accept_type(http: Http, registry: SandboxRegistry, accept: str) -> None:
    """An index that Accept does not list answers 404 MANIFEST_UNKNOWN with a message about the accept header."""
    headers = {**await bearer(http, registry, ROBOT, PULL_APP), "Accept": accept}
    async with http.get(registry.url + APP, headers=headers) as response:
        error = (await response.json())["errors"][0]
        assert (response.status, error["code"]) == (404, "MANIFEST_UNKNOWN")
        assert "accept header" in error["message"]


async def test_tags_are_listed(http: Http, registry: SandboxRegistry) -> None:
    """The tag list names every tag of one repository."""
    registry.add_image("team/app:2.0")
    registry.add_image("team/app")
    headers = await bearer(http, registry, ROBOT, PULL_APP)
    async with http.get(f"{registry.url}/v2/team/app/tags/list", headers=headers) as response:
        assert await response.json() == {"name": "team/app", "tags": ["1.0", "2.0", "latest"]}


async def test_push_is_unsupported(http: Http, registry: SandboxRegistry) -> None:
    """A push is refused as unsupported."""
    async with http.post(f"{registry.url}/v2/team/app/blobs/uploads/") as response:
        assert (response.status, (await response.json())["errors"][0]["code"]) == (405, "UNSUPPORTED")


async def test_pull_limit_counts_gets_per_source(http: Http, clock: Clock, advance: Advance) -> None:
    """HEADs show the limit without using it, GETs use it, the limit ends in 429, and a new window starts afresh."""
    async with SandboxRegistry(clock, service="hub", rate_limit=2, window_seconds=60) as server:
        server.add_image("open/app:1.0", public=True)
        server.add_login(*ROBOT)
        mine = await bearer(http, server, ROBOT, "repository:open/app:pull")
        seen = [
            await _remaining(http, server, method, mine) for method in ("HEAD", "GET", "HEAD", "GET", "GET", "HEAD")
        ]
        assert seen == [
            (200, "2;w=60"), (200, "1;w=60"), (200, "1;w=60"), (200, "0;w=60"), (429, "0;w=60"), (200, "0;w=60"),
        ]  # fmt: skip
        anonymous = await bearer(http, server, None, "repository:open/app:pull")
        assert await _remaining(http, server, "GET", anonymous) == (200, "1;w=60")
        advance(timedelta(seconds=60))
        assert await _remaining(http, server, "GET", mine) == (200, "1;w=60")


async def _remaining(http: Http, server: SandboxRegistry, method: str, headers: dict[str, str]) -> tuple[int, str]:
    async with http.request(method, server.url + OPEN, headers=headers) as response:
        assert response.headers["ratelimit-limit"] == "2;w=60"
        return response.status, response.headers["ratelimit-remaining"]


async def test_source_tells_account_from_address(http: Http, clock: Clock) -> None:
    """``docker-ratelimit-source`` is the address without a login and an account id with one."""
    async with SandboxRegistry(clock, rate_limit=5) as server:
        server.add_image("open/app:1.0", public=True)
        server.add_login(*ROBOT)
        sources = []
        for login in (None, ROBOT):
            headers = await bearer(http, server, login, "repository:open/app:pull")
            async with http.head(server.url + OPEN, headers=headers) as response:
                sources.append(response.headers["docker-ratelimit-source"])
        assert sources[0] == "127.0.0.1"
        assert len(sources[1]) == 36


async def test_no_limit_means_no_headers(http: Http, registry: SandboxRegistry) -> None:
    """Without a limit no rate-limit header is sent."""
    headers = await bearer(http, registry, ROBOT, PULL_APP)
    async with http.get(registry.url + APP, headers=headers) as response:
        assert not [name for name in response.headers if "ratelimit" in name.lower()]


async def test_basic_registry_takes_the_password_itself(http: Http, ecr: SandboxRegistry) -> None:
    """In basic mode the login itself pulls, and nothing but it: a challenge names Basic."""
    async with http.get(f"{ecr.url}/v2/") as response:
        assert response.status == 401
        assert response.headers["WWW-Authenticate"].startswith("Basic realm=")
    headers = {**basic("AWS", "s3cret-one"), "Accept": INDEX}
    async with http.get(ecr.url + APP, headers=headers) as response:
        assert response.status == 200
    async with http.get(ecr.url + APP, headers=basic("AWS", "wrong")) as response:
        assert response.status == 401


async def test_expired_password_is_a_plain_403_in_basic_mode(
    http: Http, ecr: SandboxRegistry, advance: Advance
) -> None:
    """An expired password answers 403 in plain text that says so, without a challenge."""
    advance(timedelta(hours=1))
    async with http.get(f"{ecr.url}/v2/", headers=basic("AWS", "s3cret-one")) as response:
        assert (response.status, response.content_type) == (403, "text/plain")
        assert "authorization token has expired" in await response.text()
        assert "WWW-Authenticate" not in response.headers


async def test_basic_login_without_the_repository_is_denied(http: Http, ecr: SandboxRegistry) -> None:
    """A good login for other repositories answers 403 DENIED."""
    ecr.add_login("AWS", "narrow", repositories="other/")
    async with http.get(ecr.url + APP, headers=basic("AWS", "narrow")) as response:
        assert (response.status, (await response.json())["errors"][0]["code"]) == (403, "DENIED")


async def test_basic_registry_has_no_token_server(http: Http, ecr: SandboxRegistry) -> None:
    """In basic mode there is nothing at ``/token``."""
    async with http.get(f"{ecr.url}/token") as response:
        assert response.status == 404


@pytest.mark.integration
@pytest.mark.parametrize("auth", ["bearer", "basic"])
async def test_skopeo_inspects_and_copies(clock: Clock, auth: Literal["bearer", "basic"], tmp_path: Path) -> None:
    """Skopeo reads and copies an image with the right password and is refused with a wrong one."""
    skopeo = shutil.which("skopeo")
    assert skopeo is not None, "install skopeo"
    async with SandboxRegistry(clock, auth=auth) as server:
        server.add_image("team/app:1.0")
        server.add_login(*ROBOT)
        image = f"docker://{server.host}/team/app:1.0"
        inspect = [skopeo, "inspect", "--tls-verify=false"]
        assert await _run(*inspect, "--creds", ":".join(ROBOT), image) == 0
        assert await _run(*inspect, "--creds", "robot:wrong", image) != 0
        copy = [skopeo, "copy", "--insecure-policy", "--src-tls-verify=false", "--src-creds", ":".join(ROBOT)]
        assert await _run(*copy, image, f"dir:{tmp_path / 'image'}") == 0
    assert (tmp_path / "image" / "manifest.json").is_file()


async def _run(*command: str) -> int:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    print(output.decode())
    return process.returncode
