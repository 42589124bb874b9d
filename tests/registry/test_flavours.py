"""Every vendor's dialect, as its flavour of the sandbox speaks it, is understood by the real client."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from typing import Any

import pytest

from rotator.domain.model import Login
from rotator.domain.reference import Reference, parse
from rotator.domain.verdict import Finding, Verdict
from rotator.ports import Clock
from rotator.registry.advice import vendor_of
from rotator.registry.answer import Answer
from rotator.registry.classify import classify
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.registry.diagnose import Ailment, Detail, Diagnosis, Vendor, diagnose
from rotator.registry.verify import RegistryVerifier, auth_probe
from rotator.sandbox.flavour import Flavour, Reply
from rotator.sandbox.flavours import FLAVOURS
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.scene import IMAGE, MISSING_REPOSITORY, MISSING_TAG, PUBLIC_IMAGE, USER, Shown, arrange
from rotator.secret import Secret
from rotator.transport import Transport

OK, FAILED, EXPIRED, LACKS = Ailment.OK, Ailment.AUTH_FAILED, Ailment.AUTH_EXPIRED, Ailment.INSUFFICIENT_SCOPE
HIDDEN, MISSING, LOGIN = Ailment.NO_ACCESS_OR_NOT_FOUND, Ailment.NOT_FOUND, Ailment.AUTH_MISSING
TAG, REPOSITORY, ANY = Detail.TAG, Detail.REPOSITORY, Detail.NONE
Open = Callable[..., Awaitable["World"]]
NAME = attrgetter("name")

VENDORS = {
    "acr": Vendor.ACR,
    "dockerhub": Vendor.DOCKER_HUB,
    "ecr": Vendor.ECR,
    "ecr-public": Vendor.ECR_PUBLIC,
    "gar": Vendor.GOOGLE,
    "ghcr": Vendor.GHCR,
    "gitlab": Vendor.GITLAB,
    "harbor": Vendor.HARBOR,
    "quay": Vendor.QUAY,
}
# Per vendor, what its documents say of: a good login, a wrong, an expired and a narrow one, none at all (each about a
# private image), and of a tag and a repository that do not exist (with a good login).
REFUSED = ((OK, ANY), (FAILED, ANY), (FAILED, ANY))
DIAGNOSES: dict[str, tuple[tuple[Ailment, Detail], ...]] = {
    "acr": (*REFUSED, (LACKS, ANY), (LOGIN, ANY), (MISSING, TAG), (MISSING, REPOSITORY)),
    "dockerhub": (*REFUSED, (HIDDEN, ANY), (LOGIN, ANY), (MISSING, TAG), (HIDDEN, ANY)),
    "ecr": (
        (OK, ANY),
        (FAILED, ANY),
        (EXPIRED, ANY),
        (LACKS, ANY),
        (LOGIN, ANY),
        (MISSING, TAG),
        (MISSING, REPOSITORY),
    ),
    # All that ECR Public has is public: a narrow login pulls it, and so does none.
    "ecr-public": ((OK, ANY), *[(EXPIRED, ANY)] * 2, (OK, ANY), (OK, ANY), (MISSING, TAG), (MISSING, REPOSITORY)),
    "gar": (*REFUSED, (HIDDEN, ANY), (LOGIN, ANY), (MISSING, TAG), (HIDDEN, ANY)),
    "ghcr": (*REFUSED, (HIDDEN, ANY), (LOGIN, ANY), (MISSING, TAG), (HIDDEN, ANY)),
    "gitlab": (*REFUSED, (HIDDEN, ANY), (LOGIN, ANY), (MISSING, TAG), (HIDDEN, ANY)),
    # A manifest alone does not tell a wrong login at Harbor; the probe of the login alone does.
    "harbor": ((OK, ANY), *[(HIDDEN, ANY)] * 3, (LOGIN, ANY), (MISSING, ANY), (MISSING, ANY)),
    "quay": (*REFUSED, (HIDDEN, ANY), (LOGIN, ANY), (MISSING, TAG), (HIDDEN, ANY)),
}
CASES: tuple[tuple[str, Shown | None, str], ...] = (
    ("good", Shown.GOOD, IMAGE),
    ("wrong", Shown.WRONG, IMAGE),
    ("expired", Shown.EXPIRED, IMAGE),
    ("narrow", Shown.NARROW, IMAGE),
    ("none", None, IMAGE),
    ("no-tag", Shown.GOOD, MISSING_TAG),
    ("no-repository", Shown.GOOD, MISSING_REPOSITORY),
)


def login(shown: Shown) -> Login:
    """Return the login of the sandbox."""
    return Login(USER, Secret(shown.password))


@dataclass(frozen=True, slots=True)
class World:
    """A registry that answers to its vendor's own host name, by way of a proxy that it is itself."""

    registry: SandboxRegistry
    client: RegistryClient

    @property
    def vendor(self) -> Vendor:
        """Whose registry the client takes it for."""
        return vendor_of(self.client.host)

    def reference(self, image: str) -> Reference:
        """Return ``image`` at this registry."""
        return parse(f"{self.client.host}/{image}")

    async def ask(self, shown: Shown | None, image: str = IMAGE) -> Answer:
        """Return the answer about ``image`` to a login."""
        conversation = self.client.open(None if shown is None else login(shown))
        return await conversation.head_manifest(self.reference(image))

    async def diagnosis(self, shown: Shown | None, image: str = IMAGE) -> Diagnosis:
        """Return what that answer means."""
        return diagnose(await self.ask(shown, image), self.vendor)


class AnyProvider:
    """A provider that has no better way to ask than the registry itself."""

    def __init__(self, client: RegistryClient) -> None:
        self._client = client

    async def probe(self, login: Login) -> Finding:
        """Ask the registry."""
        return await auth_probe(self._client, login)


@pytest.fixture
async def opened(clock: Clock, transport: Transport) -> AsyncIterator[Open]:
    """Return what starts a registry of a flavour."""
    started: list[SandboxRegistry] = []

    async def start(flavour: Flavour, *, rate_limit: int | None = None) -> World:
        registry = await arrange(flavour, clock, rate_limit=rate_limit).start()
        started.append(registry)
        token_hosts = (f"{flavour.token_host}:80",) if flavour.token_host else ()
        settings = RegistrySettings(insecure=True, proxy=registry.url, realm_hosts=token_hosts, deadline=5)
        return World(registry, RegistryClient(transport, host=flavour.host, settings=settings))

    yield start
    for registry in started:
        await registry.stop()


@pytest.mark.parametrize("case", [pytest.param(number, id=case[0]) for number, case in enumerate(CASES)])
@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
async def test_documented_diagnosis(opened: Open, flavour: Flavour, case: int) -> None:
    """Each vendor's answer to each login and about each image is diagnosed as its documents have it."""
    world = await opened(flavour)
    _, shown, image = CASES[case]
    found = await world.diagnosis(shown, image)
    assert (found.ailment, found.detail) == DIAGNOSES[flavour.name][case], found
    assert world.vendor is VENDORS[flavour.name]
    assert bool(found.advice) == (found.ailment is not OK)


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
async def test_auth_probe_tells_logins_apart(opened: Open, flavour: Flavour) -> None:
    """Asked about the login alone, every vendor takes a good and a narrow one, and refuses a wrong and an expired one.

    ECR's 400 to what is no password of its own has no words: that is not enough to give a login up.
    """
    world = await opened(flavour)
    verdicts = [classify(await world.client.auth_probe(login(shown)))[0] for shown in Shown]
    wrong = Verdict.CANNOT_TELL if flavour.name == "ecr" else Verdict.REJECTED
    assert verdicts == [Verdict.ACCEPTED, wrong, Verdict.REJECTED, Verdict.ACCEPTED]


_IMAGE_VERDICTS = {
    OK: Verdict.ACCEPTED, LACKS: Verdict.NO_ACCESS, HIDDEN: Verdict.NO_ACCESS, MISSING: Verdict.MISSING,
}  # fmt: skip


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
async def test_verification_says_what_the_documents_say(opened: Open, flavour: Flavour) -> None:
    """A verification finds a login as the vendor does; of a refused one no image is asked for."""
    world = await opened(flavour)
    provider: Any = AnyProvider(world.client)
    verifier = RegistryVerifier(lambda _: world.client)
    images = [str(world.reference(image)) for image in (IMAGE, MISSING_TAG, MISSING_REPOSITORY)]
    documented = DIAGNOSES[flavour.name]

    good = await verifier.verify(provider, login(Shown.GOOD), images)
    expired = await verifier.verify(provider, login(Shown.EXPIRED), images)
    narrow = await verifier.verify(provider, login(Shown.NARROW), images[:1])

    assert good.auth.verdict is Verdict.ACCEPTED
    expected = [documented[number][0] for number in (0, 5, 6)]
    assert [found.verdict for found in good.images] == [_IMAGE_VERDICTS[ailment] for ailment in expected]
    assert expired.auth.verdict is Verdict.REJECTED
    assert {found.verdict for found in expired.images} == {Verdict.CANNOT_TELL}
    assert narrow.auth.verdict is Verdict.ACCEPTED
    assert narrow.images[0].verdict is _IMAGE_VERDICTS[documented[3][0]]


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
async def test_nothing_of_a_password_is_said(opened: Open, flavour: Flavour) -> None:
    """Whatever the login and the vendor, no diagnosis quotes a password."""
    world = await opened(flavour)
    for shown in Shown:
        answer = await world.ask(shown)
        said = f"{diagnose(answer, world.vendor)} {answer.excerpt}"
        assert shown.password not in said


@pytest.mark.parametrize(
    "flavour", [one for one in FLAVOURS.values() if one.scheme == "bearer"], ids=lambda one: one.name
)
async def test_public_image_needs_no_login(opened: Open, flavour: Flavour) -> None:
    """What is public pulls without a login."""
    world = await opened(flavour)
    assert (await world.diagnosis(None, PUBLIC_IMAGE)).ailment is OK


async def test_stale_login_may_block_public_images(opened: Open) -> None:
    """At GHCR and ECR Public a login that is over blocks what is public, and is worse than none; not so at Harbor."""
    found = {}
    for name in ("ghcr", "ecr-public", "harbor"):
        world = await opened(FLAVOURS[name])
        found[name] = (await world.diagnosis(Shown.EXPIRED, PUBLIC_IMAGE)).ailment
    assert found == {"ghcr": FAILED, "ecr-public": EXPIRED, "harbor": OK}


async def test_placeholder_scope_is_not_asked_for(opened: Open) -> None:
    """GHCR's challenge names a scope that is a placeholder; the client asks for the image's own."""
    world = await opened(FLAVOURS["ghcr"])
    assert (await world.ask(Shown.GOOD)).status == 200
    queries = [asked.query for asked in world.registry.asked if asked.path == "/token"]
    assert queries == ["service=ghcr.io&scope=repository%3Ateam%2Fapp%3Apull"]


async def test_head_is_free_at_docker_hub(opened: Open) -> None:
    """At Docker Hub a HEAD tells what is left and counts for nothing; a GET counts, and is refused when nothing is."""
    world = await opened(FLAVOURS["dockerhub"], rate_limit=1)
    conversation, reference = world.client.open(login(Shown.GOOD)), world.reference(IMAGE)
    answers = [await conversation.head_manifest(reference), await conversation.head_manifest(reference)]
    answers += [await conversation.get_manifest(reference), await conversation.get_manifest(reference)]
    answers += [await conversation.head_manifest(reference)]
    seen = [(answer.status, answer.limits["ratelimit-remaining"].partition(";")[0]) for answer in answers]
    assert seen == [(200, "1"), (200, "1"), (200, "0"), (429, "0"), (200, "0")]
    found = diagnose(answers[3], world.vendor)
    assert (found.ailment, found.detail) == (Ailment.RATE_LIMITED, Detail.PULL_LIMIT)


@pytest.mark.parametrize(
    "flavour", [one for one in FLAVOURS.values() if one.name != "dockerhub"], ids=lambda one: one.name
)
async def test_limit_is_not_the_logins_fault(opened: Open, flavour: Flavour) -> None:
    """Where a limit ends in a refusal, no vendor's words make it one of the login; none tells what is left."""
    world = await opened(flavour, rate_limit=1)
    first, over = await world.ask(Shown.GOOD), await world.ask(Shown.GOOD)
    assert (first.status, first.limits) == (200, {})
    assert diagnose(over, world.vendor).ailment is Ailment.RATE_LIMITED
    assert classify(over)[0] is Verdict.CANNOT_TELL


@pytest.mark.parametrize(
    ("name", "detail", "failures", "lasts"),
    [
        pytest.param("gitlab", Detail.BAN, 30, timedelta(hours=1), id="gitlab"),
        pytest.param("dockerhub", Detail.LOGIN_LOCKOUT, 10, timedelta(minutes=10), id="dockerhub"),
    ],
)
async def test_ban_hits_the_good_login_and_ends(
    opened: Open, advance: Callable[[timedelta], None], name: str, detail: Detail, failures: int, lasts: timedelta
) -> None:
    """After so many wrong logins the good one is refused too: that is a limit, not a wrong login, and ends."""
    world = await opened(FLAVOURS[name])
    for _ in range(failures):
        assert (await world.diagnosis(Shown.WRONG)).ailment is FAILED
    banned = await world.diagnosis(Shown.GOOD)
    assert (banned.ailment, banned.detail) == (Ailment.RATE_LIMITED, detail)
    assert classify(await world.ask(Shown.GOOD))[0] is Verdict.CANNOT_TELL
    advance(lasts)
    assert (await world.diagnosis(Shown.GOOD)).ailment is OK


async def test_good_login_makes_up_for_wrong_ones(opened: Open, advance: Callable[[timedelta], None]) -> None:
    """GitLab counts wrong logins in a row and of three minutes: a good one, or time, is a fresh start."""
    world = await opened(FLAVOURS["gitlab"])
    for _ in range(29):
        await world.ask(Shown.WRONG)
    assert (await world.diagnosis(Shown.GOOD)).ailment is OK
    for _ in range(29):
        await world.ask(Shown.WRONG)
    advance(timedelta(minutes=3))
    await world.ask(Shown.WRONG)
    assert (await world.diagnosis(Shown.GOOD)).ailment is OK


async def test_stale_token_at_ecr_public_has_no_challenge(opened: Open, advance: Callable[[timedelta], None]) -> None:
    """A bearer token that expired within a conversation is a 400 there, which is about the token and not the login."""
    world = await opened(FLAVOURS["ecr-public"])
    conversation, reference = world.client.open(login(Shown.GOOD)), world.reference(IMAGE)
    assert (await conversation.head_manifest(reference)).status == 200
    advance(timedelta(hours=1))
    stale = await conversation.head_manifest(reference)
    assert (stale.status, stale.challenges) == (400, ())


def replies(flavour: Flavour) -> list[Reply]:
    """Return every refusal of a flavour."""
    fields = [getattr(flavour, name) for name in Flavour.__slots__]
    return [one for one in (*fields, flavour.ban.reply if flavour.ban else None) if isinstance(one, Reply)]


@pytest.mark.parametrize("flavour", FLAVOURS.values(), ids=FLAVOURS)
def test_every_refusal_has_a_source(flavour: Flavour) -> None:
    """No refusal is made up silently: each says where it was documented or seen, and when that was read."""
    assert [reply.message for reply in replies(flavour) if not reply.source] == []
    assert sum("read 2026" in reply.source for reply in replies(flavour)) >= 5
