"""Builds the daemon of a configuration: here alone concrete parts are put together."""

from __future__ import annotations

import os
import platform
import random
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from rotator import __version__
from rotator.build import (
    open_notifier,
    open_sources,
    open_state,
    open_targets,
    open_trail,
    provider_contexts,
    wire_credentials,
)
from rotator.config.root import Config
from rotator.engine.attention import Attention
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.engine.dispatch import Dispatcher
from rotator.engine.drift import DriftWatch
from rotator.engine.guard import Guard
from rotator.engine.headroom import HeadroomWatch
from rotator.engine.history import History
from rotator.engine.hooks import Hooks
from rotator.engine.images import ImageWatch
from rotator.engine.inspect import Inspector
from rotator.engine.leak import Leaks
from rotator.engine.ledger import Ledger
from rotator.engine.plan import Planner
from rotator.engine.prove import Prover
from rotator.engine.retire import Retirer
from rotator.engine.rollout import Rollout
from rotator.engine.rotate import Rotator
from rotator.engine.scheduler import Scheduler
from rotator.engine.status import Observer
from rotator.engine.surroundings import Surroundings
from rotator.engine.watch import Watch, Watched
from rotator.log import LogHook
from rotator.metrics import Build, Facts, Metrics
from rotator.notify import Means, Notifier
from rotator.ports import Clock, Provider
from rotator.registry.client import RegistryClient
from rotator.registry.verify import RegistryVerifier
from rotator.targets import TARGETS
from rotator.targets.context import TargetContext
from rotator.transport import Transport

DEFAULT_POLL = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything that was built."""

    credentials: Mapping[str, Credential]
    targets: Mapping[str, DeliveryTarget]
    ledger: Ledger
    observer: Observer
    rollout: Rollout
    rotator: Rotator
    dispatcher: Dispatcher
    scheduler: Scheduler
    watch: Watch
    headroom: HeadroomWatch
    planner: Planner
    retirer: Retirer
    history: History
    images: ImageWatch
    drift: DriftWatch
    inspector: Inspector
    leaks: Leaks
    notifier: Notifier
    metrics: Metrics
    hooks: Hooks
    background: Sequence[Callable[[], Coroutine[Any, Any, None]]]


async def assemble(config: Config, clock: Clock, redactions: Callable[[], int], stack: AsyncExitStack) -> Parts:
    """Build everything, lowest layer first; what must be closed is pushed on ``stack``.

    Errors as `rotator.app.Application.open`.
    """
    store, fingerprint = await open_state(config.store, stack)
    hooks = Hooks()
    ledger = Ledger(store, open_trail(config.audit, hooks))
    await ledger.load()
    credentials: dict[str, Credential] = {}
    guard = Guard(clock)
    rollout = Rollout(ledger, clock, hooks, config.engine)
    sources = open_sources(config, clock, fingerprint, stack)
    observer = Observer(
        ledger,
        rollout,
        guard,
        images=lambda name: images.of(name),  # noqa: PLW0108 (made below)
        privilege=lambda name: inspector.of(name),  # noqa: PLW0108 (made below)
        clock=clock,
        old=lambda credential: History(ledger, retirer).old(credential, clock.now()),
    )
    facts = Facts(
        statuses=lambda: [observer.status(one) for one in credentials.values()],
        clock=clock,
        provider_of=lambda name: credentials[name].config.provider if name in credentials else "",
        vault_token_expiry=sources.token_expiry,
        heartbeat=lambda: scheduler.turned_at,
        redactions=redactions,
        closed_hosts=guard.closed,
        limits=lambda: headroom.limits(),  # noqa: PLW0108 (it is made below)
    )
    metrics = Metrics(facts, build=_this_build(), kinds=TARGETS, max_series=config.metrics.max_series)
    transport = Transport(clock=clock, observe=metrics.observe_call)
    stack.push_async_callback(transport.close)
    clients: dict[Provider, RegistryClient] = {}
    world = Surroundings(clock, random.random, RegistryVerifier(clients.__getitem__), fingerprint, hooks)
    targets = open_targets(
        config, TargetContext(transport, clock, random.random, sources.by_name, sources.session), stack
    )
    client_of = partial(RegistryClient, transport, guard=guard, throttled=metrics.observe_throttling)
    credentials.update(
        wire_credentials(
            config,
            targets,
            clients,
            provider_contexts(config, clock, transport, sources.by_name, client_of, stack),
        )
    )
    prover = Prover(ledger, guard, world)
    rotator = Rotator(ledger, rollout, prover, world)
    retirer = Retirer(credentials, ledger, rollout, prover, world)
    dispatcher = Dispatcher(credentials, ledger, rotator, world, config.engine.max_rotations)
    scheduler = Scheduler(dispatcher, clock, hooks, config.engine.reconcile_interval)
    headroom = HeadroomWatch(credentials, ledger, clock, hooks, config.engine.headroom_interval)
    images = ImageWatch(credentials, ledger, world, config.engine.image_interval, headroom.limit_of)
    inspector = Inspector(credentials, ledger, world, config.engine.inspect_interval)
    leaks = Leaks(credentials, ledger, rollout, dispatcher, retirer, clock)
    notifier = await open_notifier(
        config,
        Means(transport, clock, sources.by_name),
        Attention(facts.statuses, leaks, headroom.limits, clock).needs,
        store,
        hooks,
    )
    hooks.add(metrics, LogHook(), retirer, images, inspector, notifier)
    return Parts(
        credentials=credentials,
        targets=targets,
        ledger=ledger,
        rollout=rollout,
        rotator=rotator,
        observer=observer,
        dispatcher=dispatcher,
        scheduler=scheduler,
        watch=Watch(
            Watched(credentials, list(targets.values()), _poll_interval(config), config.engine),
            ledger,
            rollout,
            rotator,
            world,
        ),
        headroom=headroom,
        retirer=retirer,
        history=History(ledger, retirer),
        planner=Planner(config, credentials, ledger, rollout, dispatcher, retirer, clock),
        images=images,
        drift=DriftWatch(list(targets.values()), ledger, rollout, world, config.engine.drift_interval),
        inspector=inspector,
        leaks=leaks,
        notifier=notifier,
        metrics=metrics,
        hooks=hooks,
        background=sources.background,
    )


def _poll_interval(config: Config) -> timedelta:
    return config.vault.poll_interval if config.vault is not None else DEFAULT_POLL


def _this_build() -> Build:
    return Build(__version__, os.environ.get("ROTATOR_REVISION", "unknown"), platform.python_version())
