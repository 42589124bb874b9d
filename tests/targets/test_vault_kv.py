"""Vault's secrets as a place: what others keep there survives, and nothing is said that was not read back."""

from __future__ import annotations

import asyncio
import json
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from pydantic import ValidationError

from rotator.clock import SystemClock
from rotator.domain.model import NEVER, UNKNOWN, Entry, Expiry, Login
from rotator.errors import (
    AuthenticationError,
    ConfigError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.server import Fault
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.sandbox.vault_policy import parse_policy
from rotator.secret import Secret, base64_forms
from rotator.targets.context import TargetContext
from rotator.targets.vault_kv import VaultKvConfig, VaultKvTarget, parse_place
from rotator.transport import Transport

POLICIES = Path(__file__).parents[2] / "deploy/vault"
CANARY = "canary-5f1e07c2aa"
ENDS = datetime(2027, 1, 2, 3, 4, 5, tzinfo=UTC)
PULL = "kv/pull"
Make = Callable[..., Awaitable[VaultKvTarget]]


def entry(
    generation: int = 1, expiry: Expiry = UNKNOWN, credential: str = "ghcr", fingerprint: str | None = None
) -> Entry:
    """Return an entry whose password tells its generation."""
    login = Login("robot", Secret(f"{CANARY}-{generation}"))
    return Entry(credential, "ghcr.io", login, generation, fingerprint or f"print-{generation}", expiry)


@pytest.fixture
async def vault() -> AsyncIterator[SandboxVault]:
    """Serve a Vault with one empty mount."""
    async with SandboxVault() as server:
        server.mount("kv")
        yield server


@pytest.fixture
async def make(vault: SandboxVault, open_vault: Callable[..., AbstractAsyncContextManager[Any]]) -> AsyncIterator[Make]:
    """Make targets; ``vault_options`` go to the section ``vault``."""
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        transport = Transport(clock=clock)
        stack.push_async_callback(transport.close)

        async def build(vault_options: dict[str, Any] | None = None, **options: Any) -> VaultKvTarget:
            session = await stack.enter_async_context(open_vault(vault, **(vault_options or {})))
            config = VaultKvConfig.model_validate({"type": "vault_kv", "paths": [PULL], **options})
            return VaultKvTarget("hub", config, TargetContext(transport, clock, lambda: 0.5, {}, session))

        yield build


def newest(vault: SandboxVault) -> Any:
    """Return the fields of the newest version."""
    secret = vault.mount("kv").secrets["pull"]
    return secret.versions[secret.current].data


def notes(vault: SandboxVault) -> dict[str, str]:
    """Return the custom metadata."""
    return vault.mount("kv").secrets["pull"].custom_metadata or {}


async def test_fields_and_marks(vault: SandboxVault, make: Make) -> None:
    """A secret gets the login's fields; its metadata tells generation, fingerprint and expiry, but no secret."""
    held = await (await make()).apply(PULL, [entry(3, Expiry(ENDS))])
    assert held.logins == {"ghcr": entry(3).login}
    assert newest(vault) == {"username": "robot", "password": f"{CANARY}-3"}
    assert notes(vault) == {"rotator.ghcr": "3:print-3", "expires_at": "2027-01-02T03:04:05Z"}


async def test_the_shipped_policies_suffice(
    open_vault: Callable[..., AbstractAsyncContextManager[Any]],
) -> None:
    """SR-31: under exactly the two policies that ship, a secret is made and changed, and no other place."""
    policy = parse_policy(*(path.read_text() for path in sorted(POLICIES.glob("*.hcl"))))
    async with SandboxVault() as vault, AsyncExitStack() as stack:
        vault.mount("registries")
        session = await stack.enter_async_context(open_vault(vault, grant=Grant(acl=policy)))
        transport = Transport(clock=SystemClock())
        stack.push_async_callback(transport.close)
        config = VaultKvConfig.model_validate({"type": "vault_kv", "paths": ["registries/pull", "registries/other"]})
        target = VaultKvTarget("hub", config, TargetContext(transport, SystemClock(), lambda: 0.5, {}, session))
        for generation in (1, 2):
            held = await target.apply("registries/pull", [entry(generation, Expiry(ENDS))])
            assert held.logins == {"ghcr": entry(generation).login}
        with pytest.raises(PermissionDeniedError):
            await target.apply("registries/other", [entry()])


async def test_unchanged_costs_one_call(vault: SandboxVault, make: Make) -> None:
    """What is there already is read once and not written: no new version, no new metadata."""
    target = await make(vault_options={"kv_versions": {"kv": 2}})
    await target.apply(PULL, [entry(expiry=Expiry(ENDS))])
    vault.asked.clear()
    held = await target.apply(PULL, [entry(expiry=Expiry(ENDS))])
    assert not held.changed
    assert [(asked.method, asked.path) for asked in vault.asked] == [("GET", "/v1/kv/data/pull")]


async def test_fields_and_notes_of_others_stay(vault: SandboxVault, make: Make) -> None:
    """A merge patch touches our fields only, and our metadata only."""
    vault.put(PULL, {"username": "old", "nested": {"a": [1]}}, custom_metadata={"owner": "web"})
    await (await make()).apply(PULL, [entry()])
    assert newest(vault) == {"username": "robot", "password": f"{CANARY}-1", "nested": {"a": [1]}}
    assert notes(vault) == {"owner": "web", "rotator.ghcr": "1:print-1"}
    assert vault.count("PATCH", "/v1/kv/data/pull") == 1
    assert vault.count("POST", "/v1/kv/data/pull") == 0


NOTED = [
    pytest.param(NEVER, {}, id="never"),
    pytest.param(UNKNOWN, {}, id="unknown"),
    pytest.param(Expiry(ENDS), {"expires_at": "2027-01-02T03:04:05Z"}, id="known"),
]


@pytest.mark.parametrize(("expiry", "expected"), NOTED)
async def test_a_stale_expiry_is_taken_away(
    vault: SandboxVault, make: Make, expiry: Expiry, expected: dict[str, str]
) -> None:
    """A new login does not keep the expiry of the one before."""
    target = await make()
    await target.apply(PULL, [entry(1, Expiry(ENDS - timedelta(days=9)))])
    await target.apply(PULL, [entry(2, expiry)])
    assert {key: value for key, value in notes(vault).items() if key == "expires_at"} == expected


async def test_the_first_expiry_counts(vault: SandboxVault, make: Make) -> None:
    """A secret with several logins expires with the first of them."""
    target = await make(fields={"config": "docker_config"})
    later = Expiry(ENDS + timedelta(hours=1))
    hub = Entry("hub", "docker.io", entry().login, 1, "x", Expiry(ENDS))
    await target.apply(PULL, [entry(1, later), hub])
    assert notes(vault)["expires_at"] == "2027-01-02T03:04:05Z"
    assert set(json.loads(newest(vault)["config"])["auths"]) == {"ghcr.io", "https://index.docker.io/v1/"}


GONE: list[Any] = [
    pytest.param(SandboxVault.delete, id="deleted"),
    pytest.param(SandboxVault.destroy, id="destroyed"),
]


@pytest.mark.parametrize("remove", GONE)
async def test_a_removed_version_is_followed_by_a_new_one(vault: SandboxVault, make: Make, remove: Any) -> None:
    """A secret whose newest version is gone holds nothing, and gets a new version on top of it."""
    target = await make()
    await target.apply(PULL, [entry()])
    remove(vault, PULL)
    assert (await target.read(PULL, [entry()])).logins == {}
    held = await target.apply(PULL, [entry()])
    assert (held.changed, held.logins) == (True, {"ghcr": entry().login})
    assert vault.mount("kv").secrets["pull"].current == 2


def meddle(vault: SandboxVault, times: int | None) -> None:
    """Write another field before each of our writes, so that the check-and-set fails."""

    def answer(request: web.Request) -> web.StreamResponse:
        vault.put(PULL, {**newest(vault), "other": str(len(vault.asked))})
        body = {"errors": ["check-and-set parameter did not match the current version"]}
        assert request.method == "PATCH"
        return web.json_response(body, status=400)

    vault.faults.append(
        Fault(lambda request: (request.method, request.path) == ("PATCH", "/v1/kv/data/pull"), answer, times)
    )


async def test_a_lost_race_is_repeated(vault: SandboxVault, make: Make) -> None:
    """Whoever writes in between is read again and kept."""
    target = await make()
    await target.apply(PULL, [entry()])
    meddle(vault, 2)
    held = await target.apply(PULL, [entry(2)])
    assert held.logins == {"ghcr": entry(2).login}
    assert newest(vault)["password"] == f"{CANARY}-2"
    assert "other" in newest(vault)


async def test_an_endless_race_is_a_conflict(vault: SandboxVault, make: Make) -> None:
    """Somebody who writes all the time is told of, not fought for ever."""
    target = await make()
    await target.apply(PULL, [entry()])
    meddle(vault, None)
    with pytest.raises(ConflictError, match="changed by somebody else, 5 times"):
        await target.apply(PULL, [entry(2)])


async def test_two_writers_at_once(vault: SandboxVault, make: Make) -> None:
    """Two targets that write different fields of one secret at once lose nothing of each other."""
    one, two = await make(), await make(fields={"u": "username", "p": "password"})
    await one.apply(PULL, [entry()])
    await asyncio.gather(one.apply(PULL, [entry(2)]), two.apply(PULL, [entry(2)]))
    assert newest(vault) == {
        name: value
        for pair in (("username", "password"), ("u", "p"))
        for name, value in zip(pair, ("robot", f"{CANARY}-2"), strict=True)
    }


async def test_a_lost_answer_is_settled_by_reading(vault: SandboxVault, make: Make) -> None:
    """A write that was accepted but not answered is an error first, and found done by the next try."""
    target = await make(vault_options={"timeout": "500ms"})
    await target.apply(PULL, [entry()])

    async def write_and_hang(request: web.Request) -> web.StreamResponse:
        vault.put(PULL, (await request.json())["data"] | {"username": "robot"})
        await asyncio.Event().wait()
        raise AssertionError

    vault.faults.append(
        Fault(lambda request: request.method == "PATCH" and "/data/" in request.path, write_and_hang, 1)
    )
    with pytest.raises(UnavailableError, match="in time"):
        await target.apply(PULL, [entry(2)])
    held = await target.apply(PULL, [entry(2)])
    assert (held.changed, held.logins) == (False, {"ghcr": entry(2).login})


async def test_what_reads_back_differently_is_told(vault: SandboxVault, make: Make) -> None:
    """A write that somebody undoes at once is not reported as held, and no expiry is noted for it."""
    target = await make()
    await target.apply(PULL, [entry()])
    vault.faults.append(
        Fault(
            lambda request: request.method == "PATCH" and "/data/" in request.path,
            lambda _: web.json_response({"data": {"version": 2}}),
            1,
        )
    )
    held = await target.apply(PULL, [entry(2, Expiry(ENDS))])
    assert held.logins == {"ghcr": entry(1).login}
    assert "expires_at" not in notes(vault)


OLDER = [
    pytest.param(entry(6), id="older"),
    pytest.param(Entry("ghcr", "ghcr.io", Login("x", Secret("y")), 7, "of another daemon"), id="another daemon's"),
]


@pytest.mark.parametrize("version", [1, 2], ids=["v1", "v2"])
@pytest.mark.parametrize("older", OLDER)
async def test_an_older_generation_is_refused(vault: SandboxVault, make: Make, older: Entry, version: int) -> None:
    """I3: what is older than the marks say is not written, in either version of the engine."""
    vault.mount("plain", version=1)
    path = PULL if version == 2 else "plain/pull"
    target = await make(paths=[path])
    await target.apply(path, [entry(7)])
    with pytest.raises(FencedError, match="holds generation 7 of ghcr") as caught:
        await target.apply(path, [older])
    assert caught.value.generation == 7
    assert (await target.read(path, [entry(7)])).logins == {"ghcr": entry(7).login}


async def test_the_mark_precedes_the_write(vault: SandboxVault, make: Make) -> None:
    """A crash between mark and write refuses nobody who brings that generation or a newer one."""
    target = await make()
    await target.apply(PULL, [entry(1)])
    fault = vault.fail(503, path="/v1/kv/data/pull", method="PATCH")
    with pytest.raises(UnavailableError):
        await target.apply(PULL, [entry(2)])
    assert notes(vault)["rotator.ghcr"] == "2:print-2"
    vault.faults.remove(fault)
    assert (await target.apply(PULL, [entry(2)])).logins == {"ghcr": entry(2).login}


async def test_damaged_marks_refuse_nobody(vault: SandboxVault, make: Make) -> None:
    """Metadata that somebody scribbled into does not keep a fresh login out."""
    vault.put(PULL, {"username": "a", "password": "b"}, custom_metadata={"rotator.ghcr": "x", "rotator.hub": "٣:y"})
    assert (await (await make()).apply(PULL, [entry()])).logins == {"ghcr": entry().login}


async def test_version_1_keeps_the_rest(vault: SandboxVault, make: Make) -> None:
    """The whole of a version 1 secret is written, with the fields of others; the marks are a field of it."""
    mount = vault.mount("plain", version=1)
    vault.put("plain/pull", {"other": "kept"})
    target = await make(paths=["plain/pull"])
    await target.apply("plain/pull", [entry()])
    assert mount.plain["pull"].pop("rotator")
    assert mount.plain["pull"] == {"username": "robot", "password": f"{CANARY}-1", "other": "kept"}


async def test_awkward_paths(vault: SandboxVault, make: Make) -> None:
    """Nested mounts are written with colons; characters that mean something in a URL reach the right secret."""
    mount = vault.mount("team/kv")
    target = await make(paths=["team/kv::a b/c?d"])
    (placement,) = await target.placements()
    await target.apply(placement, [entry()])
    assert list(mount.secrets) == ["a b/c?d"]


REFUSALS = [
    pytest.param(400, PermanentError, id="400"),
    pytest.param(401, AuthenticationError, id="401"),
    pytest.param(403, PermissionDeniedError, id="403"),
    pytest.param(409, ConflictError, id="409"),
    pytest.param(429, RateLimitedError, id="429"),
    pytest.param(500, UnavailableError, id="500"),
    pytest.param(503, UnavailableError, id="sealed"),
]


@pytest.mark.parametrize("method", ["GET", "PATCH"])
@pytest.mark.parametrize(("status", "kind"), REFUSALS)
async def test_each_refusal_has_its_class(
    vault: SandboxVault, make: Make, status: int, kind: type[RotatorError], method: str
) -> None:
    """Each status becomes its class of error; the secret stays as it is; no secret is in the error."""
    target = await make(vault_options={"kv_versions": {"kv": 2}})
    await target.apply(PULL, [entry()])
    vault.fail(status, path="/v1/kv/data/pull", method=method, headers={"Retry-After": "7"}, body=f"<html>{CANARY}")
    with pytest.raises(kind) as caught:
        await target.apply(PULL, [entry(2)])
    assert newest(vault)["password"] == f"{CANARY}-1"
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after == timedelta(seconds=7)


async def test_a_missing_right_names_the_policy(vault: SandboxVault, make: Make) -> None:
    """Who may not write is told what the policy must allow, and where."""
    target = await make(vault_options={"kv_versions": {"kv": 2}})
    vault.deny(PULL)
    with pytest.raises(PermissionDeniedError) as caught:
        await target.apply(PULL, [entry()])
    assert '"kv/data/pull" and "kv/metadata/pull"' in caught.value.hint


GARBAGE = [
    pytest.param("<html>hi</html>", id="html"),
    pytest.param("[]", id="a list"),
    pytest.param("{}", id="no data"),
    pytest.param('{"data": {"data": 3, "metadata": {"version": 1}}}', id="no fields"),
    pytest.param('{"data": {"data": {}, "metadata": {"version": true}}}', id="no version"),
    pytest.param('{"data": {"username": "a"}}', id="of version 1"),
]


@pytest.mark.parametrize("body", GARBAGE)
async def test_garbage_is_no_secret(vault: SandboxVault, make: Make, body: str) -> None:
    """An answer that is not Vault's is neither held nor overwritten."""
    target = await make(vault_options={"kv_versions": {"kv": 2}})
    vault.fail(200, path="/v1/kv/data/pull", method="GET", body=body)
    with pytest.raises(UnavailableError):
        await target.apply(PULL, [entry()])
    assert vault.count("POST", "/v1/kv/data") == vault.count("PATCH", "/v1/kv/data") == 0


async def test_a_field_that_cannot_be_merged_is_left(vault: SandboxVault, make: Make) -> None:
    """Where somebody keeps something else under the name of our docker configuration, nothing is written."""
    vault.put(PULL, {"config": f"not {CANARY} json"})
    target = await make(fields={"config": "docker_config"})
    with pytest.raises(ShapeError, match="vault: kv/pull: the field config") as caught:
        await target.apply(PULL, [entry()])
    assert newest(vault) == {"config": f"not {CANARY} json"}
    assert not any(form in "".join(traceback.format_exception(caught.value)) for form in base64_forms(CANARY))


async def test_two_logins_in_one_field_are_refused(vault: SandboxVault, make: Make) -> None:
    """Two credentials for one pair of fields are refused with what to do, before anything is asked of Vault."""
    with pytest.raises(UnsupportedError, match=r"write \{credential\} into the field's name"):
        await (await make()).apply(PULL, [entry(), entry(credential="hub")])
    assert vault.mount("kv").secrets == {}


async def test_only_own_placements(make: Make) -> None:
    """A path that is not configured is not touched."""
    target = await make()
    with pytest.raises(NotFoundError, match="no placement"):
        await target.apply("kv/other", [entry()])


@pytest.mark.parametrize("path", ["", "kv", "kv/", "/kv/a", "kv//a", "kv/../sys", "kv/a#b", "a::", "kv/a\n"], ids=repr)
def test_what_is_no_path(path: str) -> None:
    """Nothing else than a mount and a path below it is taken for a path."""
    with pytest.raises(ValueError, match="is not a path; write mount/path"):
        parse_place(path)


BAD = [
    pytest.param({"paths": []}, "at least 1", id="no path"),
    pytest.param({"paths": ["kv/a", "kv::a"]}, "names a secret twice", id="twice"),
    pytest.param({"fields": {"username": "username"}}, "no field holds the password", id="no password"),
    pytest.param({"fields": {"rotator": "password"}}, "reserved for rotator", id="our field"),
    pytest.param({"fields": {"p": "token"}}, "Input should be", id="no such part"),
]


@pytest.mark.parametrize(("options", "words"), BAD)
def test_bad_options(options: dict[str, Any], words: str) -> None:
    """Options that cannot work are refused when the configuration is read."""
    with pytest.raises(ValidationError, match=words):
        VaultKvConfig.model_validate({"type": "vault_kv", "paths": [PULL], **options})


async def test_without_vault() -> None:
    """Without a session there is nothing to write to, and the target says so."""
    clock = SystemClock()
    config = VaultKvConfig.model_validate({"type": "vault_kv", "paths": [PULL]})
    with pytest.raises(ConfigError, match="there is no vault section"):
        VaultKvTarget("hub", config, TargetContext(Transport(clock=clock), clock, lambda: 0.5))
