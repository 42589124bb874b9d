"""The last act of the demo: registries that answer as the vendors' do, and what is told from their answers."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.demo.narrator import Narrator
from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.ports import Clock
from rotator.registry.advice import Ailment, vendor_of
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.registry.diagnose import Diagnosis, diagnose
from rotator.sandbox.flavour import Flavour
from rotator.sandbox.flavours import FLAVOURS
from rotator.sandbox.scene import IMAGE, MISSING_TAG, USER, Shown, arrange
from rotator.secret import Secret
from rotator.transport import Transport


@dataclass(frozen=True, slots=True)
class Case:
    """One image that does not pull.

    Args:
        trouble: What is the matter, in words.
        flavour: Whose registry it is at.
        shown: The login.
        image: The image, without the registry.
        ailment: What has to be found.
        rate_limit: Pulls that are left; None for no limit.
    """

    trouble: str
    flavour: Flavour
    shown: Shown
    image: str
    ailment: Ailment
    rate_limit: int | None = None


CASES = (
    Case("the login is wrong", FLAVOURS["ghcr"], Shown.WRONG, IMAGE, Ailment.AUTH_FAILED),
    Case("the login has expired", FLAVOURS["ecr"], Shown.EXPIRED, IMAGE, Ailment.AUTH_EXPIRED),
    Case("the login lacks the right", FLAVOURS["acr"], Shown.NARROW, IMAGE, Ailment.INSUFFICIENT_SCOPE),
    Case("the tag does not exist", FLAVOURS["quay"], Shown.GOOD, MISSING_TAG, Ailment.NOT_FOUND),
    Case("the pull limit is used up", FLAVOURS["dockerhub"], Shown.GOOD, IMAGE, Ailment.RATE_LIMITED, rate_limit=0),
)


async def play(narrator: Narrator, clock: Clock) -> bool:
    """Pull each image in vain and say what is found; return whether each trouble was told from the others.

    Nothing leaves this machine: the sandbox registries are asked by their vendors' names through a proxy that each
    of them is itself.
    """
    narrator.chapter("Why an image does not pull: asked by the vendors' names, answered by the sandbox as they would")
    transport = Transport(clock=clock)
    try:
        return all([await _play(case, narrator, transport, clock) for case in CASES])
    finally:
        await transport.close()


async def _play(case: Case, narrator: Narrator, transport: Transport, clock: Clock) -> bool:
    found = await _pull(case, transport, clock)
    is_right = found.ailment is case.ailment
    narrator.say(f"{case.flavour.host}/{case.image}: {case.trouble}")
    narrator.say(f"   found: {found.ailment.value} ({found.evidence})")
    narrator.say(f"   advice: {found.advice}" if is_right else f"   WRONG: {case.ailment.value} was expected")
    return is_right


async def _pull(case: Case, transport: Transport, clock: Clock) -> Diagnosis:
    async with arrange(case.flavour, clock, rate_limit=case.rate_limit) as registry:
        token_hosts = (f"{case.flavour.token_host}:80",) if case.flavour.token_host else ()
        settings = RegistrySettings(insecure=True, proxy=registry.url, realm_hosts=token_hosts)
        client = RegistryClient(transport, host=case.flavour.host, settings=settings)
        conversation = client.open(Login(USER, Secret(case.shown.password)))
        answer = await conversation.get_manifest(parse(f"{case.flavour.host}/{case.image}"))
        return diagnose(answer, vendor_of(client.host))
