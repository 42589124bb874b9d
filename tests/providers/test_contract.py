"""What `rotator.ports.Provider` promises, kept by every row of the table."""

from __future__ import annotations

import importlib
import json
import logging
import os
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from rotator.config.credential import CredentialConfig
from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Issued, Login, Stage, Strategy, Version
from rotator.domain.retirement import Retirement
from rotator.domain.verdict import Verdict
from rotator.errors import NotFoundError, PermissionDeniedError, RotatorError, UnavailableError
from rotator.ports import Clock, ListsMade, Order, Provider, Retires
from rotator.providers import PROVIDERS
from rotator.providers.acr import Acr, AcrConfig
from rotator.providers.acr_token import AcrToken, AcrTokenConfig
from rotator.providers.context import ProviderContext
from rotator.providers.custom import Custom, CustomConfig
from rotator.providers.digitalocean import DigitalOcean, DigitalOceanConfig
from rotator.providers.dockerhub import DockerHub, DockerHubConfig
from rotator.providers.dockerhub_token import DockerHubToken, DockerHubTokenConfig
from rotator.providers.ecr import Ecr, EcrConfig
from rotator.providers.ecr_public import EcrPublic, EcrPublicConfig
from rotator.providers.gar import Gar, GarConfig
from rotator.providers.ghcr import Ghcr, GhcrConfig
from rotator.providers.gitlab import GitLab, GitLabConfig
from rotator.providers.harbor import Harbor, HarborConfig
from rotator.providers.jfrog import JFrog, JFrogConfig
from rotator.providers.jfrog_token import JFrogToken, JFrogTokenConfig
from rotator.providers.quay import Quay, QuayConfig
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.azure import SUBSCRIPTION, TOKEN, SandboxArm
from rotator.sandbox.digitalocean import SandboxDigitalOcean
from rotator.sandbox.dockerhub import SandboxDockerHub
from rotator.sandbox.flavours import ACR, DOCKER_HUB
from rotator.sandbox.flavours.gitlab import GITLAB
from rotator.sandbox.gitlab import SandboxGitLab
from rotator.sandbox.harbor import SandboxHarbor
from rotator.sandbox.jfrog import SandboxJFrog
from rotator.sandbox.quay import SandboxQuay
from rotator.sandbox.registry import SandboxRegistry
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
ACCESS_KEY = "AKIDSANDBOX"
MakeContext = Callable[[str], ProviderContext]


@dataclass
class Harness:
    """One provider in a world where it works, and levers to break that world.

    Args:
        provider: Under test.
        registry: Where its logins must work.
        secret_file: The file that its secret is read from.
        stop_vendor: Makes whoever hands out the secret unreachable: the vendor, or the source where that is all.
        lose_answer: Has the vendor do the next thing that is asked of it and hang up.
        name: The row.
    """

    provider: Provider
    registry: SandboxRegistry
    secret_file: Path
    stop_vendor: Callable[[], Awaitable[None]]
    lose_answer: Callable[[], object] = lambda: None
    name: str = ""


Build = Callable[["World"], Awaitable[Harness]]


@dataclass
class World:
    """What a harness is built from."""

    clock: Clock
    make_context: MakeContext
    access_key: dict[str, dict[str, str]]
    keep: Callable[[str, str], dict[str, str]]
    vendors: Any
    stack: AsyncExitStack

    async def registry(self, auth: Any) -> SandboxRegistry:
        """Return a started registry."""
        return await self.stack.enter_async_context(SandboxRegistry(self.clock, auth=auth))

    async def aws(self, registry: SandboxRegistry) -> SandboxAws:
        """Return a started AWS."""
        return await self.stack.enter_async_context(SandboxAws(self.clock, registry, access_key=ACCESS_KEY))


async def _ecr(world: World) -> Harness:
    registry = await world.registry("basic")
    aws = await world.aws(registry)
    config = EcrConfig(
        registry=registry.host,
        region="eu-west-1",
        endpoint_url=aws.url,
        insecure=True,
        access_key=world.access_key,
    )
    secret_file = Path(world.access_key["secret"]["file"])
    return Harness(Ecr(config, world.make_context(registry.host)), registry, secret_file, aws.stop)


async def _ecr_public(world: World) -> Harness:
    registry = await world.registry("bearer")
    aws = await world.aws(registry)
    config = EcrPublicConfig(
        registry=registry.host,
        endpoint_url=aws.url,
        insecure=True,
        access_key=world.access_key,
    )
    secret_file = Path(world.access_key["secret"]["file"])
    return Harness(EcrPublic(config, world.make_context(registry.host)), registry, secret_file, aws.stop)


async def _acr(world: World) -> Harness:
    registry = await world.registry("bearer")
    world.vendors.entra.serve(registry)
    secret = world.keep("client-secret", CANARY)
    config = AcrConfig.model_validate(
        {
            "registry": registry.host,
            "tenant": "contoso.example",
            "service_principal": {"client_id": "app-1", "client_secret": secret},
            "authority_url": world.vendors.entra.url,
            "insecure": True,
        }
    )
    provider = Acr(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(secret["file"]), world.vendors.entra.stop)


async def _acr_slots(world: World, **who: Any) -> Harness:
    registry = await world.registry(ACR)
    audience = "https://management.azure.com/.default"
    arm = SandboxArm(world.clock, registry, bearer=f"entra-for:{audience}")
    await world.stack.enter_async_context(arm)
    secret = world.keep("client-secret", CANARY)
    config = AcrTokenConfig.model_validate(
        {
            "registry": registry.host,
            "registry_name": "acme0",
            "subscription": SUBSCRIPTION,
            "resource_group": "rg",
            "tenant": "contoso.example",
            "service_principal": {"client_id": "app-1", "client_secret": secret},
            "authority_url": world.vendors.entra.url,
            "arm_url": arm.url,
            "arm_audience": audience,
            "insecure": True,
            **who,
        }
    )
    provider = AcrToken(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(secret["file"]), arm.stop, partial(arm.lose, method="POST"))


async def _gar(world: World) -> Harness:
    registry = await world.registry("bearer")
    google = world.vendors.google
    google.registry = registry
    document = world.keep("google.json", json.dumps(google.document))
    config = GarConfig.model_validate({"registry": registry.host, "credentials": document, "insecure": True})
    return Harness(Gar(config, world.make_context(registry.host)), registry, Path(document["file"]), google.stop)


def _read_from(provider: Provider, registry: SandboxRegistry, reference: dict[str, str]) -> Harness:
    path = Path(reference["file"])

    async def lose() -> None:
        _loop(path)

    return Harness(provider, registry, path, lose)


def _loop(path: Path) -> None:
    """Make the file one that the file system cannot find its way to."""
    path.unlink()
    path.symlink_to(path)


async def _from_source(world: World) -> tuple[SandboxRegistry, Any]:
    registry = await world.registry("bearer")
    registry.add_login("mona", CANARY)
    return registry, world.keep("token", CANARY)


async def _ghcr(world: World) -> Harness:
    registry, token = await _from_source(world)
    world.vendors.github.tokens[CANARY] = {}
    config = GhcrConfig(
        registry=registry.host, username="mona", token=token, api_url=world.vendors.github.url, insecure=True
    )
    return _read_from(Ghcr(config, world.make_context(registry.host)), registry, token)


async def _dockerhub(world: World) -> Harness:
    registry, token = await _from_source(world)
    config = DockerHubConfig(registry=registry.host, username="mona", token=token)
    return _read_from(DockerHub(config, world.make_context(registry.host)), registry, token)


async def _dockerhub_token(world: World) -> Harness:
    registry = await world.registry(DOCKER_HUB)
    hub = SandboxDockerHub(world.clock, registry, username="mona", password=CANARY)
    await world.stack.enter_async_context(hub)
    password = world.keep("password", CANARY)
    config = DockerHubTokenConfig.model_validate(
        {"registry": registry.host, "username": "mona", "password": password, "api_url": hub.url, "insecure": True}
    )
    lose = partial(hub.lose, path="/v2/access-tokens", method="POST")
    provider = DockerHubToken(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(password["file"]), hub.stop, lose)


async def _jfrog(world: World) -> Harness:
    registry, token = await _from_source(world)
    config = JFrogConfig(registry=registry.host, username="mona", token=token)
    return _read_from(JFrog(config, world.make_context(registry.host)), registry, token)


async def _jfrog_token(world: World) -> Harness:
    registry = await world.registry("bearer")
    jfrog = await world.stack.enter_async_context(SandboxJFrog(world.clock, registry, api_token=CANARY))
    token = world.keep("api-token", CANARY)
    config = JFrogTokenConfig.model_validate(
        {"registry": registry.host, "username": "mona", "api_token": token, "api_url": jfrog.url, "insecure": True}
    )
    lose = partial(jfrog.lose, path="/access/api/v1/tokens", method="POST")
    provider = JFrogToken(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(token["file"]), jfrog.stop, lose)


async def _quay(world: World) -> Harness:
    registry = await world.registry("bearer")
    registry.add_login("acme+pull", CANARY)
    token = world.keep("token", CANARY)
    config = QuayConfig.model_validate({"registry": registry.host, "username": "acme+pull", "token": token})
    return _read_from(Quay(config, world.make_context(registry.host)), registry, token)


async def _gitlab(world: World) -> Harness:
    return await _gitlab_making(world, "deploy_token")


async def _gitlab_access(world: World) -> Harness:
    return await _gitlab_making(world, "access_token")


async def _gitlab_making(world: World, mode: str) -> Harness:
    registry = await world.stack.enter_async_context(SandboxRegistry(world.clock, auth=GITLAB))
    gitlab = await world.stack.enter_async_context(SandboxGitLab(world.clock, registry, api_token=CANARY))
    token = world.keep("gitlab-api-token", CANARY)
    config = GitLabConfig.model_validate(
        {
            "registry": registry.host,
            "mode": mode,
            "project": "acme/app",
            "api_token": token,
            "api_url": gitlab.url,
            "insecure": True,
        }
    )
    lose = partial(gitlab.lose, path="/api/v4/projects", method="POST")
    provider = GitLab(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(token["file"]), gitlab.stop, lose)


async def _gitlab_read(world: World) -> Harness:
    registry, token = await _from_source(world)
    gitlab = await world.stack.enter_async_context(SandboxGitLab(world.clock, registry, api_token=CANARY))
    options = {"registry": registry.host, "mode": "read", "username": "mona", "token": token}
    config = GitLabConfig.model_validate({**options, "api_url": gitlab.url, "insecure": True})
    return _read_from(GitLab(config, world.make_context(registry.host)), registry, token)


async def _quay_regenerate(world: World) -> Harness:
    token = world.keep("quay-api-token", CANARY)
    quay = await world.stack.enter_async_context(SandboxQuay(world.clock, api_token=CANARY))
    robots = [quay.add_robot(name).name for name in ("acme+pull_a", "acme+pull_b")]
    config = QuayConfig.model_validate(
        {"registry": quay.host, "mode": "regenerate", "robots": robots, "api_token": token}
    )
    lose = partial(quay.lose, path="/api/v1/organization/acme/robots", times=2)  # a GET is tried twice
    return Harness(Quay(config, world.make_context(quay.host)), quay, Path(token["file"]), quay.stop, lose)


async def _harbor(world: World) -> Harness:
    password = world.keep("harbor-password", CANARY)
    harbor = await world.stack.enter_async_context(SandboxHarbor(world.clock, password=CANARY))
    robots = [harbor.add_robot("acme", short).number for short in ("pull-a", "pull-b")]
    config = HarborConfig.model_validate(
        {"registry": harbor.host, "robots": robots, "api_username": "admin", "api_password": password}
    )
    lose = partial(harbor.lose, path="/api/v2.0/robots", method="PATCH")
    provider = Harbor(config, world.make_context(harbor.host))
    return Harness(provider, harbor, Path(password["file"]), harbor.stop, lose)


async def _custom(world: World) -> Harness:
    registry, password = await _from_source(world)
    config = CustomConfig(registry=registry.host, username="mona", password=password)
    return _read_from(Custom(config, world.make_context(registry.host)), registry, password)


async def _digitalocean(world: World) -> Harness:
    registry = await world.registry("bearer")
    vendor = SandboxDigitalOcean(world.clock, registry, name="acme", api_token=CANARY)
    await world.stack.enter_async_context(vendor)
    token = world.keep("api-token", CANARY)
    config = DigitalOceanConfig.model_validate(
        {
            "registry": registry.host,
            "registry_name": "acme",
            "api_token": token,
            "api_url": vendor.url,
            "insecure": True,
        }
    )
    provider = DigitalOcean(config, world.make_context(registry.host))
    return Harness(provider, registry, Path(token["file"]), vendor.stop)


HARNESSES: dict[str, Build] = {
    "acr": _acr,
    "acr_token": partial(_acr_slots, token=TOKEN),
    "acr_token:admin": partial(_acr_slots, admin_user=True, max_age="30d"),
    "custom": _custom,
    "digitalocean": _digitalocean,
    "dockerhub": _dockerhub,
    "dockerhub_token": _dockerhub_token,
    "ecr": _ecr,
    "ecr_public": _ecr_public,
    "gar": _gar,
    "ghcr": _ghcr,
    "gitlab": _gitlab,
    "gitlab:access": _gitlab_access,
    "gitlab:read": _gitlab_read,
    "harbor": _harbor,
    "jfrog": _jfrog,
    "jfrog_token": _jfrog_token,
    "quay": _quay,
    "quay:regenerate": _quay_regenerate,
}
"""One row per provider; further ways of one have rows of their own, ``name:way``."""

ENDING = (
    "acr_token",
    "acr_token:admin",
    "dockerhub_token",
    "gitlab",
    "gitlab:access",
    "harbor",
    "jfrog_token",
    "quay:regenerate",
)
"""Rows whose versions do not die by themselves, and can be ended."""

SILENT = ("dockerhub_token",)
"""Of these, rows whose vendor tells nothing about a login that it is shown."""

CHOOSING = ("harbor",)
"""Rows that choose the secret themselves."""

LISTING = ("dockerhub_token", "gitlab", "gitlab:access", "jfrog_token")
"""Rows whose vendor keeps a list of what was made."""


@pytest.fixture(params=sorted({*HARNESSES, *PROVIDERS}))
async def harness(
    request: pytest.FixtureRequest,
    clock: Clock,
    make_context: MakeContext,
    access_key: dict[str, dict[str, str]],
    keep: Callable[[str, str], dict[str, str]],
    vendors: Any,
) -> AsyncIterator[Harness]:
    """Return each registered provider in its world; a row of the table without a harness fails here."""
    async with AsyncExitStack() as stack:
        world = World(clock, make_context, access_key, keep, vendors, stack)
        built = await HARNESSES[request.param](world)
        built.name = request.param
        yield built


def some_of(rows: Sequence[str]) -> pytest.MarkDecorator:
    """Return what keeps a fact to a few rows."""
    return pytest.mark.parametrize("harness", sorted(rows), indirect=True)


def order_after(*issued: Issued, rotation: str = "20261123T120000.000000Z-0001", credential: str = "apps") -> Order:
    """Return an order for a credential whose versions are ``issued``: the last is in use, the rest await their end."""
    logins = [one.login for one in issued]
    stages = [*[Stage.PREVIOUS] * (len(issued) - 1), Stage.CURRENT]
    live = [
        Version(
            credential,
            number,
            stage,
            f"print-{number}",
            one.login.username,
            one.issued_at,
            one.expiry,
            handle=one.handle,
        )
        for number, (one, stage) in enumerate(zip(issued, stages, strict=False), 1)
    ]
    return Order(credential, rotation, "0a1b2c3d", live[::-1], logins.__contains__)


def works(harness: Harness, issued: Issued) -> bool:
    """Return whether the registry takes ``issued``."""
    return harness.registry.accepts(issued.login.username, issued.login.secret.reveal())


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_each_row_names_a_class_with_its_options(name: str) -> None:
    """Each row of the table loads, and its options carry its name."""
    module, _, attribute = PROVIDERS[name].partition(":")
    config = getattr(importlib.import_module(module), attribute).Config
    assert issubclass(config, CredentialConfig)
    assert config.model_fields["provider"].default == name


@pytest.mark.parametrize("name", sorted(PROVIDERS))
def test_every_option_is_explained(name: str) -> None:
    """Each option that a provider adds has a description for the configuration's schema."""
    module, _, attribute = PROVIDERS[name].partition(":")
    fields = getattr(importlib.import_module(module), attribute).Config.model_fields
    plain = {"provider", "registry"}
    assert [option for option, field in fields.items() if not field.description and option not in plain] == []


async def test_an_issued_login_works(harness: Harness) -> None:
    """The registry accepts what the provider issued, and the provider's own probe finds so."""
    issued = await harness.provider.issue(Order())
    assert harness.registry.accepts(issued.login.username, issued.login.secret.reveal())
    finding = await harness.provider.probe(issued.login)
    assert finding.verdict is Verdict.ACCEPTED
    assert finding.subject == harness.registry.host


async def test_a_wrong_login_is_found_out(harness: Harness) -> None:
    """The probe of a login that the registry does not know is a refusal, not an error."""
    finding = await harness.provider.probe(Login("mona", Secret("wrong")))
    assert finding.verdict is Verdict.REJECTED


async def test_a_probe_without_a_registry_cannot_tell(harness: Harness) -> None:
    """When the registry is gone, the probe says nothing about the login."""
    issued = await harness.provider.issue(Order())
    await harness.registry.stop()
    assert (await harness.provider.probe(issued.login)).verdict is Verdict.CANNOT_TELL


async def test_issuing_again_is_safe(harness: Harness) -> None:
    """A second issue gives an equal or a new login, and the first still works."""
    first = await harness.provider.issue(order_after())
    second = await harness.provider.issue(order_after(first))
    assert works(harness, first)
    assert works(harness, second)


async def test_expiries_are_told_without_raising(harness: Harness) -> None:
    """Whatever is asked about a login, the answer is an expiry."""
    await harness.provider.issue(Order())
    for secret in ("", "wrong\r\nX-Injected: 1", "\x00", "é", "x" * 100_000):
        assert isinstance(await harness.provider.inspect(Login("mona", Secret(secret))), Inspection)


async def test_identity_and_strategy_hold_still(harness: Harness) -> None:
    """Identity and strategy are the same before and after issuing, and hold no secret."""
    before = (harness.provider.identity, harness.provider.strategy)
    issued = await harness.provider.issue(Order())
    assert (harness.provider.identity, harness.provider.strategy) == before
    assert issued.login.secret.reveal() not in before[0]
    assert CANARY not in before[0]


async def test_revision_matches_what_is_issued(harness: Harness) -> None:
    """A provider that reads a source tells the same revision cheaply; one without a source tells none."""
    issued = await harness.provider.issue(Order())
    assert await harness.provider.revision() == issued.revision
    assert (issued.revision is not None) == (harness.provider.strategy is Strategy.READ)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        pytest.param(os.unlink, NotFoundError, id="gone"),
        pytest.param(lambda path: path.chmod(0o644), PermissionDeniedError, id="forbidden"),
    ],
)
async def test_a_source_without_the_secret_is_the_sources_error(
    harness: Harness, spoil: Callable[[Any], None], expected: type[RotatorError]
) -> None:
    """What the source says about a missing or forbidden secret reaches the caller as it is."""
    spoil(harness.secret_file)
    with pytest.raises(expected):
        await harness.provider.issue(Order())


async def test_an_unreachable_vendor_is_unavailable(harness: Harness) -> None:
    """A vendor that cannot be reached is a reason to wait, with the cause named."""
    await harness.stop_vendor()
    with pytest.raises(UnavailableError) as caught:
        await harness.provider.issue(Order())
    assert caught.value.cause in {"refused", "protocol"}


async def test_no_error_and_no_line_holds_the_secret(harness: Harness, caplog: pytest.LogCaptureFixture) -> None:
    """Neither our own log lines nor any error text, its causes included, hold the secret."""
    caplog.set_level(logging.DEBUG, logger="rotator")
    issued = await harness.provider.issue(Order())
    await harness.provider.probe(issued.login)
    texts = [repr(issued), repr(await harness.provider.inspect(issued.login)), repr(harness.provider)]
    texts.append(await _failure(harness.provider))
    await harness.stop_vendor()
    texts.append(await _failure(harness.provider))
    texts += [record.getMessage() for record in caplog.records if record.name.startswith("rotator")]
    leaks = [text for text in texts if CANARY in text or issued.login.secret.reveal() in text]
    assert leaks == []


async def _failure(provider: Provider) -> str:
    """Return everything that a failing issue says, or nothing when it succeeds."""
    try:
        await provider.issue(Order())
    except RotatorError as error:
        return "".join(traceback.format_exception(error))
    return ""


async def test_what_lives_on_can_be_ended(harness: Harness) -> None:
    """Whoever leaves working versions behind at a vendor can end them, and find those that nobody noted."""
    strategy = harness.provider.strategy
    assert (harness.name in ENDING) == (strategy in {Strategy.CREATE_RETIRE, Strategy.TWO_SLOT})
    assert isinstance(harness.provider, Retires) or harness.name not in ENDING
    assert (harness.name in LISTING) == (strategy is Strategy.CREATE_RETIRE)
    assert isinstance(harness.provider, ListsMade) or harness.name not in LISTING


@some_of(ENDING)
async def test_an_ended_version_is_refused_and_the_others_work(harness: Harness) -> None:
    """Ending a version, twice too, has the registry refuse it, and leaves the one in use alone."""
    assert isinstance(harness.provider, Retires)
    old = await harness.provider.issue(order_after())
    new = await harness.provider.issue(order_after(old))
    for _ in range(2):
        assert await harness.provider.retire(old.handle, old.login) is Retirement.ENDED
    assert (await harness.provider.probe(old.login)).verdict is Verdict.REJECTED
    assert works(harness, new)


@some_of(ENDING)
async def test_ending_what_was_overtaken_touches_no_newer_version(harness: Harness) -> None:
    """A version ends late, when what it was kept in may hold a newer one: that works on."""
    assert isinstance(harness.provider, Retires)
    first = await harness.provider.issue(order_after())
    second = await harness.provider.issue(order_after(first))
    third = await harness.provider.issue(order_after(first, second))
    assert await harness.provider.retire(first.handle, first.login) is Retirement.ENDED
    assert not works(harness, first)
    assert works(harness, second)
    assert works(harness, third)


@some_of(ENDING)
async def test_a_version_is_named_and_known(harness: Harness) -> None:
    """A version that must be ended one day has a handle; what its vendor tells of it later is what it told first."""
    issued = await harness.provider.issue(order_after())
    assert issued.handle
    assert issued.scopes
    assert issued.principal
    found = await harness.provider.inspect(issued.login)
    if harness.name in SILENT:
        assert found == NOTHING_KNOWN
        return
    assert (found.expiry, found.scopes, found.principal) == (issued.expiry, issued.scopes, issued.principal)


@some_of(ENDING)
async def test_an_unreachable_vendor_ends_nothing(harness: Harness) -> None:
    """Where nobody answers, nothing counts as ended."""
    assert isinstance(harness.provider, Retires)
    old = await harness.provider.issue(order_after())
    await harness.provider.issue(order_after(old))
    await harness.stop_vendor()
    with pytest.raises(UnavailableError):
        await harness.provider.retire(old.handle, old.login)


@some_of(ENDING)
async def test_a_lost_answer_is_unavailable_and_made_good(harness: Harness) -> None:
    """A vendor that hung up instead of answering is a reason to wait; the next try works, as does what is in use."""
    old = await harness.provider.issue(order_after())
    harness.lose_answer()
    with pytest.raises(UnavailableError):
        await harness.provider.issue(order_after(old))
    assert works(harness, old)
    assert works(harness, await harness.provider.issue(order_after(old)))
    assert works(harness, old)


@some_of(CHOOSING)
async def test_a_chosen_secret_is_kept_before_it_is_in_force(harness: Harness) -> None:
    """Whoever chooses the secret has it kept before the vendor is told; it is the very one that is handed over."""
    kept = []

    async def keep(issued: Issued) -> None:
        assert not works(harness, issued)
        kept.append(issued)

    harness.lose_answer()
    with pytest.raises(UnavailableError):
        await harness.provider.issue(replace(order_after(), keep=keep))
    assert works(harness, kept[0])
    issued = await harness.provider.issue(replace(order_after(), keep=keep))
    assert kept[1:] == [issued]


@some_of(LISTING)
async def test_an_orphan_is_found_and_ended(harness: Harness) -> None:
    """What a lost answer left at the vendor is listed under the rotation that made it, until it is ended."""
    assert isinstance(harness.provider, ListsMade)
    assert isinstance(harness.provider, Retires)
    old = await harness.provider.issue(order_after(rotation="1-first"))
    harness.lose_answer()
    with pytest.raises(UnavailableError):
        await harness.provider.issue(order_after(old, rotation="2-lost"))
    made = await harness.provider.made(order_after(old, rotation="3-now"))
    assert {one.rotation for one in made} == {"1-first", "2-lost"}
    assert [one.handle for one in made if one.rotation == "1-first"] == [old.handle]
    orphan = next(one.handle for one in made if one.rotation == "2-lost")
    for _ in range(2):
        assert await harness.provider.retire(orphan, None) is Retirement.ENDED
    assert [one.handle for one in await harness.provider.made(order_after(old))] == [old.handle]
    assert works(harness, old)


@some_of(LISTING)
async def test_only_what_is_ours_is_listed(harness: Harness) -> None:
    """What another credential or another installation made is not in the list."""
    assert isinstance(harness.provider, ListsMade)
    await harness.provider.issue(order_after())
    assert await harness.provider.made(order_after(credential="others")) == []
    assert await harness.provider.made(replace(order_after(), installation="ffffffff")) == []
