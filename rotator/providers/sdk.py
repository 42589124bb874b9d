"""Blocking SDKs that only some installations have: asked for by name, run in the executor, within a deadline."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import TypeVar

from rotator.errors import ConfigError, UnavailableError
from rotator.providers.context import ProviderContext

DEADLINE_SECONDS = 60.0
"""For one answer, however often the SDK tries, and including the wait for a free thread."""

Answer = TypeVar("Answer")


def require_package(module: str, *, package: str, extra: str, subject: str) -> None:
    """Return if ``module`` can be imported. Imports at most its parents; safe to repeat.

    Args:
        module: Dotted name.
        package: What it is called where packages are installed from.
        extra: The extra of ours that brings it.
        subject: Which credential needs it, for the message.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        found = importlib.util.find_spec(module)
    except ModuleNotFoundError:
        found = None
    if found is None:
        mistake = f"{subject}: needs the Python package {package}, which is not installed"
        raise ConfigError([mistake], hint=f"Install rotator[{extra}]")


async def call_sdk(
    context: ProviderContext, subject: str, call: Callable[[], Answer], *, deadline: float = DEADLINE_SECONDS
) -> Answer:
    """Return what ``call`` returns, run in the executor.

    A call that does not end in time is left alone in its thread: it must have time-outs of its own as well.

    Args:
        context: The world.
        subject: Who is asked, for the message.
        call: Blocks; lets only `rotator.errors` out.
        deadline: Seconds, > 0.

    Raises:
        UnavailableError: It took too long. RotatorError: As ``call``.
    """
    future = asyncio.get_running_loop().run_in_executor(context.executor, call)
    try:
        return await asyncio.wait_for(future, deadline)
    except TimeoutError as error:
        raise UnavailableError(f"{subject}: no answer in {deadline:g} s", cause="timeout") from error
