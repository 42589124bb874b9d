"""A login is proved before it is called good, and nobody is asked more than needed."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from rotator.check.choice import Chooser, FromDocument, Nobody
from rotator.check.probe import Checker, Options
from rotator.check.report import Report
from rotator.clock import SystemClock
from rotator.domain.reference import parse
from rotator.registry.client import RegistrySettings
from rotator.registry.diagnose import Ailment
from rotator.sandbox.registry import SandboxRegistry
from rotator.transport import Transport

SETTINGS = RegistrySettings(insecure=True, deadline=5.0)


def with_login(host: str, password: str = "s3cret") -> FromDocument:
    """Return a document with one login."""
    return FromDocument({"auths": {host: {"auth": base64.b64encode(f"robot:{password}".encode()).decode()}}})


async def check(transport: Transport, chooser: Chooser, *images: str) -> list[Report]:
    """Return the reports."""
    checker = Checker(transport, SystemClock(), chooser, Options(lambda _: SETTINGS))
    return await checker.check_all([(image, parse(image)) for image in images])


async def test_a_public_image_proves_no_login(lenient: Any, transport: Transport) -> None:
    """A wrong login beside a public image pulls, and is said to be refused all the same."""
    lenient.put("open/app", "1", {"config": {}, "layers": []})
    (found,) = await check(transport, with_login(lenient.host), f"{lenient.host}/open/app:1")
    assert (found.pulls, found.is_public, found.is_login_accepted) == (True, True, False)
    assert "login_refused" in {lint.code for lint in found.lints}


async def test_a_wrong_login_is_told_from_a_missing_right(lenient: Any, transport: Transport) -> None:
    """Where the registry hides an image from a wrong login as from a good one, the login alone is asked about."""
    first, second = await check(
        transport, with_login(lenient.host), f"{lenient.host}/team/a:1", f"{lenient.host}/team/b:1"
    )
    assert (first.diagnosis.ailment, first.is_login_accepted) == (Ailment.AUTH_FAILED, False)
    assert second.diagnosis.ailment is Ailment.AUTH_FAILED
    assert sum("Basic" in asked.credential and "scope" not in asked.query for asked in lenient.asked) == 1


async def test_a_stranger_where_the_login_was_refused(lenient: Any, transport: Transport) -> None:
    """Where a wrong login counts as none, a public image pulls with it after a private one was refused, as it would."""
    lenient.put("open/app", "1", {"config": {}, "layers": []})
    images = (f"{lenient.host}/team/a:1", f"{lenient.host}/open/app:1", f"{lenient.host}/team/b:1")
    private, public, other = await check(transport, with_login(lenient.host), *images)
    assert [one.pulls for one in (private, public, other)] == [False, True, False]
    assert "login_refused" in {lint.code for lint in public.lints}
    assert (public.is_login_accepted, other.diagnosis.ailment) == (False, Ailment.AUTH_FAILED)
    assert sum("Basic" in asked.credential and "scope" not in asked.query for asked in lenient.asked) == 1


@pytest.mark.parametrize(
    ("actions", "codes"), [(("pull",), set()), (("pull", "push", "delete"), {"over_privileged"})], ids=["pull", "all"]
)
async def test_more_than_pull_is_noted(transport: Transport, actions: tuple[str, ...], codes: set[str]) -> None:
    """A login whose token grants more than pull is noted; nothing is written to find out."""
    async with SandboxRegistry(SystemClock()) as server:
        server.add_image("team/app:1")
        server.add_login("robot", "s3cret", actions=actions)
        (found,) = await check(transport, with_login(server.host), f"{server.host}/team/app:1")
        assert {asked.method for asked in server.asked} == {"GET", "HEAD"}
    assert {lint.code for lint in found.lints} - {"mutable_tag"} == codes
    assert (found.is_login_accepted, found.headroom) == (True, None)


async def test_an_account_that_is_counted_is_a_login_that_counts(transport: Transport) -> None:
    """Where pulls are counted against an account, the login is proved and not asked about again; the limit is told."""
    async with SandboxRegistry(SystemClock(), rate_limit=100) as server:
        server.add_image("open/app:1", public=True)
        server.add_login("robot", "s3cret")
        (found,) = await check(transport, with_login(server.host), f"{server.host}/open/app:1")
        assert all("scope" in asked.query for asked in server.asked if asked.path == "/token")
    assert (found.is_public, found.is_login_accepted) == (True, True)
    assert found.headroom is not None
    assert (found.headroom.limit, found.headroom.remaining) == (100, 100)


async def test_a_silent_registry_is_asked_once(transport: Transport) -> None:
    """A registry that cannot be reached is not asked for the next image; others are, and the order stays."""
    async with SandboxRegistry(SystemClock()) as server, SandboxRegistry(SystemClock()) as gone:
        server.add_image("open/app:1", public=True)
        host = gone.host
        await gone.stop()
        images = [f"{host}/a:1", f"{server.host}/open/app:1", f"{host}/b:1"]
        found = await check(transport, Nobody(), *images)
    assert [one.image for one in found] == images
    assert [one.diagnosis.ailment for one in found] == [Ailment.UNREACHABLE, Ailment.OK, Ailment.UNREACHABLE]
    assert found[0].diagnosis == found[2].diagnosis


async def test_a_login_is_wanted_that_stands_under_a_wrong_key(transport: Transport) -> None:
    """A private image whose login no client finds is diagnosed by the key; a public one just pulls."""
    async with SandboxRegistry(SystemClock()) as server:
        server.add_image("team/app:1")
        server.add_image("open/app:1", public=True)
        chooser = with_login(f"{server.host} ")
        private, public = await check(transport, chooser, f"{server.host}/team/app:1", f"{server.host}/open/app:1")
    assert (private.diagnosis.ailment, public.diagnosis.ailment) == (Ailment.CLIENT_KEY_MISMATCH, Ailment.OK)
    assert private.diagnosis.advice.endswith(f'"{server.host}"')
