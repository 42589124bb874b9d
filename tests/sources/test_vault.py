"""What `VaultSource` makes of what a Vault answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.model import UNKNOWN, Expiry
from rotator.errors import (
    ConflictError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.server import Fault
from rotator.sandbox.vault import SandboxVault
from rotator.secret import Fingerprinter, Secret
from rotator.sources.vault import VaultSource

MakeSource = Callable[..., Awaitable[VaultSource]]
CANARY = "canary-77ab-secret"


async def test_revision_and_end_come_from_the_secrets_metadata(vault: SandboxVault, make_source: MakeSource) -> None:
    """The revision is the version's number, the expiry what custom metadata says."""
    vault.put("kv/a", {"token": "one"})
    vault.put("kv/a", {"token": "two"}, custom_metadata={"expires_at": "2027-01-01"})
    reading = await (await make_source()).read("kv/a#token")
    assert (reading.secret, reading.revision) == (Secret("two"), "2")
    assert reading.expiry == Expiry(datetime(2027, 1, 1, tzinfo=UTC))


async def test_unreadable_note_of_the_end_is_unknown(vault: SandboxVault, make_source: MakeSource) -> None:
    """A mistake in custom metadata does not stop a reading."""
    vault.put("kv/a", {"token": "x"}, custom_metadata={"expires_at": "next year"})
    assert (await (await make_source()).read("kv/a#token")).expiry == UNKNOWN


async def test_revision_does_not_read_the_secret(vault: SandboxVault, make_source: MakeSource) -> None:
    """Looking for a change asks for metadata only."""
    vault.put("kv/a", {"token": "x"})
    assert await (await make_source()).revision("kv/a#token") == "1"
    assert (vault.count("GET", "/v1/kv/metadata/"), vault.count("GET", "/v1/kv/data/")) == (1, 0)


async def test_plain_engine_has_a_fingerprint_for_a_revision(
    vault: SandboxVault, make_source: MakeSource, fingerprint: Fingerprinter
) -> None:
    """A version 1 engine keeps no versions: a reading is fingerprinted, and a cheap revision does not exist."""
    vault.mount("old", version=1)
    vault.put("old/a", {"token": "x"})
    source = await make_source()
    assert (await source.read("old/a#token")).revision == fingerprint(Secret("x"))
    assert await source.revision("old/a#token") is None


async def test_engine_version_is_asked_once(vault: SandboxVault, make_source: MakeSource) -> None:
    """The mount is asked which engine it is before the first read and not again."""
    vault.put("kv/a", {"token": "x"})
    source = await make_source()
    for _ in range(3):
        await source.read("kv/a#token")
    assert vault.count("GET", "/v1/sys/internal/ui/mounts/") == 1


async def test_configured_engine_version_is_not_asked(vault: SandboxVault, make_source: MakeSource) -> None:
    """What the configuration says is believed."""
    vault.mount("old", version=1)
    vault.put("old/a", {"token": "x"})
    await (await make_source(kv_versions={"old": 1})).read("old/a#token")
    assert vault.count("GET", "/v1/sys/internal/ui/mounts/") == 0


async def test_version_2_is_assumed_where_asking_is_forbidden(vault: SandboxVault, make_source: MakeSource) -> None:
    """A policy that only lets us read the secret is enough, and asking is given up after the first success."""
    vault.put("kv/a", {"token": "x"})
    vault.deny("sys/internal/ui/mounts")
    source = await make_source()
    for _ in range(2):
        assert (await source.read("kv/a#token")).revision == "1"
    assert vault.count("GET", "/v1/sys/internal/ui/mounts/") == 1
    assert vault.count("POST", "/v1/auth/approle/login") == 1


async def test_upgraded_engine_is_asked_again(vault: SandboxVault, make_source: MakeSource) -> None:
    """After a mount became version 2, the first miss makes us ask, and the next read finds the secret."""
    engine = vault.mount("old", version=1)
    vault.put("old/a", {"token": "x"})
    source = await make_source()
    await source.read("old/a#token")
    engine.version = 2
    vault.put("old/a", {"token": "y"})
    with pytest.raises(NotFoundError):
        await source.read("old/a#token")
    assert (await source.read("old/a#token")).secret == Secret("y")


async def test_nested_mount_is_written_with_colons(vault: SandboxVault, make_source: MakeSource) -> None:
    """`mount::path#key` reads from a mount with a slash in its name."""
    vault.mount("team/kv")
    vault.put("team/kv/a/b", {"token": "x"})
    assert (await (await make_source()).read("team/kv::a/b#token")).secret == Secret("x")


async def test_path_with_url_characters_is_quoted(vault: SandboxVault, make_source: MakeSource) -> None:
    """A path is a name, not a piece of a URL."""
    vault.put("kv/a b?version=1&c%2f", {"token": "x"})
    assert (await (await make_source()).read("kv/a b?version=1&c%2f#token")).secret == Secret("x")


async def test_namespace_goes_with_every_request(vault: SandboxVault, make_source: MakeSource) -> None:
    """Login, look at the mount and read all happen in the configured namespace."""
    vault.put("kv/a", {"token": "root"})
    vault.put("kv/a", {"token": "team"}, namespace="team-a")
    assert (await (await make_source(namespace="team-a")).read("kv/a#token")).secret == Secret("team")


async def test_missing_key_names_those_present(vault: SandboxVault, make_source: MakeSource) -> None:
    """The error names keys, and no value."""
    vault.put("kv/a", {"username": "u", "tokn": CANARY})
    with pytest.raises(NotFoundError, match=r"vault: kv/a has no key 'token'; it has: 'tokn', 'username'") as caught:
        await (await make_source()).read("kv/a#token")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("ask", ["read", "revision"])
@pytest.mark.parametrize(
    ("change", "words"),
    [("delete", "kv/a: version 2 was deleted"), ("destroy", "kv/a: version 2 was destroyed")],
    ids=["deleted", "destroyed"],
)
async def test_version_that_is_gone_says_how(
    vault: SandboxVault, make_source: MakeSource, change: str, words: str, ask: str
) -> None:
    """A soft-deleted and a destroyed version are NotFoundError with different words; an older one is not used."""
    vault.put("kv/a", {"token": "old"})
    vault.put("kv/a", {"token": "new"})
    getattr(vault, change)("kv/a")
    with pytest.raises(NotFoundError, match=words):
        await getattr(await make_source(), ask)("kv/a#token")


@pytest.mark.parametrize("ask", ["read", "revision"])
async def test_missing_secret_points_at_the_engine_version(
    vault: SandboxVault, make_source: MakeSource, ask: str
) -> None:
    """A 404 names the path and the one setting that often is the cause."""
    vault.mount("kv")
    with pytest.raises(NotFoundError, match=r"no secret at kv/a\. .*vault\.kv_versions"):
        await getattr(await make_source(), ask)("kv/a#token")


@pytest.mark.parametrize("value", [5, None, True, {"a": CANARY}, [CANARY]], ids=str)
async def test_value_that_is_no_text_is_refused(vault: SandboxVault, make_source: MakeSource, value: Any) -> None:
    """Numbers and objects are not turned into text; the error does not show them."""
    vault.put("kv/a", {"token": value})
    with pytest.raises(ShapeError, match=r"vault: kv/a#token is ") as caught:
        await (await make_source()).read("kv/a#token")
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "error", "words"),
    [
        (500, UnavailableError, "HTTP 500"),
        (502, UnavailableError, "HTTP 502"),
        (503, UnavailableError, "is sealed or down"),
        (501, UnavailableError, "is not initialised"),
        (472, UnavailableError, "disaster-recovery standby"),
        (473, UnavailableError, "performance standby"),
        (429, RateLimitedError, "HTTP 429"),
        (405, UnsupportedError, "HTTP 405"),
    ],
    ids=str,
)
async def test_status_becomes_an_error_class(
    vault: SandboxVault, make_source: MakeSource, status: int, error: type[Exception], words: str
) -> None:
    """Every status that is no answer has its class; what the body says is in no message."""
    vault.put("kv/a", {"token": "x"})
    vault.fail(status, path="/v1/kv/data", body=f'{{"errors": ["{CANARY}"]}}')
    with pytest.raises(error, match=words) as caught:
        await (await make_source()).read("kv/a#token")
    assert CANARY not in str(caught.value)


async def test_wish_to_be_left_alone_is_passed_on(vault: SandboxVault, make_source: MakeSource) -> None:
    """`Retry-After` of a rate limit reaches whoever tries again."""
    vault.fail(429, path="/v1/kv/data", headers={"Retry-After": "7"})
    vault.put("kv/a", {"token": "x"})
    with pytest.raises(RateLimitedError) as caught:
        await (await make_source()).read("kv/a#token")
    assert caught.value.retry_after is not None
    assert caught.value.retry_after.total_seconds() == 7


async def test_sealed_vault_is_temporary(vault: SandboxVault, make_source: MakeSource) -> None:
    """A seal is something to wait for; after it is lifted reading works without help."""
    vault.put("kv/a", {"token": "x"})
    source = await make_source()
    await source.read("kv/a#token")
    vault.seal()
    with pytest.raises(UnavailableError, match="sealed"):
        await source.read("kv/a#token")
    vault.unseal()
    assert (await source.read("kv/a#token")).secret == Secret("x")


async def test_other_kind_of_engine_is_unsupported(vault: SandboxVault, make_source: MakeSource) -> None:
    """A mount of AWS credentials, for example, is no place for a stored secret."""
    answer = '{"data": {"type": "aws", "options": null}}'
    vault.fail(200, path="/v1/sys/internal/ui/mounts", body=answer)
    with pytest.raises(UnsupportedError, match="not a key-value engine"):
        await (await make_source()).read("aws/creds#token")


@pytest.mark.parametrize(
    "body",
    [
        *("", "{}", "[]", "null", '{"data": null}', '{"data": {"data": [], "metadata": {}}}', '{"data": {"data": {}}}'),
        *("not json", "[" * 100_000, '{"data": {"data": {"token": "x"}, "metadata": {"version": "1"}}}'),
    ],
    ids=lambda body: body[:40] or "empty",
)
async def test_answer_that_is_not_vaults_is_unavailable(
    vault: SandboxVault, make_source: MakeSource, body: str
) -> None:
    """Whatever a proxy or another server answers with 200, it is an outage and not a value."""
    vault.mount("kv")
    vault.fail(200, path="/v1/kv/data", body=body)
    with pytest.raises(UnavailableError) as caught:
        await (await make_source()).read("kv/a#token")
    assert caught.value.cause == "protocol"


def hold(vault: SandboxVault, path: str) -> tuple[asyncio.Event, asyncio.Event]:
    """Make one request below ``path`` wait; return the events for "it is here" and "let it go"."""
    arrived, release = asyncio.Event(), asyncio.Event()

    async def wait(_: web.Request) -> web.Response:
        arrived.set()
        await release.wait()
        return web.Response(status=500)

    vault.faults.append(Fault(lambda request: request.path.startswith(path), wait, times=1))
    return arrived, release


async def test_concurrent_reads_of_one_secret_share_a_call(vault: SandboxVault, make_source: MakeSource) -> None:
    """Username and token of one secret, asked ten times at once, cost one login and one read."""
    vault.put("kv/a", {"username": "u", "token": "t"})
    source = await make_source()
    locations = ["kv/a#username", "kv/a#token"] * 5
    readings = await asyncio.gather(*(source.read(location) for location in locations))
    assert [reading.secret for reading in readings] == [Secret("u"), Secret("t")] * 5
    assert (vault.count("GET", "/v1/kv/data/a"), vault.count("POST", "/v1/auth/approle/login")) == (1, 1)


async def test_later_read_asks_again(vault: SandboxVault, make_source: MakeSource) -> None:
    """An answer is shared while it is under way and never kept."""
    vault.put("kv/a", {"token": "one"})
    source = await make_source()
    await source.read("kv/a#token")
    vault.put("kv/a", {"token": "two"})
    assert (await source.read("kv/a#token")).secret == Secret("two")


async def test_caller_that_gives_up_takes_nothing_from_the_others(vault: SandboxVault, make_source: MakeSource) -> None:
    """Cancelling one of two waiting readers leaves the shared call alone."""
    vault.put("kv/a", {"token": "x"})
    source = await make_source()
    first = asyncio.create_task(source.read("kv/a#token"))
    second = asyncio.create_task(source.read("kv/a#token"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).secret == Secret("x")
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_closing_ends_what_is_under_way(vault: SandboxVault, make_source: MakeSource) -> None:
    """A reader of a hanging Vault gets an error of ours when the source is closed."""
    vault.put("kv/a", {"token": "x"})
    source = await make_source()
    await source.read("kv/a#token")
    arrived, release = hold(vault, "/v1/kv/data")
    reader = asyncio.create_task(source.read("kv/a#token"))
    await arrived.wait()
    await source.close()
    with pytest.raises(UnavailableError, match="closed while reading"):
        await reader
    release.set()


async def test_denied_secret_is_permission_denied(vault: SandboxVault, make_source: MakeSource) -> None:
    """A path that no policy of ours covers is PermissionDeniedError."""
    vault.put("kv/a", {"token": "x"})
    vault.deny("kv/a")
    with pytest.raises(PermissionDeniedError, match="HTTP 403"):
        await (await make_source()).read("kv/a#token")


async def test_nothing_is_asked_before_the_first_read(vault: SandboxVault, make_source: MakeSource) -> None:
    """Making and closing a source makes no call; the token's end is unknown."""
    source = await make_source()
    assert source.token_expiry() == UNKNOWN
    await source.close()
    assert list(vault.asked) == []


async def test_the_session_asks_for_others(vault: SandboxVault, make_source: MakeSource) -> None:
    """Targets ask Vault with the same login as sources do: one login serves both."""
    source = await make_source()
    vault.mount("kv")
    await source.request("POST", "/v1/kv/data/a", {"data": {"token": "x"}})
    answer = await source.request("GET", "/v1/kv/data/a")
    assert answer["data"]["data"] == {"token": "x"}
    assert (await source.read("kv/a#token")).secret.reveal() == "x"
    assert vault.count("POST", "/v1/auth/approle/login") == 1


async def test_a_patch_is_a_merge_patch(vault: SandboxVault, make_source: MakeSource) -> None:
    """PATCH goes out as a JSON merge patch, which is the only one that Vault takes."""
    vault.put("kv/a", {"token": "x", "other": 1})
    source = await make_source()
    await source.request("PATCH", "/v1/kv/data/a", {"options": {"cas": 1}, "data": {"token": "y"}})
    assert (await source.request("GET", "/v1/kv/data/a"))["data"]["data"] == {"token": "y", "other": 1}


async def test_a_failed_check_and_set_is_a_conflict(vault: SandboxVault, make_source: MakeSource) -> None:
    """Vault says 400 when somebody was faster; that is worth another try, other 400s are not."""
    vault.put("kv/a", {"token": "x"})
    source = await make_source()
    with pytest.raises(ConflictError, match="newer version"):
        await source.request("POST", "/v1/kv/data/a", {"options": {"cas": 7}, "data": {}})
    with pytest.raises(PermanentError, match="HTTP 400"):
        await source.request("POST", "/v1/kv/data/a", {"nothing": 1})


async def test_nothing_there_is_not_found(vault: SandboxVault, make_source: MakeSource) -> None:
    """404 is our own error for those who ask by path, too, without Vault's answer behind it."""
    vault.mount("kv")
    source = await make_source()
    with pytest.raises(NotFoundError, match="GET /v1/kv/data/a: there is nothing") as caught:
        await source.request("GET", "/v1/kv/data/a")
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("version", [1, 2], ids=["1", "2"])
async def test_the_engines_version_is_asked_once(vault: SandboxVault, make_source: MakeSource, version: int) -> None:
    """Whoever writes learns the version of the engine; sources and targets share the answer."""
    vault.mount("kv", version=version)
    source = await make_source()
    assert [await source.engine_version("kv"), await source.engine_version("kv")] == [version, version]
    assert vault.count("GET", "/v1/sys/internal/ui/mounts/kv") == 1
