"""A verification finds out what a login can do, and never blames it for what is not its fault."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from aiohttp import web

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import Issued, Login, Strategy
from rotator.domain.verdict import Finding, Verdict, Verification
from rotator.errors import RateLimitedError, RotatorError, UnsupportedError
from rotator.ports import Clock, Order, Verifier
from rotator.registry.client import RegistryClient
from rotator.registry.verify import RegistryVerifier, auth_probe
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault, SandboxServer
from rotator.secret import Secret

ClientOf = Callable[[SandboxServer], RegistryClient]
ACCEPTED, REJECTED, NO_ACCESS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.NO_ACCESS
MISSING, CANNOT_TELL = Verdict.MISSING, Verdict.CANNOT_TELL


@dataclass
class GenericVendor:
    """A provider that knows nothing of its own and uses the generic probe, or answers as told."""

    client: RegistryClient
    answer: Finding | RotatorError | None = None
    probes: list[Login] = field(default_factory=list)

    strategy = Strategy.READ
    identity = "generic"

    async def issue(self, order: Order) -> Issued:
        """Refuse."""
        del order
        raise UnsupportedError("no")

    async def revision(self) -> str | None:
        """Know nothing."""
        return None

    async def inspect(self, login: Login) -> Inspection:
        """Know nothing."""
        del login
        return NOTHING_KNOWN

    async def probe(self, login: Login) -> Finding:
        """Answer as told, else ask the registry."""
        self.probes.append(login)
        if isinstance(self.answer, RotatorError):
            raise self.answer
        return self.answer or await auth_probe(self.client, login)


async def verify(
    client: RegistryClient, login: Login, *images: str, answer: Finding | RotatorError | None = None
) -> Verification:
    """Verify ``login`` for ``images`` (``path:tag``) of the client's registry."""
    verifier: Verifier = RegistryVerifier(lambda _: client)
    return await verifier.verify(GenericVendor(client, answer), login, [f"{client.host}/{image}" for image in images])


def verdicts(verification: Verification) -> list[Verdict]:
    """Return the verdict about the login and those about the images."""
    return [verification.auth.verdict, *(finding.verdict for finding in verification.images)]


async def test_each_image_has_its_own_verdict(either: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """Pulled, missing tag, missing repository and not granted are told apart, in the order of the configuration."""
    images = ["team/app:1.0", "team/app:9", "team/none:1", "other/app:1.0"]
    verification = await verify(client_of(either), login, *images)
    assert verdicts(verification) == [ACCEPTED, ACCEPTED, MISSING, MISSING, NO_ACCESS]
    assert [finding.subject for finding in verification.images] == [f"{either.host}/{image}" for image in images]
    assert verification.auth.subject == either.host


async def test_wrong_login_spares_the_images(either: SandboxRegistry, client_of: ClientOf) -> None:
    """A refused login is rejected after one try, also where an image is public."""
    verification = await verify(client_of(either), Login("AWS", Secret("wrong-one")), "open/app:1.0", "team/app:1.0")
    assert verdicts(verification) == [REJECTED, CANNOT_TELL, CANNOT_TELL]
    assert verification.verdict is REJECTED
    assert sum(bool(asked.credential) for asked in either.asked) == 1


async def test_expired_login_is_rejected(
    either: SandboxRegistry, client_of: ClientOf, login: Login, clock: Clock
) -> None:
    """An expired password is rejected in both modes, although one of them answers a plain 403."""
    either.add_login(login.username, login.secret.reveal(), expires_at=clock.now())
    assert (await verify(client_of(either), login)).auth.verdict is REJECTED


async def test_no_pull_is_spent(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A verification that finds everything well fetches no manifest by GET."""
    assert (await verify(client_of(hub), login, "team/app:1.0", "open/app:1.0")).verdict is ACCEPTED
    assert [asked.path for asked in hub.asked if asked.method == "GET" and "manifests" in asked.path] == []


@pytest.mark.parametrize("path", ["/v2/", "/token", "/v2/team/"])
@pytest.mark.parametrize("status", [429, 500, 502, 503])
async def test_outage_never_rejects(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, path: str, status: int
) -> None:
    """Whichever server answers 429 or 5xx, nothing can be told, and the wish to wait is passed on."""
    hub.fail(status, path=path, headers={"Retry-After": "42"}, body="denied: authorization token has expired")
    verification = await verify(client_of(hub), login, "team/app:1.0")
    findings = [verification.auth, *verification.images]
    assert {finding.verdict for finding in findings} <= {ACCEPTED, CANNOT_TELL}
    assert verification.verdict is CANNOT_TELL
    assert 42.0 in [finding.retry_after for finding in findings]


@pytest.mark.parametrize("status", [200, 302, 401, 403, 404, 500])
@pytest.mark.parametrize("path", ["/v2/", "/token", "/v2/team/"])
async def test_portal_never_rejects(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, path: str, status: int
) -> None:
    """A web page instead of a registry's answer, with whatever status, says nothing."""
    page = "<html>Your session is denied; sign in</html>"
    hub.faults.append(
        Fault(
            lambda request: request.path.startswith(path),
            lambda _: web.Response(status=status, text=page, content_type="text/html"),
        )
    )
    verification = await verify(client_of(hub), login, "team/app:1.0")
    assert set(verdicts(verification)) <= {ACCEPTED, CANNOT_TELL}
    assert verification.verdict is CANNOT_TELL


async def test_stopped_registry_never_rejects(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A registry that is down says nothing about the login."""
    client = client_of(hub)
    await hub.stop()
    assert verdicts(await verify(client, login, "team/app:1.0")) == [CANNOT_TELL, CANNOT_TELL]


async def test_foreign_token_server_cannot_tell(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """A token server that is not allowed is not the login's fault, and the evidence holds the line to configure."""
    hub.fail(401, path="/v2/", headers={"WWW-Authenticate": 'Bearer realm="https://evil.example/token"'})
    verification = await verify(client_of(hub), login, "team/app:1.0")
    assert verdicts(verification) == [CANNOT_TELL, CANNOT_TELL]
    assert 'realm_hosts: ["evil.example"]' in verification.auth.evidence


async def test_login_is_not_shown_to_another_registry(
    hub: SandboxRegistry, ecr: SandboxRegistry, client_of: ClientOf, login: Login
) -> None:
    """An image of another registry is not asked for: its registry must not see this login."""
    client = client_of(hub)
    images = [f"{ecr.host}/team/app:1.0", "nginx", "not a reference"]
    verification = await RegistryVerifier(lambda _: client).verify(GenericVendor(client), login, images)
    assert verdicts(verification) == [ACCEPTED, CANNOT_TELL, CANNOT_TELL, CANNOT_TELL]
    assert list(ecr.asked) == []


async def test_vendors_wish_to_wait_spares_the_images(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """When the vendor's probe asks to slow down, no image is asked for."""
    error = RateLimitedError("slow", retry_after=timedelta(seconds=9))
    verification = await verify(client_of(hub), login, "team/app:1.0", answer=error)
    assert verdicts(verification) == [CANNOT_TELL, CANNOT_TELL]
    assert verification.auth.retry_after == 9.0
    assert list(hub.asked) == []


async def test_vendor_that_cannot_tell_leaves_it_to_the_images(
    hub: SandboxRegistry, client_of: ClientOf, login: Login
) -> None:
    """When the vendor's probe cannot tell, the images are asked for all the same."""
    for answer in (Finding("x", CANNOT_TELL, "no probe"), UnsupportedError("no probe")):
        assert verdicts(await verify(client_of(hub), login, "team/app:1.0", answer=answer)) == [CANNOT_TELL, ACCEPTED]


async def test_unusable_login_cannot_tell(hub: SandboxRegistry, client_of: ClientOf) -> None:
    """A login that cannot be sent is reported for the login and for every image, and nothing is sent."""
    verification = await verify(client_of(hub), Login("a:b", Secret("secret-value")), "team/app:1.0")
    assert verdicts(verification) == [CANNOT_TELL, CANNOT_TELL]
    assert list(hub.asked) == []


async def test_images_are_asked_for_within_a_bound(hub: SandboxRegistry, client_of: ClientOf, login: Login) -> None:
    """No more manifests are asked for at once than the verifier was told."""
    running, most = 0, 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await request.read()
        for _ in range(20):
            await asyncio.sleep(0)
        running -= 1
        return web.Response()

    hub.faults.append(Fault(lambda request: "manifests" in request.path, count))
    client = client_of(hub)
    images = [f"{hub.host}/team/app:{number}" for number in range(12)]
    verification = await RegistryVerifier(lambda _: client, concurrency=2).verify(GenericVendor(client), login, images)
    assert set(verdicts(verification)) == {ACCEPTED}
    assert most == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500])
async def test_echoed_secret_goes_nowhere(
    hub: SandboxRegistry, client_of: ClientOf, login: Login, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    """A registry that echoes the password in its error puts it in no finding and no log."""
    caplog.set_level(logging.DEBUG)
    secret = login.secret.reveal()
    body = f'{{"errors":[{{"code":"DENIED","message":"denied {secret}"}}],"details":"{secret}"}}'
    for path in ("/token", "/v2/team/"):
        fault = hub.fail(status, path=path, body=body, headers={"Www-Authenticate": f'Bearer realm="{secret}"'})
        verification = await verify(client_of(hub), login, "team/app:1.0")
        hub.faults.remove(fault)
        assert secret not in repr(verification)
    assert secret not in caplog.text
