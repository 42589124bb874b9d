"""Makes concrete things of configuration sections: state, sources, targets, providers. For `app` and `check`."""

from __future__ import annotations

import importlib
import os
import random
import socket
from collections import defaultdict
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy.engine import make_url

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.root import AuditConfig, Config, StoreConfig
from rotator.config.subject import destination_of, subject_of
from rotator.domain.attention import Need, Severity
from rotator.domain.events import Event
from rotator.domain.model import UNKNOWN, Expiry
from rotator.domain.note import Notebook
from rotator.domain.policy import namespaces_for
from rotator.engine.audit import AuditTrail
from rotator.engine.credential import Credential, DeliveryTarget
from rotator.errors import ConfigError
from rotator.notify import Bucket, Means, Notifier, Outlet, open_sender
from rotator.ports import Clock, Notes, Provider, Source, Vault
from rotator.providers import PROVIDERS
from rotator.providers.context import ProviderContext
from rotator.providers.shared import Shared
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.secret import Fingerprinter, Secret
from rotator.sources.env import EnvSource
from rotator.sources.file import FileRules, FileSource
from rotator.store.audit_file import AuditFile
from rotator.store.lock import StateLock
from rotator.store.seal import KEY_BYTES, load_keys, make_key
from rotator.store.store import SqlStore, open_store
from rotator.targets import TARGETS
from rotator.targets.context import TargetContext
from rotator.transport import Transport

_log: Any = structlog.get_logger(__name__)

THREADS = 16
"""For SDKs that block: AWS; targets have as many of their own, and so has Vault."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources, and what keeps them alive.

    Args:
        by_name: ``file``, ``env``, and ``vault`` where it is configured.
        background: Tasks that run as long as the daemon does.
        token_expiry: Tells when Vault's token ends.
        session: The session with Vault, for targets that write there; None where it is not configured.
    """

    by_name: Mapping[str, Source]
    background: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = ()
    token_expiry: Callable[[], Expiry] = lambda: UNKNOWN
    session: Vault | None = None


async def open_state(config: StoreConfig, stack: AsyncExitStack) -> tuple[SqlStore, Fingerprinter]:
    """Take the state, read or make its seal key, and open the database.

    Raises:
        ConfigError: Another daemon holds it (named), or it cannot be used.
    """
    holder = f"rotator, process {os.getpid()} on {socket.gethostname()}"
    path = make_url(config.url).database if config.url.startswith("sqlite") else None
    if path:
        lock = StateLock(_lock_of(path))
        lock.take(holder)
        stack.callback(lock.release)
    key_file = Path(config.seal_key_file or f"{path}.key")
    if path and config.seal_key_file is None:
        make_key(key_file, os.urandom(KEY_BYTES))
    keys = load_keys(key_file)
    store = await open_store(config.url, keys, holder=holder)
    stack.push_async_callback(store.close)
    if store.resealed:
        _log.info("secrets_resealed", secrets=store.resealed, key_file=str(key_file))
    return store, Fingerprinter(store.own_key)


def _lock_of(path: str) -> Path:
    """Return the lock file of the state at ``path``: one file, by whatever link the state was named."""
    return Path(f"{Path(path).resolve()}.lock")


def open_trail(config: AuditConfig, emit: Callable[[Event], None]) -> AuditTrail:
    """Return what happens around the audit's records; the file is opened with the first of them."""
    copy = AuditFile(Path(config.file)) if config.file is not None else None
    return AuditTrail(copy, config.on_failure, emit)


def open_sources(config: Config, clock: Clock, fingerprint: Fingerprinter, stack: AsyncExitStack) -> Sources:
    """Return the sources; Vault is not asked anything yet."""
    local: dict[str, Source] = {
        "file": FileSource(FileRules(allow_group_read=config.files.allow_group_read)),
        "env": EnvSource(os.environ, fingerprint=fingerprint),
    }
    if config.vault is None:
        return Sources(local)

    from rotator.sources.vault import VaultSource, VaultTools  # noqa: PLC0415 (hvac only where Vault is configured)

    async def bootstrap(ref: SecretRef) -> Secret:
        return (await local[ref.source].read(ref.location)).secret

    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="vault")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    vault = VaultSource(config.vault, VaultTools(executor, clock, fingerprint, bootstrap, random.random))
    stack.push_async_callback(vault.close)
    return Sources({**local, "vault": vault}, (vault.renew_forever,), vault.token_expiry, vault)


def open_targets(config: Config, context: TargetContext, stack: AsyncExitStack) -> dict[str, DeliveryTarget]:
    """Return the targets that must hold at least one credential, by name."""
    held: dict[str, dict[str, str]] = defaultdict(dict)
    for name, credential in config.credentials.items():
        for target in credential.deliver_to:
            held[target][name] = credential.registry
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="target")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    context = replace(context, executor=executor)
    targets = {}
    for name, credentials in held.items():
        options = config.targets[name]
        port = _load(TARGETS, options.type)(name, options, context)
        stack.push_async_callback(port.close)
        only_in = _only_in(config, name, credentials)
        timing = options.timing(port.declares.min_interval)
        budgets = {one: config.credentials[one].outage_budget for one in credentials}
        targets[name] = DeliveryTarget(
            port, credentials, options.required, options.concurrency, only_in, timing, budgets
        )
    return targets


def _only_in(config: Config, target: str, credentials: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """Return in which namespaces of ``target`` policy allows each of ``credentials``; absent where in all."""
    rules, destination = config.policy.all_rules(), destination_of(target, config.targets[target])
    allowed = {
        name: namespaces_for(rules, subject_of(name, config.credentials[name], config.registries), destination)
        for name in credentials
    }
    return {name: namespaces for name, namespaces in allowed.items() if namespaces is not None}


async def open_notifier(
    config: Config,
    means: Means,
    needs: Callable[[], Awaitable[Sequence[Need]]],
    notes: Notes,
    emit: Callable[[Event], None],
) -> Notifier:
    """Return what tells destinations what needs a person, with what they were told before.

    Raises:
        StoreError: That could not be read.
    """
    told = await notes.notes()
    for gone in {note.destination for note in told} - set(config.notifications):
        await notes.keep_notes(gone, ())
    outlets = []
    for name, options in config.notifications.items():
        notebook = Notebook(name, Severity(options.severity), (note for note in told if note.destination == name))
        bucket = Bucket(options.interval.total_seconds(), means.clock.monotonic())
        outlets.append(Outlet(name, open_sender(name, options, means), notebook, bucket))
    return Notifier(outlets, needs, notes, means.clock, random.random, emit)


def provider_contexts(
    config: Config,
    clock: Clock,
    transport: Transport,
    sources: Mapping[str, Source],
    client_of: Callable[..., RegistryClient],
    stack: AsyncExitStack,
) -> Callable[[str], ProviderContext]:
    """Return what makes the context of a provider for a registry host; ``client_of`` makes its client."""
    executor = ThreadPoolExecutor(THREADS, thread_name_prefix="sdk")
    stack.callback(executor.shutdown, wait=False, cancel_futures=True)
    shared = Shared(clock)

    @cache
    def context(host: str) -> ProviderContext:
        """Return what every provider of ``host`` is given: one client serves them all."""
        client = client_of(host=host, settings=settings_of(config, host))
        return ProviderContext(transport, clock, sources, executor, client, shared)

    return context


def settings_of(config: Config, host: str) -> RegistrySettings:
    """Return how the configuration says that a registry, ``host[:port]``, is reached."""
    options = config.registries.get(host)
    return RegistrySettings(**options.model_dump()) if options else RegistrySettings()


def wire_credentials(
    config: Config,
    targets: Mapping[str, DeliveryTarget],
    clients: dict[Provider, RegistryClient],
    context_of: Callable[[str], ProviderContext],
) -> dict[str, Credential]:
    """Return the credentials by name; ``clients`` learns which registry each provider's logins are for."""
    credentials = {}
    for name, options in config.credentials.items():
        context = context_of(options.registry)
        provider = make_provider(options, context)
        clients[provider] = context.registry
        holders = tuple(targets[target] for target in options.deliver_to)
        credentials[name] = Credential(name, options, provider, holders, config.policy.renewal.renewal())
    return credentials


def make_provider(options: CredentialConfig, context: ProviderContext) -> Provider:
    """Return the provider of one credential. Asks nobody anything.

    Raises:
        ConfigError: It needs a package that is not installed.
    """
    provider: Provider = _load(PROVIDERS, options.provider)(options, context)
    return provider


def _load(table: Mapping[str, str], kind: str) -> Callable[..., Any]:
    """Return the class that ``table`` names for ``kind``.

    Raises:
        ConfigError: It needs a package that is not installed.
    """
    module, _, name = table[kind].partition(":")
    try:
        loaded: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except ImportError as error:
        raise ConfigError([f"{kind}: needs the Python package {error.name}, which is not installed"]) from error
    return loaded
