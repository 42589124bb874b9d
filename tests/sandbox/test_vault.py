"""The sandbox Vault behaves like Vault, as far as hvac can tell."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import aiohttp
import hvac
import pytest

from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant

Ask = Callable[..., Awaitable[Any]]


class HandClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.at = datetime(2026, 11, 23, 12, tzinfo=UTC)

    def now(self) -> datetime:
        """Return the time it was set to."""
        return self.at

    def monotonic(self) -> float:
        """Return the same as seconds."""
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        """Move on at once."""
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> HandClock:
    """Return a clock that stands still."""
    return HandClock()


@pytest.fixture
async def vault(clock: HandClock) -> AsyncIterator[SandboxVault]:
    """Serve an empty Vault."""
    async with SandboxVault(clock=clock) as server:
        yield server


@pytest.fixture
async def client(vault: SandboxVault) -> AsyncIterator[hvac.Client]:
    """Return hvac's client with a token that may do everything."""
    client = hvac.Client(url=vault.url, token=vault.mint_token())
    yield client
    client.adapter.close()


async def ask(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Run one blocking hvac call beside the server's loop."""
    return await asyncio.to_thread(partial(call, *args, **kwargs))


async def read(client: hvac.Client, path: str, **kwargs: Any) -> Any:
    """Read a version 2 secret of mount ``kv``."""
    kwargs = {"mount_point": "kv", "raise_on_deleted_version": True, **kwargs}
    return (await ask(client.secrets.kv.v2.read_secret_version, path, **kwargs))["data"]


async def test_written_secret_is_read_back_with_its_version(vault: SandboxVault, client: hvac.Client) -> None:
    """Two writes make version 2, and version 1 can still be asked for."""
    vault.mount("kv")
    for value in ("one", "two"):
        await ask(client.secrets.kv.v2.create_or_update_secret, "a/b", {"token": value}, mount_point="kv")
    newest, first = await read(client, "a/b"), await read(client, "a/b", version=1)
    assert (newest["data"], newest["metadata"]["version"]) == ({"token": "two"}, 2)
    assert (first["data"], first["metadata"]["version"]) == ({"token": "one"}, 1)


async def test_put_arranges_custom_metadata(vault: SandboxVault, client: hvac.Client) -> None:
    """What a test puts is what hvac reads, custom metadata included, in data and in metadata."""
    vault.put("kv/a", {"token": "x"}, custom_metadata={"expires_at": "2027-01-01"})
    metadata = (await ask(client.secrets.kv.v2.read_secret_metadata, "a", mount_point="kv"))["data"]
    assert (await read(client, "a"))["metadata"]["custom_metadata"] == {"expires_at": "2027-01-01"}
    assert (metadata["current_version"], metadata["custom_metadata"]) == (1, {"expires_at": "2027-01-01"})
    assert metadata["updated_time"] == "2026-11-23T12:00:00Z"


async def test_metadata_can_be_written(vault: SandboxVault, client: hvac.Client) -> None:
    """POST to metadata replaces the custom metadata and leaves the version alone."""
    vault.put("kv/a", {"token": "x"})
    await ask(client.secrets.kv.v2.update_metadata, "a", mount_point="kv", custom_metadata={"owner": "web"})
    assert (await read(client, "a"))["metadata"]["custom_metadata"] == {"owner": "web"}
    assert (await read(client, "a"))["metadata"]["version"] == 1


async def test_check_and_set_refuses_a_stale_version(vault: SandboxVault, client: hvac.Client) -> None:
    """A write that names an older version changes nothing."""
    vault.put("kv/a", {"token": "x"})
    write = client.secrets.kv.v2.create_or_update_secret
    with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set"):
        await ask(write, "a", {"token": "y"}, cas=0, mount_point="kv")
    await ask(write, "a", {"token": "y"}, cas=1, mount_point="kv")
    assert (await read(client, "a"))["data"] == {"token": "y"}


async def test_patch_merges_what_can_be_read(vault: SandboxVault, client: hvac.Client) -> None:
    """A merge patch keeps the other fields, removes what is null, and checks and sets; without a version it is 404."""
    vault.mount("kv")
    path, headers = "/v1/kv/data/a", {"Content-Type": "application/merge-patch+json"}
    body = {"options": {"cas": 1}, "data": {"token": "y", "old": None}}
    with pytest.raises(hvac.exceptions.InvalidPath):
        await ask(client.adapter.request, "patch", path, headers=headers, json=body)
    vault.put("kv/a", {"token": "x", "old": 1, "other": 2})
    await ask(client.adapter.request, "patch", path, headers=headers, json=body)
    assert (await read(client, "a"))["data"] == {"token": "y", "other": 2}
    with pytest.raises(hvac.exceptions.InvalidRequest, match="check-and-set"):
        await ask(client.adapter.request, "patch", path, headers=headers, json=body)


async def test_metadata_can_be_patched(vault: SandboxVault, client: hvac.Client) -> None:
    """A merge patch of the metadata keeps the other notes; as plain JSON it is refused."""
    vault.put("kv/a", {"token": "x"}, custom_metadata={"owner": "web", "old": "1"})
    path, body = "/v1/kv/metadata/a", {"custom_metadata": {"new": "2", "old": None}}
    headers = {"Content-Type": "application/merge-patch+json"}
    await ask(client.adapter.request, "patch", path, headers=headers, json=body)
    assert (await read(client, "a"))["metadata"]["custom_metadata"] == {"owner": "web", "new": "2"}
    with pytest.raises(hvac.exceptions.VaultError):
        await ask(client.adapter.request, "patch", path, json=body)


async def test_soft_deleted_version_comes_back(vault: SandboxVault, client: hvac.Client) -> None:
    """A soft-deleted version answers 404 with its deletion time until it is undeleted."""
    vault.put("kv/a", {"token": "x"})
    await ask(client.secrets.kv.v2.delete_latest_version_of_secret, "a", mount_point="kv")
    gone = await read(client, "a", raise_on_deleted_version=False)
    assert (gone["data"], gone["metadata"]["deletion_time"]) == (None, "2026-11-23T12:00:00Z")
    await ask(client.secrets.kv.v2.undelete_secret_versions, "a", [1], mount_point="kv")
    assert (await read(client, "a"))["data"] == {"token": "x"}


async def test_destroyed_version_stays_away(vault: SandboxVault, client: hvac.Client) -> None:
    """A destroyed version answers 404 and says so in its metadata."""
    vault.put("kv/a", {"token": "x"})
    await ask(client.secrets.kv.v2.destroy_secret_versions, "a", [1], mount_point="kv")
    await ask(client.secrets.kv.v2.undelete_secret_versions, "a", [1], mount_point="kv")
    with pytest.raises(hvac.exceptions.InvalidPath) as caught:
        await read(client, "a")
    assert caught.value.json["data"]["metadata"]["destroyed"] is True


async def test_version_1_engine_keeps_one_value(vault: SandboxVault, client: hvac.Client) -> None:
    """A version 1 mount has neither a data section nor versions."""
    vault.mount("old", version=1)
    await ask(client.secrets.kv.v1.create_or_update_secret, "a", {"token": "x"}, mount_point="old")
    answer = await ask(client.secrets.kv.v1.read_secret, "a", mount_point="old")
    assert answer["data"] == {"token": "x"}
    await ask(client.secrets.kv.v1.delete_secret, "a", mount_point="old")
    with pytest.raises(hvac.exceptions.InvalidPath):
        await ask(client.secrets.kv.v1.read_secret, "a", mount_point="old")


async def test_names_are_listed(vault: SandboxVault) -> None:
    """A listing shows what is directly below, folders with a slash."""
    vault.put("kv/a", {})
    vault.put("kv/b/c", {})
    client = hvac.Client(url=vault.url, token=vault.mint_token(), strict_http=True)
    answer = await ask(client.secrets.kv.v2.list_secrets, "", mount_point="kv")
    assert answer["data"]["keys"] == ["a", "b/"]
    client.adapter.close()


@pytest.mark.parametrize(("name", "version"), [("kv", 2), ("old", 1), ("team/kv", 2)], ids=["v2", "v1", "nested"])
async def test_mount_tells_its_version(vault: SandboxVault, client: hvac.Client, name: str, version: int) -> None:
    """The endpoint that UIs use tells which engine answers a path."""
    vault.mount(name, version=version)
    answer = await ask(client.read, f"sys/internal/ui/mounts/{name}/some/path")
    assert (answer["data"]["path"], answer["data"]["options"]) == (f"{name}/", {"version": str(version)})


async def test_unknown_mount_is_refused_before_it_is_named(client: hvac.Client) -> None:
    """The mount endpoint answers 403, not 404, for what does not exist."""
    with pytest.raises(hvac.exceptions.Forbidden, match="preflight"):
        await ask(client.read, "sys/internal/ui/mounts/nowhere")


async def test_namespaces_do_not_see_each_other(vault: SandboxVault) -> None:
    """The same path in two namespaces holds two values."""
    vault.put("kv/a", {"token": "root"})
    vault.put("kv/a", {"token": "team"}, namespace="team-a")
    client = hvac.Client(url=vault.url, token=vault.mint_token(), namespace="team-a")
    assert (await read(client, "a"))["data"] == {"token": "team"}
    client.adapter.close()


async def test_policy_limits_a_token_to_its_paths(vault: SandboxVault, client: hvac.Client) -> None:
    """A token reads below its prefixes and nowhere else."""
    vault.put("kv/mine", {"token": "x"})
    vault.put("kv/other", {"token": "y"})
    client.token = vault.mint_token(policies=("kv/mine",))
    assert (await read(client, "mine"))["data"] == {"token": "x"}
    with pytest.raises(hvac.exceptions.Forbidden, match="permission denied"):
        await read(client, "other")


async def test_denied_path_can_be_allowed_again(vault: SandboxVault, client: hvac.Client) -> None:
    """`deny` and `allow` work on one path at once."""
    vault.put("kv/a", {"token": "x"})
    vault.deny("kv/a")
    with pytest.raises(hvac.exceptions.Forbidden):
        await read(client, "a")
    vault.allow("kv/a")
    assert (await read(client, "a"))["data"] == {"token": "x"}


async def test_missing_token_is_refused(vault: SandboxVault) -> None:
    """Without a token nothing is read."""
    vault.put("kv/a", {"token": "x"})
    client = hvac.Client(url=vault.url, token="")
    with pytest.raises(hvac.exceptions.Forbidden):
        await read(client, "a")
    client.adapter.close()


async def test_token_dies_at_the_end_of_its_ttl(vault: SandboxVault, clock: HandClock, client: hvac.Client) -> None:
    """A token works until the clock reaches its ttl, and no longer."""
    client.token = vault.mint_token(timedelta(minutes=10))
    clock.at += timedelta(minutes=9, seconds=59)
    assert (await ask(client.auth.token.lookup_self))["data"]["ttl"] == 1
    clock.at += timedelta(seconds=1)
    with pytest.raises(hvac.exceptions.Forbidden):
        await ask(client.auth.token.lookup_self)


async def test_renewal_extends_up_to_the_maximum(vault: SandboxVault, clock: HandClock, client: hvac.Client) -> None:
    """Renewing starts the ttl anew, but never past the maximum."""
    client.token = vault.mint_token(grant=Grant(ttl=timedelta(minutes=10), max_ttl=timedelta(minutes=15)))
    clock.at += timedelta(minutes=2)
    assert (await ask(client.auth.token.renew_self))["auth"]["lease_duration"] == 600
    clock.at += timedelta(minutes=8)
    assert (await ask(client.auth.token.renew_self))["auth"]["lease_duration"] == 300


async def test_token_that_is_not_renewable_is_not_renewed(vault: SandboxVault, client: hvac.Client) -> None:
    """Renewing such a token is an invalid request."""
    client.token = vault.mint_token(grant=Grant(renewable=False))
    with pytest.raises(hvac.exceptions.InvalidRequest, match="not renewable"):
        await ask(client.auth.token.renew_self)


async def test_child_token_has_its_own_limits(vault: SandboxVault, client: hvac.Client) -> None:
    """A token made by a token has the ttl and the policies that were asked for."""
    vault.put("kv/a", {"token": "x"})
    answer = await ask(client.auth.token.create, ttl="5m", policies=["other/"], renewable=False)
    client.token = answer["auth"]["client_token"]
    assert answer["auth"]["lease_duration"] == 300
    with pytest.raises(hvac.exceptions.Forbidden):
        await read(client, "a")


async def test_root_like_token_never_expires(vault: SandboxVault, client: hvac.Client) -> None:
    """A ttl of zero means that there is no end."""
    client.token = vault.mint_token(timedelta(0))
    answer = await ask(client.auth.token.lookup_self)
    assert (answer["data"]["ttl"], answer["data"]["expire_time"], answer["data"]["renewable"]) == (0, None, False)


async def test_revoked_tokens_are_refused(vault: SandboxVault, client: hvac.Client) -> None:
    """After `revoke_tokens` every token of before is unknown."""
    vault.revoke_tokens()
    with pytest.raises(hvac.exceptions.Forbidden):
        await ask(client.auth.token.lookup_self)


async def test_approle_login_needs_both_halves(vault: SandboxVault, client: hvac.Client) -> None:
    """The right secret-id logs in, a wrong one is an invalid request."""
    vault.add_approle("role-1", "right", ttl=timedelta(minutes=5))
    answer = await ask(client.auth.approle.login, "role-1", "right")
    assert answer["auth"]["lease_duration"] == 300
    with pytest.raises(hvac.exceptions.InvalidRequest, match="invalid role or secret ID"):
        await ask(client.auth.approle.login, "role-1", "wrong")


@pytest.mark.parametrize(
    ("mount", "refusal"),
    [("kubernetes", hvac.exceptions.Forbidden), ("jwt", hvac.exceptions.InvalidRequest)],
    ids=["kubernetes", "jwt"],
)
async def test_jwt_login_needs_the_token_of_its_role(
    vault: SandboxVault, client: hvac.Client, mount: str, refusal: type[Exception]
) -> None:
    """A role logs in with its JWT and is refused with another one."""
    vault.add_jwt_role("web", "aaa.bbb.ccc", mount=mount)
    login = client.auth.kubernetes.login if mount == "kubernetes" else client.auth.jwt.jwt_login
    answer = await ask(login, "web", "aaa.bbb.ccc")
    assert answer["auth"]["client_token"].startswith("hvs.")
    with pytest.raises(refusal):
        await ask(login, "web", "aaa.bbb.ddd")


@pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")
@pytest.mark.parametrize(
    ("secret_key", "server_id", "role", "is_accepted"),
    [
        ("right", "vault.test", "pull", True),
        ("wrong", "vault.test", "pull", False),
        ("right", "other.test", "pull", False),
        ("right", "vault.test", "nobody", False),
    ],
    ids=["accepted", "wrong key", "wrong server", "unknown role"],
)
async def test_aws_login_checks_the_signature(
    vault: SandboxVault, client: hvac.Client, secret_key: str, server_id: str, role: str, *, is_accepted: bool
) -> None:
    """Only a request signed with the role's own key and for this server logs in."""
    vault.add_aws_role("pull", "AKIAEXAMPLE", "right", server_id="vault.test")
    login = partial(client.auth.aws.iam_login, "AKIAEXAMPLE", secret_key, header_value=server_id, role=role)
    if is_accepted:
        assert (await ask(login))["auth"]["lease_duration"] == 3600
        return
    with pytest.raises(hvac.exceptions.InvalidRequest):
        await ask(login)


async def test_sealed_vault_serves_nothing_but_its_status(vault: SandboxVault, client: hvac.Client) -> None:
    """Sealed means 503 for secrets; the seal status still answers."""
    vault.put("kv/a", {"token": "x"})
    vault.seal()
    with pytest.raises(hvac.exceptions.VaultDown, match="Vault is sealed"):
        await read(client, "a")
    assert await ask(client.sys.is_sealed) is True
    vault.unseal()
    assert (await read(client, "a"))["data"] == {"token": "x"}


@pytest.mark.parametrize("health", [429, 473], ids=["standby", "performance standby"])
async def test_standby_shows_in_its_health(vault: SandboxVault, client: hvac.Client, health: int) -> None:
    """Health tells a standby by its status, and 200 once it is active."""
    vault.become_standby(health=health)
    assert (await ask(client.sys.read_health_status)).status_code == health
    vault.become_active()
    assert (await ask(client.sys.read_health_status)).status_code == 200


async def test_standby_redirects_to_the_active_node(vault: SandboxVault) -> None:
    """A standby that was told of an active node sends clients there, path and query included."""
    vault.become_standby("http://127.0.0.1:1")
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{vault.url}/v1/kv/data/a?version=1", allow_redirects=False) as answer,
    ):
        assert (answer.status, answer.headers["Location"]) == (307, "http://127.0.0.1:1/v1/kv/data/a?version=1")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "kv/data/a", "not json", 400),
        ("POST", "kv/data/a", '{"nothing": 1}', 400),
        ("POST", "kv/destroy/a", '{"versions": ["x"]}', 400),
        ("GET", "kv/destroy/a", "", 405),
        ("GET", "nowhere/data/a", "", 404),
        ("GET", "auth/token/unknown", "", 404),
        ("GET", "kv/data/absent", "", 404),
    ],
    ids=["not json", "no data", "bad version", "bad method", "no mount", "no token call", "no secret"],
)
async def test_bad_requests_get_vaults_errors(
    vault: SandboxVault, method: str, path: str, body: str, status: int
) -> None:
    """Nonsense is answered with a status and a list of errors, never with a 500."""
    vault.put("kv/a", {"token": "x"})
    headers = {"X-Vault-Token": vault.mint_token(), "Content-Type": "application/json"}
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, f"{vault.url}/v1/{path}", data=body or None, headers=headers) as answer,
    ):
        assert (answer.status, list(await answer.json())) == (status, ["errors"])


async def test_requests_are_recorded_with_their_token(vault: SandboxVault, client: hvac.Client) -> None:
    """The record shows which token asked for which path."""
    vault.put("kv/a", {"token": "x"})
    await read(client, "a")
    assert [(asked.path, asked.credential) for asked in vault.asked] == [("/v1/kv/data/a", client.token)]
