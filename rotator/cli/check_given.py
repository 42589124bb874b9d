"""Reads what ``rotator check`` is given: images, logins, how registries are reached; and has the images checked."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rotator.admin.models import CredentialDetail
from rotator.build import open_sources, provider_contexts, settings_of
from rotator.check.choice import Chooser, FromDocument, Nobody
from rotator.check.configured import Ask, FromConfig, images_of
from rotator.check.pointer import first_bad
from rotator.check.probe import Checker, Options
from rotator.check.report import Report
from rotator.check.suggest import suggest
from rotator.cli.client import Door, open_client, parse, segment
from rotator.cli.failure import UsageError
from rotator.cli.options import DEFAULT_CONFIG
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.config.root import Config
from rotator.domain.pull_secret import parse_document
from rotator.domain.reference import Reference, registry_host
from rotator.domain.reference import parse as parse_reference
from rotator.errors import RotatorError, ShapeError
from rotator.kinds import kinds
from rotator.registry.client import RegistryClient, RegistrySettings
from rotator.secret import Fingerprinter
from rotator.transport import Transport

MAX_DOCUMENT_BYTES = 1 << 20
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Asked:
    """The command line, as it was written. See `rotator.cli.check`."""

    images: Sequence[str]
    all_images: bool = False
    config: Path | None = None
    docker_config: Path | None = None
    socket: Path | None = None
    insecure: Sequence[str] = ()
    realm_hosts: Sequence[str] = ()
    spends_pulls: bool = False


Watch = Callable[[int], AbstractContextManager[Callable[[Report], object]]]
"""Opens what is told of each report as soon as it is there, given how many there will be."""


async def check(asked: Asked, watch: Watch) -> list[Report]:
    """Return a report per image.

    Raises:
        UsageError: An image is no reference, a file cannot be used, or nothing was asked for.
        ConfigError: The configuration cannot be used.
    """
    config = _read_config(asked)
    images = [*asked.images, *(images_of(config) if asked.all_images else ())]
    if not images:
        raise UsageError("no credential lists images" if asked.all_images else "name an IMAGE, or say --all")
    references = [(image, _read_reference(image)) for image in dict.fromkeys(images)]
    options = Options(_settings(asked, config), asked.spends_pulls)
    document = None if asked.docker_config is None else _read_document(asked.docker_config)
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        transport = Transport(clock=clock)
        stack.push_async_callback(transport.close)
        chooser: Chooser = Nobody()
        if document is not None:
            chooser = FromDocument(document)
        elif asked.config or asked.all_images:
            sources = open_sources(config, clock, Fingerprinter(os.urandom(_KEY_BYTES)), stack)
            client_of = partial(RegistryClient, transport)
            contexts = provider_contexts(config, clock, transport, sources.by_name, client_of, stack)
            chooser = FromConfig(config, contexts, _ask_daemon(asked.socket))
        with watch(len(references)) as tell:
            return await Checker(transport, clock, chooser, options).check_all(references, tell)


def _read_config(asked: Asked) -> Config:
    """Return the configuration; an empty one when none is needed."""
    if asked.config is None and not asked.all_images:
        return Config()
    return load(asked.config or DEFAULT_CONFIG, kinds())


def _read_reference(image: str) -> Reference:
    try:
        reference = parse_reference(image)
        registry_host(reference.domain)
    except ValueError as error:
        meant = suggest(image)
        hint = f"Did you mean {meant} ?" if meant and meant not in str(error) else ""
        raise UsageError(f"{error}{_pointer(image)}", hint=hint) from None
    return reference


def _pointer(image: str) -> str:
    """Return where ``image`` goes wrong, below a copy; empty where no one spot is wrong or it could show a password."""
    position = None if "://" in image else first_bad(image)
    if position is None or not image:
        return ""
    what = f"character {position + 1}" if position < len(image) else "something is missing at the end"
    return f"\n  {image}\n  {' ' * position}^ {what}"


def _settings(asked: Asked, config: Config) -> Callable[[str], RegistrySettings]:
    """Return what says how a registry is reached: as configured, and as the command line adds."""
    try:
        insecure = frozenset(registry_host(host) for host in asked.insecure)
    except ValueError as error:
        raise UsageError(f"--insecure: {error}") from None

    def of(host: str) -> RegistrySettings:
        known = settings_of(config, host)
        realm_hosts = (*known.realm_hosts, *asked.realm_hosts)
        return replace(known, insecure=known.insecure or host in insecure, realm_hosts=realm_hosts)

    return of


def _read_document(path: Path) -> dict[str, Any]:
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(MAX_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > MAX_DOCUMENT_BYTES:
        raise UsageError(f"{path}: larger than {MAX_DOCUMENT_BYTES} bytes, which no such file is")
    try:
        return parse_document(content.decode())
    except UnicodeDecodeError:
        problem = "not UTF-8"
    except ShapeError as error:
        problem = error.message
    raise UsageError(f"{path}: {problem}")


def _ask_daemon(socket: Path | None) -> Ask | None:
    """Return what asks the daemon how a credential stands; no login ever comes over its API."""
    if socket is None:
        return None

    async def ask(name: str) -> str:
        try:
            async with open_client(Door(socket)) as client:
                found = parse(CredentialDetail, await client.get(f"/credentials/{segment(name)}")).credential
        except RotatorError as error:
            return f"the daemon could not be asked: {error.message}"
        proved = f", last proved {found.verified_at:%Y-%m-%d %H:%M:%SZ}" if found.verified_at else ""
        return f"the daemon says {found.health}: {found.message}; generation {found.generation}{proved}"

    return ask
