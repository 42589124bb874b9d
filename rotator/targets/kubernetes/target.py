"""The Kubernetes target: placements are ``namespace/secret``."""

from __future__ import annotations

import asyncio
import operator
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rotator.domain.declares import Declares
from rotator.domain.model import Entry, Held, Login
from rotator.errors import ConflictError, NotFoundError, RotatorError, ShapeError
from rotator.targets.context import TargetContext
from rotator.targets.fields import refuse_older
from rotator.targets.kubernetes.access import Access, InClusterAccess
from rotator.targets.kubernetes.client import Conflicts, KubernetesApi
from rotator.targets.kubernetes.config import KubernetesConfig, Mode
from rotator.targets.kubernetes.kubeconfig_access import KubeconfigAccess
from rotator.targets.kubernetes.listener import Occasion
from rotator.targets.kubernetes.namespaces import fixed_names, parse_namespace, parse_selection, select
from rotator.targets.kubernetes.nudge import Nudger
from rotator.targets.kubernetes.rights import UNUSED_RIGHTS, needed_rights
from rotator.targets.kubernetes.secret import (
    Rendered,
    held_in,
    is_as_rendered,
    is_ours,
    logins_in,
    marks_in,
    merged,
    refuse_unsuitable,
    render,
    render_beside,
    version_of,
)
from rotator.targets.kubernetes.secret_watch import SecretWatch
from rotator.targets.kubernetes.service_account import name_secret
from rotator.targets.kubernetes.watch import NamespaceWatch, Pace
from rotator.transport import Peer

MERGE_ATTEMPTS = 5
RENDERINGS = 8
"""How many renderings are remembered: as many deliveries may run through one target at once."""
REVIEWED_NAMESPACES = 10
_SPARE_CONNECTIONS = 4


@dataclass(frozen=True, slots=True)
class _Written:
    """What we last saw of a placement that is ours.

    Args:
        version: Its resource version after our write.
        rendered: What we wrote; shared by all placements of one delivery.
    """

    version: str
    rendered: Rendered


class KubernetesTarget:
    """One pull secret per namespace of one cluster.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = KubernetesConfig

    def __init__(self, name: str, config: KubernetesConfig, context: TargetContext) -> None:
        self._name = name
        self._config = config
        self._context = context
        self._selection = parse_selection(config.namespaces)
        self._api = KubernetesApi(name, _access(name, config, context), context.transport, context.clock)
        self._nudger = Nudger(name, config.nudge.listeners, config.secret, self._api, context)
        self._written: dict[str, _Written] = {}
        self._renderings: list[Rendered] = []

    @property
    def name(self) -> str:
        """The target's name in the configuration."""
        return self._name

    @property
    def kind(self) -> str:
        """``kubernetes``."""
        return "kubernetes"

    @property
    def declares(self) -> Declares:
        """The value is read back, the next pull uses it, and the API server keeps writers apart."""
        return Declares()

    async def placements(self) -> Sequence[str]:
        """Return ``namespace/secret`` for every selected namespace that is not going away, sorted.

        Plain names are returned as they are, without a request. What is remembered of other namespaces is forgotten,
        and nothing is told in them any more.

        Raises:
            UnavailableError, PermissionDeniedError, AuthenticationError, ConfigError: The cluster could not be asked.
        """
        written, telling = set(self._written), self._nudger.namespaces  # before the list, which cannot name later ones
        namespaces = await self._namespaces()
        placements = [f"{namespace}/{self._config.secret}" for namespace in namespaces]
        for placement in written.difference(placements):
            self._written.pop(placement, None)
        self._nudger.give_up(telling.difference(namespaces))
        return placements

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make the Secret hold ``entries``, and the service accounts name it; then begin to tell whoever is to know.

        One request per placement that nobody changed since we wrote it; the answer of the write is the read-back.
        Idempotent.

        Raises:
            ConflictError: It belongs to somebody else, holds something newer, or keeps changing.
            PermissionDeniedError: Names the RBAC rule to add. NotFoundError: The namespace is gone or going.
            UnsupportedError: Immutable, of another type, or too large. ShapeError: Its content cannot be merged.
            RateLimitedError, UnavailableError, AuthenticationError, ConfigError.
        """
        return await self.apply_beside(placement, entries, {})

    async def apply_beside(self, placement: str, entries: Sequence[Entry], unissued: Mapping[str, str]) -> Held:
        """Do as `apply`; what a Secret of ours, or one that is adopted, holds of ``unissued`` stays, with its marks.

        Two requests where there are such credentials: they can only be kept by whoever has seen them.
        """
        namespace = self._namespace_of(placement)
        try:
            held = await self._write(namespace, placement, self._rendered(entries), unissued)
        except RotatorError:
            self._written.pop(placement, None)
            raise
        named = [
            await name_secret(self._api, self._context, namespace, account, self._config.secret)
            for account in self._config.service_accounts
        ]
        if all(held.logins.get(entry.credential) == entry.login for entry in entries):
            self._nudger.nudge(namespace, entries, Occasion.CHANGED if held.changed else Occasion.SEEN)
        return Held(held.logins, changed=held.changed or any(named))

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what the Secret holds under the keys of ``entries``; nothing when there is no Secret.

        Raises:
            ShapeError: Its content cannot be read. Others as `apply`.
        """
        secret = await self._find(self._namespace_of(placement))
        return Held(held_in(self._config, secret, entries, placement) if secret else {}, changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Yield when the selected namespaces were first listed, and whenever they became others.

        Never yields for plain names: they need no right to list namespaces, and cannot change.
        """
        changed = asyncio.Event()
        if self._selection.is_fixed:
            await changed.wait()
        follower = NamespaceWatch(self._api, self._selection, self._context, Pace(self._config.resync.total_seconds()))
        # A task of its own: the stream's time-outs must not cancel whoever iterates.
        task = asyncio.create_task(follower.follow(changed.set))
        task.add_done_callback(lambda _: changed.set())
        try:
            while True:
                await changed.wait()
                changed.clear()
                if task.done():
                    task.result()
                yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def changes(self) -> AsyncIterator[str]:
        """Yield each placement whose Secret somebody else created, changed or deleted, those that are there first.

        Never yields without ``watch_secrets``.
        """
        news = asyncio.Event()
        if not self._config.watch_secrets:
            await news.wait()
        waiting: dict[str, None] = {}

        def note(namespace: str, version: str) -> None:
            placement = f"{namespace}/{self._config.secret}"
            written = self._written.get(placement)
            if self._selection.has(namespace) and (written is None or written.version != version):
                waiting[placement] = None
                news.set()

        follower = SecretWatch(self._api, self._config.secret, self._context)
        task = asyncio.create_task(follower.follow(note))  # of its own, as in `watch`
        task.add_done_callback(lambda _: news.set())
        try:
            while True:
                await news.wait()
                news.clear()
                if task.done():
                    task.result()
                while waiting:
                    placement = next(iter(waiting))
                    del waiting[placement]
                    yield placement
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def close(self) -> None:
        """Stop telling, let go of certificates and keys. Connections are the transport's. Safe to repeat."""
        await self._nudger.close()
        self._api.close()

    async def missing_rights(self) -> list[str]:
        """Return the RBAC rules that the target needs and does not have, each with its namespace.

        Asks for the first ten namespaces only; they usually share a role. Changes nothing.

        Raises:
            As `placements`.
        """
        fixed = self._selection.is_fixed
        wanted = needed_rights(self._config, [], fixed=fixed)
        lacking = [ask for ask in wanted if not await self._api.is_allowed(ask)]
        if not lacking:
            namespaces = (await self._namespaces())[:REVIEWED_NAMESPACES]
            in_namespaces = needed_rights(self._config, namespaces, fixed=True)
            lacking = [ask for ask in in_namespaces if not await self._api.is_allowed(ask)]
        return [f"{ask.namespace or 'cluster'}: {ask.rule}" for ask in lacking]

    async def excess_rights(self) -> list[str]:
        """Return what it may do to Secrets and roles in the whole cluster, none of which it ever does. Changes nothing.

        Raises:
            As `placements`.
        """
        return [str(ask) for ask in UNUSED_RIGHTS if await self._api.is_allowed(ask)]

    async def _namespaces(self) -> list[str]:
        if self._selection.is_fixed:
            return fixed_names(self._selection)
        items, _ = await self._api.list_namespaces(self._selection.selector)
        return select(self._selection, (namespace for item in items if (namespace := parse_namespace(item))))

    async def _write(self, namespace: str, placement: str, rendered: Rendered, unissued: Mapping[str, str]) -> Held:
        if self._config.mode is Mode.MERGE:
            return await self._merge(namespace, placement, rendered)
        if not unissued:
            return await self._own(namespace, placement, rendered)
        held = await self._own_unknown(namespace, placement, rendered, unissued)
        del self._written[placement]  # the fence of what is kept stands in the Secret only
        return held

    async def _own(self, namespace: str, placement: str, rendered: Rendered) -> Held:
        """Apply the whole Secret over what we last saw of it; where that is not there any more, look first."""
        known = self._written.get(placement)
        if known is None:
            return await self._own_unknown(namespace, placement, rendered, {})
        refuse_older(known.rendered.marks, known.rendered.held, rendered.entries, placement)
        body = rendered.body_at(known.version)
        try:
            secret = await self._api.apply_secret(namespace, self._config.secret, body, Conflicts.TAKE)
        except (ConflictError, NotFoundError):
            del self._written[placement]
            return await self._own_unknown(namespace, placement, rendered, {})
        return self._held(placement, secret, rendered, known.version)

    async def _own_unknown(
        self, namespace: str, placement: str, rendered: Rendered, unissued: Mapping[str, str]
    ) -> Held:
        name = self._config.secret
        there = await self._find(namespace)
        if there is None:
            secret = await self._api.apply_secret(namespace, name, rendered.body, Conflicts.REFUSE)
            return self._held(placement, secret, rendered, "")
        refuse_unsuitable(self._config, there, placement)
        refuse_older(marks_in(there), self._readable(there, rendered.entries, placement), rendered.entries, placement)
        is_taken = self._config.mode is Mode.ADOPT or is_ours(there)
        conflicts = Conflicts.TAKE if is_taken else Conflicts.REFUSE
        if unissued:
            rendered = render_beside(self._config, there, rendered.entries, unissued)
        version = version_of(there)
        secret = await self._api.apply_secret(namespace, name, rendered.body_at(version), conflicts)
        return self._held(placement, secret, rendered, version)

    def _held(self, placement: str, secret: dict[str, Any], rendered: Rendered, version_before: str) -> Held:
        version = version_of(secret)
        self._written[placement] = _Written(version, rendered)
        is_changed = version != version_before
        if is_as_rendered(self._config, secret, rendered):
            return Held(rendered.held, changed=is_changed)
        return Held(held_in(self._config, secret, rendered.entries, placement), changed=is_changed)

    async def _merge(self, namespace: str, placement: str, rendered: Rendered) -> Held:
        """Edit our registries in a shared Secret, again from the start whenever somebody was faster."""
        failure: ConflictError | None = None
        for attempt in range(MERGE_ATTEMPTS):
            if failure is not None:
                await self._context.clock.sleep(2**attempt * 0.1 * (0.5 + self._context.random() / 2))
            there = await self._find(namespace)
            body = self._edited(there, rendered, placement) if there else rendered.body
            if body is None:
                return Held(held_in(self._config, there or {}, rendered.entries, placement), changed=False)
            try:
                written = await self._put(namespace, there, body)
            except ConflictError as error:
                failure = error
            else:
                return Held(held_in(self._config, written, rendered.entries, placement))
        raise ConflictError(f"{placement}: somebody else keeps changing it") from failure

    def _edited(self, there: dict[str, Any], rendered: Rendered, placement: str) -> bytes | None:
        refuse_unsuitable(self._config, there, placement)
        held = logins_in(self._config, there, rendered.entries, placement)
        refuse_older(marks_in(there), held, rendered.entries, placement)
        return merged(self._config, there, rendered.entries, placement)

    async def _put(self, namespace: str, there: dict[str, Any] | None, body: bytes) -> dict[str, Any]:
        if there is None:
            # Applied rather than posted: only then may `resourceNames` limit the right to create.
            return await self._api.apply_secret(namespace, self._config.secret, body, Conflicts.REFUSE)
        return await self._api.replace_secret(namespace, self._config.secret, body)

    async def _find(self, namespace: str) -> dict[str, Any] | None:
        try:
            return await self._api.get_secret(namespace, self._config.secret)
        except NotFoundError:
            return None

    def _readable(self, secret: dict[str, Any], entries: Sequence[Entry], place: str) -> Mapping[str, Login]:
        """Return the logins in ``secret``; none when it cannot be read, for then there is nothing to protect."""
        try:
            return logins_in(self._config, secret, entries, place)
        except ShapeError:
            return {}

    def _rendered(self, entries: Sequence[Entry]) -> Rendered:
        for rendered in self._renderings:
            if len(rendered.entries) == len(entries) and all(map(operator.is_, rendered.entries, entries)):
                return rendered
        rendered = render(self._config, entries)
        self._renderings = [rendered, *self._renderings[: RENDERINGS - 1]]
        return rendered

    def _namespace_of(self, placement: str) -> str:
        namespace, _, secret = placement.partition("/")
        if secret != self._config.secret or not self._selection.has(namespace):
            raise NotFoundError(f"{self._name}: {placement} is no placement of this target")
        return namespace


def _access(name: str, config: KubernetesConfig, context: TargetContext) -> Access:
    peer = Peer(name, insecure=config.insecure, connections=config.concurrency + _SPARE_CONNECTIONS)
    if config.kubeconfig is None:
        return InClusterAccess(peer, os.environ)
    path = Path(config.kubeconfig)
    return KubeconfigAccess(peer, path, context=config.context, clock=context.clock, environ=os.environ)
