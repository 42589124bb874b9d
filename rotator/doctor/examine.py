"""All checks of one configuration, in the order in which a person would mend what they find."""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

from rotator.aws.ask import AwsTools
from rotator.build import open_sources, open_targets
from rotator.config.load import load
from rotator.config.root import Config
from rotator.doctor.aws import check_aws
from rotator.doctor.files import check_files
from rotator.doctor.finding import Finding, Level, of_error
from rotator.doctor.kubernetes import check_kubernetes
from rotator.doctor.peers import check_peers
from rotator.doctor.process import check_process
from rotator.doctor.state import check_state
from rotator.doctor.vault import check_vault
from rotator.domain.words import counted
from rotator.errors import ConfigError, RotatorError
from rotator.kinds import kinds
from rotator.ports import Clock
from rotator.secret import Fingerprinter
from rotator.targets.context import TargetContext
from rotator.transport import Transport

_KEY_BYTES = 32

Tell = Callable[[Finding], None]


async def examine(path: Path, clock: Clock, tell: Tell) -> list[Finding]:
    """Return what every check found; ``tell`` is called with each finding as it comes. Changes nothing anywhere.

    Args:
        path: The configuration. Where it cannot be used, its mistakes and what needs no configuration are all there is.
        clock: Time.
        tell: Is shown each finding once.
    """
    found: list[Finding] = []

    def keep(findings: list[Finding]) -> None:
        found.extend(findings)
        for finding in findings:
            tell(finding)

    keep(check_process())
    try:
        config = await asyncio.to_thread(load, path, kinds())
    except ConfigError as error:
        mend = error.hint or "Mend the file; rotator config check says whether it is whole"
        keep([Finding("configuration", str(path), Level.FAIL, mistake, mend) for mistake in error.mistakes])
        return found
    holds = f"{counted(len(config.credentials), 'credential')}, {counted(len(config.targets), 'target')}"
    keep([Finding("configuration", str(path), Level.OK, f"it loads: {holds}")])
    keep(await asyncio.to_thread(check_files, config, path))
    claimed = {*config.credentials, *(one.formerly for one in config.credentials.values() if one.formerly)}
    keep(await check_state(config.store, claimed, clock.now()))
    async with AsyncExitStack() as stack:
        transport = Transport(clock=clock)
        stack.push_async_callback(transport.close)
        keep(await check_peers(config, transport, clock))
        for check in _by_sources(config, transport, clock, stack):
            keep(await check())
    return found


def _by_sources(
    config: Config, transport: Transport, clock: Clock, stack: AsyncExitStack
) -> list[Callable[[], Awaitable[list[Finding]]]]:
    """Return the checks that log in somewhere."""
    try:
        sources = open_sources(config, clock, Fingerprinter(os.urandom(_KEY_BYTES)), stack)
    except RotatorError as error:
        finding = of_error("vault", "settings", error)
        return [partial(_told, [finding])]
    checks: list[Callable[[], Awaitable[list[Finding]]]] = []
    if sources.session is not None:
        checks.append(partial(check_vault, config, sources.session))
    checks.append(partial(check_aws, config, AwsTools(sources.by_name, None)))
    context = TargetContext(transport, clock, random.random, sources.by_name, sources.session)
    checks.append(partial(_targets, config, context, stack))
    return checks


async def _targets(config: Config, context: TargetContext, stack: AsyncExitStack) -> list[Finding]:
    try:
        targets = open_targets(config, context, stack)
    except RotatorError as error:
        return [of_error("targets", "settings", error)]
    return await check_kubernetes({name: target.port for name, target in targets.items()})


async def _told(findings: list[Finding]) -> list[Finding]:
    return findings
