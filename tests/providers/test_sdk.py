"""Optional SDKs are asked for by name and never waited for without end."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from rotator.errors import ConfigError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.providers.sdk import call_sdk, require_package


@pytest.mark.parametrize("module", ["no_such_package", "no_such_package.inner", "json.no_such_module"])
def test_a_missing_module_is_a_mistake_of_the_configuration(module: str) -> None:
    """The message names the credential and the package, the hint the extra."""
    with pytest.raises(ConfigError, match="credential a: needs the Python package thing") as caught:
        require_package(module, package="thing", extra="some", subject="credential a")
    assert caught.value.hint == "Install rotator[some]"


def test_an_installed_module_is_fine() -> None:
    """Nothing is raised for what is there."""
    require_package("json.decoder", package="python", extra="none", subject="anything")


async def test_a_call_that_hangs_is_given_up(make_context: Callable[[str], ProviderContext]) -> None:
    """After its deadline the call counts as unavailable, with the time named."""
    release = threading.Event()
    with pytest.raises(UnavailableError, match=r"thing: no answer in 0.05 s") as caught:
        await call_sdk(make_context("a.example"), "thing", release.wait, deadline=0.05)
    release.set()
    assert caught.value.cause == "timeout"


async def test_a_call_returns_its_answer(make_context: Callable[[str], ProviderContext]) -> None:
    """What the call returns in its thread is the answer."""
    assert await call_sdk(make_context("a.example"), "thing", threading.current_thread) is not threading.main_thread()
