"""The target: one project, one login, one change at a time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

from rotator.domain.declares import Concurrency, Declares, Effect
from rotator.errors import FencedError, NotFoundError
from rotator.targets.tagoio_deploy.config import TagoioDeployConfig
from rotator.targets.tagoio_deploy.delegate import DelegateMode
from rotator.targets.tagoio_deploy.form import Form
from rotator.targets.tagoio_deploy.http import HttpMode
from rotator.targets.tagoio_deploy.manual import ManualMode

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from rotator.domain.model import Entry, Held
    from rotator.targets.context import TargetContext

_PROJECTS: WeakValueDictionary[tuple[str, str], asyncio.Lock] = WeakValueDictionary()
"""One lock per control plane and project, whatever number of targets write there: a project deploys as a whole."""


class TagoioDeployTarget:
    """The form of one project. Its only placement is the project's name.

    The form keeps no mark of ours: an older generation is refused as long as this object lives, and no longer.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = TagoioDeployConfig
    kind = "tagoio_deploy"

    def __init__(self, name: str, config: TagoioDeployConfig, context: TargetContext) -> None:
        self.name = name
        self.reveals = config.mode == "manual" and config.hand_over == "reveal"
        self._config = config
        self._form = Form(name, config.project, config.image, config.image_tag, config.reference().registry)
        self._mode = _mode(self._form, config, context)
        self._newest: Entry | None = None
        base = "" if isinstance(self._mode, ManualMode) else self._mode.base
        self._turn = _PROJECTS.setdefault((base, config.project), asyncio.Lock())

    @property
    def declares(self) -> Declares:
        """A deployment for each write; what can be read back depends on the mode and its requests."""
        return Declares(self._mode.proof, Effect.CAUSES_REDEPLOY, Concurrency.SERIALISED, self._config.min_interval)

    async def placements(self) -> Sequence[str]:
        """Return the project. Asks nobody."""
        return (self._config.project,)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Have the form filled in. Safe to repeat; what was done is not done again.

        With ``http`` it lasts as long as the deployment, at most ``deploy_timeout`` and a few requests.

        Raises:
            AwaitingOperatorError: A person, or a program, was told and has not said yet that it is done.
            FencedError: A newer generation was written by this daemon.
            UnsupportedError, ShapeError: It is no login for this form. RotatorError: As the mode says.
        """
        self._check(placement)
        entry = self._form.entry(entries)
        async with self._turn:
            self._refuse_older(entry)
            held = await self._mode.push(entry)
            self._newest = entry
            return held

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return the login as far as it is known to be in the form: see `Declares.readback`. Changes nothing."""
        self._check(placement)
        return await self._mode.look(self._form.entry(entries))

    async def taken(self, placement: str) -> None:
        """Take away what was handed over: the person has it entered. Safe to repeat.

        Raises:
            RotatorError: It cannot be removed.
        """
        self._check(placement)
        await self._mode.take_away()

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names the project. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _check(self, placement: str) -> None:
        if placement != self._config.project:
            raise NotFoundError(f"{placement} is not the project of target {self.name}")

    def _refuse_older(self, entry: Entry) -> None:
        newest = self._newest
        if newest is not None and newest.credential == entry.credential and newest.generation > entry.generation:
            raise FencedError(
                f"{self.name}: {self._config.project} was given generation {newest.generation} of {entry.credential}",
                generation=newest.generation,
            )


def _mode(form: Form, config: TagoioDeployConfig, context: TargetContext) -> ManualMode | HttpMode | DelegateMode:
    if config.http is not None:
        return HttpMode(form, config.http, context, config.min_interval)
    if config.delegate is not None:
        return DelegateMode(form, config.delegate, context)
    return ManualMode(form, config)
