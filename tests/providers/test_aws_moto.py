"""Asking AWS for registry passwords, against moto's server, which others wrote from AWS's behaviour."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from moto.server import ThreadedMotoServer

from rotator.domain.model import Expiry
from rotator.ports import Clock, Order
from rotator.providers.context import ProviderContext
from rotator.providers.ecr import Ecr, EcrConfig

pytestmark = pytest.mark.integration

ROLE = "arn:aws:iam::210987654321:role/pull"


@pytest.fixture(scope="module")
def moto() -> Iterator[str]:
    """Return the address of a moto server."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def make_ecr(moto: str, make_context: Callable[[str], ProviderContext], access_key: Any) -> Callable[..., Ecr]:
    """Return a function that makes a provider which asks moto, for STS too."""

    def make(**options: Any) -> Ecr:
        host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
        urls = {"endpoint_url": moto, "sts_endpoint_url": moto, "insecure": True}
        config = EcrConfig.model_validate({"registry": host, "access_key": access_key, **urls, **options})
        return Ecr(config, make_context(host))

    return make


async def test_moto_issues_a_password(make_ecr: Callable[..., Ecr]) -> None:
    """Moto's password for the caller's own account arrives."""
    issued = await make_ecr().issue(Order())
    assert issued.login.username == "AWS"
    assert issued.login.secret.reveal().endswith("-auth-token")


async def test_an_expiry_in_the_past_surfaces(make_ecr: Callable[..., Ecr], clock: Clock) -> None:
    """Moto says that its password expired in 2015; the provider says so too."""
    issued = await make_ecr().issue(Order())
    assert issued.expiry == Expiry(datetime(2015, 1, 1, tzinfo=UTC))
    assert issued.expiry.is_past(clock.now())


async def test_a_role_leads_into_its_own_account(make_ecr: Callable[..., Ecr]) -> None:
    """After AssumeRole the password is one of the role's account, and whose it is is known."""
    issued = await make_ecr(assume_role=ROLE).issue(Order())
    assert issued.login.secret.reveal().startswith("210987654321")
    assert issued.principal == ROLE
