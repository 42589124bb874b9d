"""What is known of a configured login's rights is noted beside its images."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from rotator.build import open_sources, provider_contexts
from rotator.check.configured import FromConfig
from rotator.clock import SystemClock
from rotator.config.root import Config
from rotator.domain.reference import parse
from rotator.providers.custom import CustomConfig
from rotator.registry.client import RegistryClient
from rotator.secret import Fingerprinter
from rotator.transport import Transport


@pytest.fixture
async def choose(tmp_path: Path, transport: Transport) -> AsyncIterator[FromConfig]:
    """Return what chooses between the admin user of one Azure registry and a token of another."""
    secret = tmp_path / "password"
    await asyncio.to_thread(secret.write_text, "canary-7f3a9c51d2e8")
    await asyncio.to_thread(secret.chmod, 0o600)
    credentials = {
        user: CustomConfig.model_validate(
            {"registry": f"{host}.azurecr.io", "username": user, "password": {"file": str(secret)}}
        )
        for user, host in (("contoso", "contoso"), ("puller", "fabrikam"))
    }
    config, clock = Config(credentials=credentials), SystemClock()
    async with AsyncExitStack() as stack:
        sources = open_sources(config, clock, Fingerprinter(bytes(32)), stack)
        client_of = partial(RegistryClient, transport)
        yield FromConfig(config, provider_contexts(config, clock, transport, sources.by_name, client_of, stack))


async def test_an_admin_user_is_noted(choose: FromConfig) -> None:
    """The registry's own account may do everything, and what to request instead is said."""
    found = await choose.choose(parse("contoso.azurecr.io/app:1"))
    (lint,) = found.lints
    assert lint.code == "over_privileged"
    assert "AcrPull" in lint.text


async def test_a_login_of_which_nothing_is_known_is_not_noted(choose: FromConfig) -> None:
    """Another user name says nothing."""
    found = await choose.choose(parse("fabrikam.azurecr.io/app:1"))
    assert (found.login is not None, found.lints) == (True, ())
