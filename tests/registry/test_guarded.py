"""Every way of showing a login to a registry passes the guard, and leaves there how it ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from rotator.domain.attempt import Outcome
from rotator.domain.model import SAME_AS_SECRET, Login
from rotator.domain.reference import parse
from rotator.domain.verdict import Verdict
from rotator.engine.guard import PAUSE, REFUSALS, SLOW_PAUSE, Guard
from rotator.errors import RateLimitedError
from rotator.ports import Clock
from rotator.registry.advice import Vendor
from rotator.registry.answer import Answer, Place
from rotator.registry.challenge import Challenge
from rotator.registry.classify import outcome_of
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.registry.verify import auth_probe
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret
from rotator.transport import Transport

WRONG = Login("AWS", Secret("wrong-horse-battery"))
LOCKED = '{"message": "too many failed login attempts for username or IP address"}'
Ask = Callable[[RegistryClient, Login], Awaitable[object]]


async def probe(client: RegistryClient, login: Login) -> object:
    """Ask about the login alone."""
    return await client.auth_probe(login)


async def head(client: RegistryClient, login: Login) -> object:
    """Ask for a private image."""
    return await client.head_manifest(parse(f"{client.host}/team/app:1.0"), login)


async def peek(client: RegistryClient, login: Login) -> object:
    """Ask for it by a HEAD alone, as for a pull limit."""
    return await client.open(login).peek_manifest(parse(f"{client.host}/team/app:1.0"))


async def get(client: RegistryClient, login: Login) -> object:
    """Fetch it."""
    return await client.open(login).get_manifest(parse(f"{client.host}/team/app:1.0"))


WAYS = pytest.mark.parametrize("ask", [probe, head, peek, get], ids=lambda ask: ask.__name__)


@pytest.fixture
def guard(clock: Clock) -> Guard:
    """Return a guard that saw nothing yet."""
    return Guard(clock)


@pytest.fixture
def guarded(transport: Transport, guard: Guard) -> Callable[[SandboxRegistry], RegistryClient]:
    """Return what makes a guarded client of a sandbox registry."""

    def make(server: SandboxRegistry) -> RegistryClient:
        return RegistryClient(transport, host=server.host, settings=RegistrySettings(insecure=True), guard=guard)

    return make


def shown(server: SandboxRegistry) -> int:
    """Return how often a password came along."""
    return sum(asked.credential.startswith("Basic") for asked in server.asked)


@WAYS
async def test_a_wrong_login_is_shown_three_times(
    either: SandboxRegistry, guarded: Callable[[SandboxRegistry], RegistryClient], ask: Ask
) -> None:
    """By whatever way: three refusals, and the login does not leave this machine any more; another user's does."""
    client = guarded(either)
    for _ in range(REFUSALS + 3):
        try:
            await ask(client, WRONG)
        except RateLimitedError as error:
            assert error.retry_after == PAUSE  # noqa: PT017 (the first ones do not raise)
    assert shown(either) == REFUSALS
    await ask(client, Login("somebody", Secret("else-horse-battery")))
    assert shown(either) > REFUSALS


@WAYS
async def test_a_good_login_is_never_held_back(
    either: SandboxRegistry,
    guarded: Callable[[SandboxRegistry], RegistryClient],
    guard: Guard,
    login: Login,
    ask: Ask,
) -> None:
    """However often a good login is shown, the guard stays open."""
    for _ in range(20):
        await ask(guarded(either), login)
    assert guard.closed() == frozenset()


async def test_what_is_asked_without_a_login_passes(
    hub: SandboxRegistry, guarded: Callable[[SandboxRegistry], RegistryClient]
) -> None:
    """A closed guard holds back logins, not questions without one."""
    client = guarded(hub)
    for _ in range(REFUSALS):
        await probe(client, WRONG)
    answer = await client.open(None).head_manifest(parse(f"{client.host}/open/app:1.0"))
    assert answer.status == 200


async def test_a_probe_that_is_held_back_cannot_tell(
    hub: SandboxRegistry, guarded: Callable[[SandboxRegistry], RegistryClient]
) -> None:
    """Behind a closed guard a finding says so, and for how long; it does not blame the login."""
    client = guarded(hub)
    for _ in range(REFUSALS):
        await probe(client, WRONG)
    finding = await auth_probe(client, WRONG)
    assert (finding.verdict, finding.retry_after) == (Verdict.CANNOT_TELL, PAUSE.total_seconds())
    assert "refused 3 logins in a row" in finding.evidence


async def test_a_scope_granted_to_anybody_clears_nothing(
    hub: SandboxRegistry, guarded: Callable[[SandboxRegistry], RegistryClient], guard: Guard, login: Login
) -> None:
    """Some registries grant scoped tokens to a wrong login: such a token does not count as an acceptance."""
    client = guarded(hub)
    for _ in range(REFUSALS - 1):
        await probe(client, WRONG)
    await head(client, login)  # the same user name
    await probe(client, WRONG)
    assert guard.closed() == {hub.host}


def held_back(guard: Guard, host: str, user: str) -> timedelta:
    """Return for how long a login is held back; zero when it is not."""
    try:
        guard.check(host, user)
    except RateLimitedError as error:
        return error.retry_after or timedelta()
    return timedelta()


@pytest.mark.parametrize(
    ("answer", "pause"),
    [
        pytest.param((429, {"Retry-After": "300"}, "Too Many Requests"), timedelta(minutes=5), id="abuse limit"),
        pytest.param((429, {}, ""), SLOW_PAUSE, id="a bare 429"),
        pytest.param((401, {}, LOCKED), PAUSE, id="login lock"),
        pytest.param((503, {}, ""), timedelta(), id="a broken server counts for nothing"),
    ],
)
async def test_what_the_token_server_says_closes_at_once(
    hub: SandboxRegistry,
    guarded: Callable[[SandboxRegistry], RegistryClient],
    guard: Guard,
    login: Login,
    answer: tuple[int, dict[str, str], str],
    pause: timedelta,
) -> None:
    """A lock or a limit that the registry names keeps even a good login away, at once."""
    status, headers, body = answer
    hub.fail(status, path="/token", headers=headers, body=body)
    await probe(guarded(hub), login)
    assert held_back(guard, hub.host, login.username) == pause


async def test_an_account_whose_name_is_its_secret_is_known_by_a_placeholder(
    hub: SandboxRegistry, guarded: Callable[[SandboxRegistry], RegistryClient], guard: Guard
) -> None:
    """The guard learns the name that a version carries, never a user name that is the secret."""
    hub.fail(401, path="/token", body=LOCKED)
    await probe(guarded(hub), Login("the-token-itself", Secret("the-token-itself")))
    assert held_back(guard, hub.host, SAME_AS_SECRET) == PAUSE
    assert held_back(guard, hub.host, "the-token-itself") == timedelta()


@pytest.mark.parametrize(
    ("answer", "vendor", "outcome"),
    [
        pytest.param(Answer(Place.TOKEN, 403, "basic"), Vendor.GITLAB, Outcome.BANNED, id="GitLab's bare 403"),
        pytest.param(Answer(Place.TOKEN, 403, "basic"), Vendor.OTHER, Outcome.UNTOLD, id="somebody's bare 403"),
        pytest.param(Answer(Place.MANIFEST, 429, "basic"), Vendor.ECR, Outcome.UNTOLD, id="a limit of pulls"),
        pytest.param(
            Answer(Place.BASE, 401, "basic", (Challenge("bearer"),)), Vendor.OTHER, Outcome.UNTOLD, id="asks elsewhere"
        ),
        pytest.param(
            Answer(Place.BASE, 401, "basic", (Challenge("basic"),)), Vendor.OTHER, Outcome.REFUSED, id="refused"
        ),
        pytest.param(Answer(Place.BASE, 200, "basic"), Vendor.OTHER, Outcome.ACCEPTED, id="accepted"),
        pytest.param(Answer(Place.MANIFEST, 404, "basic", code="NAME_UNKNOWN"), Vendor.ECR, Outcome.UNTOLD, id="404"),
    ],
)
def test_an_answer_counts_for_what_it_says(answer: Answer, vendor: Vendor, outcome: Outcome) -> None:
    """Only a registry's own word about the login, a ban or a limit counts."""
    assert outcome_of(answer, vendor) is outcome


async def test_each_429_is_told(hub: SandboxRegistry, transport: Transport, login: Login) -> None:
    """An answer 429 of the registry, or of its token server, is counted for the registry's configured host."""
    told: list[str] = []
    settings = RegistrySettings(insecure=True)
    client = RegistryClient(transport, host=hub.host, settings=settings, throttled=told.append)
    await head(client, login)
    assert told == []
    hub.fail(429, path="/token", times=1)
    await probe(client, login)
    hub.fail(429, path="/v2/team", method="HEAD", times=1)
    await head(client, login)
    assert told == [hub.host] * 2
