"""Each login method, and what happens when it does not work."""

from __future__ import annotations

import traceback
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.domain.model import Expiry
from rotator.errors import AuthenticationError, NotFoundError, RotatorError, ShapeError, UnavailableError
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.secret import Secret
from rotator.sources.vault import VaultSource

pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcnow:DeprecationWarning")

MakeSource = Callable[..., Awaitable[VaultSource]]
CANARY = "canary-51c0-secret"
LOGIN = "/v1/auth/approle/login"
AWS_KEYS = {"access_key_id": {"env": "ID"}, "secret_access_key": {"env": "KEY"}, "session_token": {"env": "SESSION"}}

METHODS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "token": ({"method": "token", "token": {"env": "TOKEN"}}, {"TOKEN": "hvs.known"}),
    "approle": (
        {"method": "approle", "role_id": {"env": "ROLE"}, "secret_id": {"env": "SECRET"}, "mount": "team/approle"},
        {"ROLE": "role-2", "SECRET": CANARY},
    ),
    "approle without secret-id": ({"method": "approle", "role_id": {"env": "ROLE"}}, {"ROLE": "role-3"}),
    "kubernetes": ({"method": "kubernetes", "role": "web", "jwt": {"env": "JWT"}}, {"JWT": "aaa.bbb.ccc"}),
    "jwt": ({"method": "jwt", "role": "ci", "jwt": {"env": "JWT"}, "mount": "gitlab"}, {"JWT": "ddd.eee.fff"}),
    "aws": (
        {"method": "aws", "role": "pull", "server_id": "vault.test", **AWS_KEYS},
        {"ID": "AKIAEXAMPLE", "KEY": CANARY, "SESSION": "session"},
    ),
}


@pytest.fixture
def open_vault(vault: SandboxVault) -> SandboxVault:
    """Return a Vault with one secret, that each login of `METHODS` opens."""
    vault.put("kv/a", {"token": "x"})
    vault.desk.mint(Grant(), value="hvs.known")
    vault.add_approle("role-2", CANARY, mount="team/approle")
    vault.add_approle("role-3", "")
    vault.add_jwt_role("web", "aaa.bbb.ccc", mount="kubernetes")
    vault.add_jwt_role("ci", "ddd.eee.fff", mount="gitlab")
    vault.add_aws_role("pull", "AKIAEXAMPLE", CANARY, server_id="vault.test")
    return vault


def told(error: BaseException) -> str:
    """Return all that a log could print about ``error``."""
    return "".join(traceback.format_exception(error))


@pytest.mark.parametrize(("auth", "bootstrap"), METHODS.values(), ids=METHODS.keys())
async def test_each_method_opens_vault(
    open_vault: SandboxVault,
    make_source: MakeSource,
    fake_clock: Any,
    auth: dict[str, Any],
    bootstrap: dict[str, str],
) -> None:
    """With the right start-up secrets every method leads to a token that reads, and whose end is known."""
    source = await make_source(auth=auth, bootstrap=bootstrap)
    assert (await source.read("kv/a#token")).secret == Secret("x")
    assert source.token_expiry() == Expiry(fake_clock.now() + timedelta(hours=1))
    assert open_vault.count("POST", "/v1/auth/") == (auth["method"] != "token")


@pytest.mark.parametrize(("auth", "bootstrap"), METHODS.values(), ids=METHODS.keys())
async def test_each_refusal_is_an_authentication_error_without_the_secret(
    open_vault: SandboxVault, make_source: MakeSource, auth: dict[str, Any], bootstrap: dict[str, str]
) -> None:
    """A wrong start-up secret is refused by name of the method; nothing that could be printed holds it."""
    wrong = dict.fromkeys(bootstrap, f"{CANARY}-wrong")
    with pytest.raises(AuthenticationError, match=f"the login by {auth['method']} was refused") as caught:
        await (await make_source(auth=auth, bootstrap=wrong)).read("kv/a#token")
    assert CANARY not in told(caught.value)
    assert open_vault.count("GET", "/v1/kv/") == 0


@pytest.mark.parametrize("method", ["token", "kubernetes", "jwt"])
@pytest.mark.parametrize(
    "bad", [f"{CANARY}\n{CANARY}", f"{CANARY} x", f"{CANARY}\u00fc"], ids=["newline", "space", "umlaut"]
)
async def test_secret_that_no_header_can_carry_is_refused_before_it_is_sent(
    open_vault: SandboxVault, make_source: MakeSource, method: str, bad: str
) -> None:
    """HTTP libraries quote such a value in their error, so it does not reach them."""
    auth, bootstrap = METHODS[method]
    with pytest.raises(ShapeError, match="characters that no token has") as caught:
        await (await make_source(auth=auth, bootstrap=dict.fromkeys(bootstrap, bad))).read("kv/a#token")
    assert CANARY not in told(caught.value)
    assert list(open_vault.asked) == []


async def test_start_up_secret_that_cannot_be_read_keeps_its_own_error(
    vault: SandboxVault, make_source: MakeSource
) -> None:
    """A missing file is reported as that, not as a refused login."""
    missing: dict[str, RotatorError] = {"ROLE_ID": NotFoundError("file /run/role-id does not exist")}
    with pytest.raises(NotFoundError, match="file /run/role-id does not exist"):
        await (await make_source(bootstrap=missing)).read("kv/a#token")
    assert list(vault.asked) == []


async def test_replaced_token_file_is_picked_up(open_vault: SandboxVault, make_source: MakeSource) -> None:
    """When a Vault agent writes a new token, the refused old one makes us read it."""
    secrets = {"TOKEN": "hvs.known"}
    source = await make_source(auth=METHODS["token"][0], bootstrap=secrets)
    await source.read("kv/a#token")
    open_vault.revoke_tokens()
    secrets["TOKEN"] = open_vault.mint_token()
    assert (await source.read("kv/a#token")).secret == Secret("x")


@pytest.mark.parametrize(
    "body",
    [
        "{}",
        '{"auth": null}',
        '{"auth": []}',
        '{"auth": {"lease_duration": 5}}',
        '{"auth": {"client_token": 5, "lease_duration": 5}}',
        '{"auth": {"client_token": "t", "lease_duration": "5"}}',
        '{"auth": {"client_token": "t", "lease_duration": -5}}',
        '{"auth": {"client_token": "t"}}',
        "<html>",
        "[1]",
    ],
)
async def test_login_answer_that_is_not_vaults_is_unavailable(
    vault: SandboxVault, make_source: MakeSource, body: str
) -> None:
    """Another server at that address is an outage."""
    vault.fail(200, path=LOGIN, body=body)
    with pytest.raises(UnavailableError) as caught:
        await (await make_source()).read("kv/a#token")
    assert caught.value.cause == "protocol"


async def test_token_from_vault_is_checked_too(vault: SandboxVault, make_source: MakeSource) -> None:
    """A token with a line break would become a header of its own."""
    vault.fail(200, path=LOGIN, body='{"auth": {"client_token": "t\\r\\nX: y", "lease_duration": 5}}')
    with pytest.raises(ShapeError, match="the token Vault made"):
        await (await make_source()).read("kv/a#token")


@pytest.mark.parametrize(
    ("status", "error"),
    [
        *((400, AuthenticationError), (401, AuthenticationError), (403, AuthenticationError)),
        *((404, AuthenticationError), (500, UnavailableError), (503, UnavailableError), (307, UnavailableError)),
    ],
    ids=str,
)
async def test_status_of_a_login_becomes_an_error_class(
    vault: SandboxVault, make_source: MakeSource, status: int, error: type[Exception]
) -> None:
    """4xx means that we are not known, the rest that Vault cannot say."""
    vault.fail(status, path=LOGIN)
    with pytest.raises(error):
        await (await make_source()).read("kv/a#token")


@pytest.mark.usefixtures("open_vault")
async def test_aws_chain_finds_keys_in_the_environment(
    make_source: MakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keys in the configuration AWS's own chain is asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", CANARY)
    auth = {"method": "aws", "role": "pull", "server_id": "vault.test"}
    source = await make_source(auth=auth, bootstrap={})
    assert (await source.read("kv/a#token")).secret == Secret("x")


async def test_aws_chain_that_finds_nothing_says_what_to_do(
    open_vault: SandboxVault, make_source: MakeSource, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No role and no key is an authentication error, before anything is sent to Vault."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    source = await make_source(auth={"method": "aws", "role": "pull"}, bootstrap={})
    with pytest.raises(AuthenticationError, match="chain found nothing"):
        await source.read("kv/a#token")
    assert list(open_vault.asked) == []
