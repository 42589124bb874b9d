"""The target itself: which services, and how each is brought to a login."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.model import Entry, Held
from rotator.domain.pull_secret import docker_key
from rotator.domain.reference import registry_host
from rotator.errors import ConflictError, FencedError, NotFoundError, UnsupportedError
from rotator.targets.context import TargetContext
from rotator.targets.swarm.config import SwarmConfig
from rotator.targets.swarm.manager import Manager, Service

UPDATE_ATTEMPTS = 5
"""How often an update is redone because somebody else changed the service in between."""
UNSETTLED = frozenset({"updating", "paused", "rollback_started", "rollback_paused"})
"""States of an update that another update would interrupt, or resume."""


@dataclass(frozen=True, slots=True)
class _Sent:
    entry: Entry
    version: int


class SwarmTarget:
    """The services of one swarm. A placement is one service with the registry that its image comes from.

    A service has one image and one login. Of the credentials of this target it is given the one for that registry;
    the others have nothing to do there and count as done without a write.

    The login cannot be read back. What is seen is that the service's version advanced with our update; that is
    remembered until the daemon ends, and so is the generation that was sent.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = SwarmConfig
    kind = "swarm"
    declares = Declares(readback=Proof.METADATA, effect=Effect.NEW_TASKS, concurrency=Concurrency.COMPARE_AND_SWAP)

    def __init__(self, name: str, config: SwarmConfig, context: TargetContext) -> None:
        self.name = name
        self._config = config
        self._api = Manager(name, config, context.transport)
        self._sent: dict[str, _Sent] = {}

    async def placements(self) -> Sequence[str]:
        """Return every service that is selected, by name. Two calls. Jobs are left out: an update runs them again.

        Raises:
            UnsupportedError: The engine is too old. UnavailableError: It is no manager, or does not answer.
            Others as `rotator.ports.Target.placements`.
        """
        await self._api.check_version()
        services = [one for one in await self._api.services() if self._is_selected(one)]
        self._sent = {key: sent for key, sent in self._sent.items() if key in {one.id for one in services}}
        return sorted(one.placement for one in services)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Send the login for the service's registry. Safe to repeat; one that was sent and still stands is not sent.

        Raises:
            ConflictError: An update of the service is under way or paused, or somebody keeps changing it.
            FencedError: A newer generation was sent by this daemon. NotFoundError: The service is gone, or its image
            comes from elsewhere now. UnsupportedError: Two logins for one registry, or one for what is no registry.
            Others as `rotator.ports.Target.apply`.
        """
        for _ in range(UPDATE_ATTEMPTS):
            service = await self._service(placement)
            entry = _only_for(service, entries)
            if entry is None or self._stands(service, entry):
                return _held(entries, changed=False)
            self._refuse_older(service, entry)
            _refuse_unsettled(service)
            if await self._api.update(service, _header(entry)):
                return await self._confirmed(service, placement, entry, entries)
        raise ConflictError(f"{self.name}: {placement} was changed by somebody else, {UPDATE_ATTEMPTS} times in a row")

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return the logins that this daemon sent and that still stand: nobody changed the service since.

        Raises:
            As `apply`.
        """
        service = await self._service(placement)
        entry = _only_for(service, entries)
        is_there = entry is None or self._stands(service, entry)
        return _held([one for one in entries if is_there or one is not entry], changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: new services are found by the resync. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _is_selected(self, service: Service) -> bool:
        names, registries = self._config.names, self._config.registries
        if names and not any(fnmatchcase(service.name, name) for name in names):
            return False
        return not registries or service.registry in registries

    async def _service(self, placement: str) -> Service:
        service = await self._api.service(placement.rpartition("/")[2])
        if service is None or service.placement != placement:
            raise NotFoundError(f"{self.name}: there is no service {placement} any more")
        return service

    def _stands(self, service: Service, entry: Entry) -> bool:
        sent = self._sent.get(service.id)
        return sent is not None and sent.entry.login == entry.login and sent.version == service.version

    def _refuse_older(self, service: Service, entry: Entry) -> None:
        sent = self._sent.get(service.id)
        if sent is None or sent.entry.credential != entry.credential:
            return
        if sent.entry.generation > entry.generation and sent.entry.login != entry.login:
            newest = sent.entry.generation
            raise FencedError(f"{self.name}: {service.placement} was sent generation {newest}", generation=newest)

    async def _confirmed(self, before: Service, placement: str, entry: Entry, entries: Sequence[Entry]) -> Held:
        after = await self._service(placement)
        if after.version <= before.version:
            return _held([one for one in entries if one is not entry], changed=True)
        self._sent[after.id] = _Sent(entry, after.version)
        return _held(entries, changed=True)


def _only_for(service: Service, entries: Sequence[Entry]) -> Entry | None:
    """Return the entry for the registry that a service pulls from; None when it needs none of them."""
    try:
        found = [entry for entry in entries if registry_host(entry.registry) == service.registry]
    except ValueError as error:
        raise UnsupportedError(str(error)) from error
    if len(found) > 1:
        names = " and ".join(entry.credential for entry in found)
        raise UnsupportedError(
            f"{service.placement}: {names} are for one registry, and a service keeps one login",
            hint="Deliver one of them here, or select services by name or label, with a target for each",
        )
    return found[0] if found else None


def _refuse_unsettled(service: Service) -> None:
    if service.state in UNSETTLED:
        raise ConflictError(
            f"{service.placement}: its latest update is {service.state.replace('_', ' ')}",
            hint="Another update would interrupt or resume it; it is tried again. End a paused one or roll it back",
        )


def _header(entry: Entry) -> str:
    """Return ``X-Registry-Auth``: base64url with its padding, as the engine decodes it. Secret."""
    login = {
        "username": entry.login.username,
        "password": entry.login.secret.reveal(),
        "serveraddress": docker_key(entry.registry),
    }
    return base64.urlsafe_b64encode(json.dumps(login).encode()).decode("ascii")


def _held(entries: Sequence[Entry], *, changed: bool) -> Held:
    return Held({entry.credential: entry.login for entry in entries}, changed=changed, proof=Proof.METADATA)
