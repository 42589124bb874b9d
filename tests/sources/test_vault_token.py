"""The daemon's own token: renewed in time, replaced when refused, and never a hot loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from rotator.domain.model import NEVER, Expiry
from rotator.errors import AuthenticationError, PermissionDeniedError, UnavailableError
from rotator.sandbox.vault import SandboxVault
from rotator.sandbox.vault_auth import Grant
from rotator.secret import Secret
from rotator.sources.vault import VaultSource
from rotator.sources.vault_token import Gate

MakeSource = Callable[..., Awaitable[VaultSource]]
LOGIN = "/v1/auth/approle/login"
RENEW = "/v1/auth/token/renew-self"
HOUR = timedelta(hours=1)


@pytest.fixture
def readable(vault: SandboxVault) -> SandboxVault:
    """Return the Vault with one secret in it."""
    vault.put("kv/a", {"token": "x"})
    return vault


@asynccontextmanager
async def renewing(source: VaultSource, clock: Any) -> AsyncIterator[Callable[..., Awaitable[None]]]:
    """Run the renewal task; yield a function that moves the clock in steps and lets the task work after each."""
    task = asyncio.create_task(source.renew_forever())

    async def settle() -> None:
        while not clock.sleepers:
            assert not task.done()
            await asyncio.sleep(0.001)

    async def pass_time(steps: int, **step: float) -> None:
        for _ in range(steps):
            await settle()
            clock.advance(**step)
            await settle()

    yield pass_time
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_idle_token_is_renewed_at_two_thirds(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """Nobody reads for an hour, and still the token is renewed after 40 minutes, once."""
    source = await make_source()
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(79, seconds=30)
        assert readable.count("POST", RENEW) == 0
        await pass_time(2, seconds=30)
        assert readable.count("POST", RENEW) == 1
        assert source.token_expiry() == Expiry(fake_clock.now() + HOUR - timedelta(seconds=30))
        await pass_time(60, seconds=30)
    assert (readable.count("POST", RENEW), readable.count("POST", LOGIN)) == (1, 1)


async def test_renewal_task_logs_in_by_itself(make_source: MakeSource, fake_clock: Any) -> None:
    """The token is there before the first reader comes."""
    source = await make_source()
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(1, seconds=1)
    assert source.token_expiry() == Expiry(fake_clock.now() + HOUR)


async def test_token_that_cannot_be_renewed_is_replaced(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """A token that is not renewable is replaced by a login at 2/3 of its life."""
    readable.add_approle("role-1", "secret-1", grant=Grant(renewable=False))
    source = await make_source()
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(82, seconds=30)
    assert (readable.count("POST", RENEW), readable.count("POST", LOGIN)) == (0, 2)


async def test_token_near_its_maximum_is_replaced(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """When renewing gives less than half a life, the maximum is near and a login follows at once."""
    readable.add_approle("role-1", "secret-1", grant=Grant(max_ttl=HOUR))
    source = await make_source()
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(82, seconds=30)
    assert (readable.count("POST", RENEW), readable.count("POST", LOGIN)) == (1, 2)


async def test_forbidden_renewal_becomes_a_login(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """A policy without renew-self costs one login per 2/3 of a life, not a storm."""
    readable.deny("auth/token/renew-self")
    source = await make_source()
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(170, seconds=30)
    assert (readable.count("POST", RENEW), readable.count("POST", LOGIN)) == (2, 3)


async def test_outage_at_renewal_is_survived(readable: SandboxVault, make_source: MakeSource, fake_clock: Any) -> None:
    """While Vault is away the renewal is tried at most once a step; afterwards the token lives on."""
    source = await make_source()
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(79, seconds=30)
        readable.seal()
        await pass_time(600, seconds=1)
        assert 10 <= readable.count("POST", RENEW) <= 20
        readable.unseal()
        await pass_time(61, seconds=1)
    assert readable.count("POST", LOGIN) == 1
    assert source.token_expiry().at is not None
    assert source.token_expiry().is_past(fake_clock.now() + timedelta(minutes=55)) is False


async def test_refused_logins_are_counted_in_steps(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """A wrong secret-id costs 1 s, 2 s, 4 s ... 60 s between logins: sixteen in ten minutes, not hundreds."""
    source = await make_source(bootstrap={"ROLE_ID": "role-1", "SECRET_ID": "wrong"})
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(600, seconds=1)
    assert readable.count("POST", LOGIN) <= 16


async def test_readers_cannot_hurry_a_refused_login(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """Between two steps a reader gets the last refusal without a request; after the step one login is tried."""
    secrets = {"ROLE_ID": "role-1", "SECRET_ID": "wrong"}
    source = await make_source(bootstrap=secrets)
    for _ in range(50):
        with pytest.raises(AuthenticationError, match="the login by approle was refused"):
            await source.read("kv/a#token")
    assert readable.count("POST", LOGIN) == 1
    secrets["SECRET_ID"] = "secret-1"
    fake_clock.advance(seconds=1)
    assert (await source.read("kv/a#token")).secret == Secret("x")


async def test_revoked_token_is_replaced_within_one_read(readable: SandboxVault, make_source: MakeSource) -> None:
    """After a revocation the next read logs in once and succeeds."""
    source = await make_source()
    await source.read("kv/a#token")
    readable.revoke_tokens()
    assert (await source.read("kv/a#token")).secret == Secret("x")
    assert readable.count("POST", LOGIN) == 2


async def test_many_readers_of_a_revoked_token_share_one_login(readable: SandboxVault, make_source: MakeSource) -> None:
    """Twenty different secrets refused at once cost one login."""
    for number in range(20):
        readable.put(f"kv/{number}", {"token": "x"})
    source = await make_source()
    await source.read("kv/a#token")
    readable.revoke_tokens()
    await asyncio.gather(*(source.read(f"kv/{number}#token") for number in range(20)))
    assert readable.count("POST", LOGIN) == 2


async def test_path_that_stays_forbidden_costs_one_login_per_step(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """A read that is refused every second for three minutes logs in nine times, not 180 times."""
    readable.deny("kv/a")
    source = await make_source()
    for _ in range(180):
        with pytest.raises(PermissionDeniedError):
            await source.read("kv/a#token")
        fake_clock.advance(seconds=1)
    assert readable.count("POST", LOGIN) <= 9


async def test_forbidden_path_does_not_block_the_others(readable: SandboxVault, make_source: MakeSource) -> None:
    """One forbidden secret leaves the readers of other secrets alone."""
    readable.put("kv/b", {"token": "y"})
    readable.deny("kv/a")
    source = await make_source()
    with pytest.raises(PermissionDeniedError):
        await source.read("kv/a#token")
    assert (await source.read("kv/b#token")).secret == Secret("y")


async def test_token_that_died_meanwhile_is_never_shown(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """After a suspension longer than the token's life the next read logs in before it asks."""
    source = await make_source()
    await source.read("kv/a#token")
    dead = next(asked.credential for asked in readable.asked if asked.path == "/v1/kv/data/a")
    readable.asked.clear()
    fake_clock.advance(hours=2)
    await source.read("kv/a#token")
    assert [asked.path for asked in readable.asked][:1] == [LOGIN]
    assert dead not in {asked.credential for asked in readable.asked}


async def test_login_shows_no_old_token(readable: SandboxVault, make_source: MakeSource) -> None:
    """A login request carries no `X-Vault-Token`."""
    source = await make_source()
    await source.read("kv/a#token")
    readable.revoke_tokens()
    await source.read("kv/a#token")
    assert {asked.credential for asked in readable.asked if asked.path == LOGIN} == {""}


async def test_token_without_an_end_is_never_renewed(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """A ttl of zero is no end, not an end at once."""
    auth = {"method": "token", "token": {"env": "TOKEN"}}
    source = await make_source(auth=auth, bootstrap={"TOKEN": readable.mint_token(timedelta(0))})
    await source.read("kv/a#token")
    async with renewing(source, fake_clock) as pass_time:
        await pass_time(20, minutes=5)
    assert source.token_expiry() == NEVER
    assert readable.count("POST", RENEW) == 0


async def test_failed_login_after_an_outage_is_tried_again(
    readable: SandboxVault, make_source: MakeSource, fake_clock: Any
) -> None:
    """An outage at the first login ends without help."""
    readable.seal()
    source = await make_source()
    with pytest.raises(UnavailableError):
        await source.read("kv/a#token")
    readable.unseal()
    fake_clock.advance(seconds=1)
    assert (await source.read("kv/a#token")).secret == Secret("x")


def test_steps_double_to_a_minute_and_start_anew(fake_clock: Any) -> None:
    """Without jitter the steps are 1, 2, 4 ... 60, 60 seconds, and 1 again after a success."""
    gate = Gate(fake_clock, lambda: 0.0)
    steps = []
    for _ in range(8):
        gate.shut()
        steps.append(gate.wait)
    gate.reset()
    assert (steps, gate.wait) == ([1, 2, 4, 8, 16, 32, 60, 60], 0)


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 1.0), (0.5, 0.75), (0.999, 0.5005)], ids=["none", "half", "most"])
def test_jitter_takes_at_most_half_of_a_step(fake_clock: Any, draw: float, wait: float) -> None:
    """A step never shrinks to nothing, whatever is drawn."""
    gate = Gate(fake_clock, lambda: draw)
    gate.shut()
    assert gate.wait == pytest.approx(wait)
