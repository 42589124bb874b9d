"""The application as a whole, without running it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from rotator.app import Application
from rotator.config.root import AdminConfig, Config, MetricsConfig, StoreConfig
from rotator.errors import ConfigError, NotFoundError
from rotator.sandbox.clock import ManualClock


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Return a configuration with nothing to do, and a state of its own."""
    return Config(
        store=StoreConfig(url=f"sqlite:///{tmp_path}/rotator.db"),
        admin=AdminConfig(socket=f"{tmp_path}/admin.sock"),
        metrics=MetricsConfig(listen=None),
    )


async def test_a_daemon_that_does_not_turn_is_not_alive(config: Config, clock: ManualClock) -> None:
    """Liveness ends when nothing was looked at for minutes of the clock that nobody sets."""
    async with Application.open(config, clock) as application:
        assert application.liveness() == ""
        clock.set_wall(clock.now() + timedelta(days=3))
        assert application.liveness() == "", "a wall clock that was set says nothing about turning"
        clock.advance(timedelta(minutes=10))
        assert application.liveness() == "the scheduler has not turned for 600 s"


async def test_unknown_credential_names_the_known_ones(config: Config, clock: ManualClock) -> None:
    """Asking for a credential that is not configured says so, and which are."""
    async with Application.open(config, clock) as application:
        with pytest.raises(NotFoundError, match=r"no credential is named nobody. Configured are: none"):
            application.status("nobody")


async def test_one_state_serves_one_application(config: Config, clock: ManualClock) -> None:
    """A second application on the same state is refused, and the state is free again once the first has closed."""
    async with Application.open(config, clock):
        with pytest.raises(ConfigError, match="is in use by rotator, process"):
            async with Application.open(config, clock):
                pass
    async with Application.open(config, clock) as application:
        assert application.statuses() == []
