"""Any registry's login, kept in a source."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.model import UNKNOWN, Expiry, Login
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.custom import Custom, CustomConfig
from rotator.secret import Secret

HeldSource = Any  # the class is in conftest, which tests do not import
PLACE = "registries/harbor#password"
EARLY, LATE = (Expiry(datetime(year, 1, 1, tzinfo=UTC)) for year in (2027, 2028))


def jwt(expiry: Expiry) -> str:
    """Return a token that says it expires then."""
    assert expiry.at is not None
    payload = base64.urlsafe_b64encode(json.dumps({"exp": int(expiry.at.timestamp())}).encode()).decode().rstrip("=")
    return f"eyJhbGciOiJub25lIn0.{payload}.c2ln"


@pytest.fixture
def custom(make_context: Callable[[str], ProviderContext]) -> Custom:
    """Return a provider whose password is in the source."""
    options = {"registry": "harbor.example", "username": "robot$pull", "password": {"vault": PLACE}}
    return Custom(CustomConfig.model_validate(options), make_context("harbor.example"))


async def test_a_password_says_nothing_of_its_expiry(custom: Custom, held_source: HeldSource) -> None:
    """Without a date in the source or the password nothing is known."""
    held_source.put(PLACE, "hunter2", revision="3")
    issued = await custom.issue(Order())
    assert (issued.login, issued.expiry, issued.revision) == (Login("robot$pull", Secret("hunter2")), UNKNOWN, "3")


@pytest.mark.parametrize(
    ("kept", "told"), [pytest.param(UNKNOWN, EARLY, id="unknown"), pytest.param(LATE, EARLY, id="later")]
)
async def test_a_jwt_tells_its_expiry(custom: Custom, held_source: HeldSource, kept: Expiry, told: Expiry) -> None:
    """The earlier of the source's date and the token's own counts."""
    held_source.put(PLACE, jwt(told), expiry=kept)
    assert (await custom.issue(Order())).expiry == told
    assert (await custom.inspect(Login("x", Secret(jwt(told))))).expiry == told


async def test_the_sources_earlier_date_wins(custom: Custom, held_source: HeldSource) -> None:
    """A person may know better than the token."""
    held_source.put(PLACE, jwt(LATE), expiry=EARLY)
    assert (await custom.issue(Order())).expiry == EARLY


def test_identity_is_registry_and_places(custom: Custom) -> None:
    """The identity names where the login is kept."""
    assert custom.identity == "harbor.example|robot$pull with vault:registries/harbor#password"


def test_a_registry_must_be_named() -> None:
    """There is no registry to assume."""
    with pytest.raises(ValidationError, match="registry"):
        CustomConfig.model_validate({"username": "x", "password": {"env": "X"}})
