"""Requests that the operator wrote fill in the form; a deployment follows each, and is watched to its end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from rotator.domain.declares import Proof
from rotator.domain.model import Held
from rotator.errors import ConflictError, PermanentError, UnavailableError
from rotator.targets.tagoio.client import Question, TagoioClient
from rotator.targets.tagoio_deploy.pointer import at
from rotator.targets.template import fill, fill_path

if TYPE_CHECKING:
    from datetime import timedelta

    from rotator.domain.model import Entry
    from rotator.targets.context import TargetContext
    from rotator.targets.tagoio_deploy.config import HttpConfig, StatusRequest
    from rotator.targets.tagoio_deploy.form import Form

_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}", re.ASCII)
"""An id goes into messages only when it looks like one."""


class _State(Enum):
    OK = "ok"
    BUSY = "busy"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class _Deployment:
    state: _State
    id: str = ""


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the form shows; None where nothing was asked for."""

    username: Any = None
    updated_at: Any = None


@dataclass(slots=True)
class _Sent:
    """What was sent last.

    Args:
        at: When, monotonic.
        before: The deployment before it.
        shown: What the form showed before it.
        after: What it showed once the deployment had ended; None until then.
        failure: How the deployment failed; None when it did not.
    """

    generation: int
    fingerprint: str
    at: float
    before: _Deployment | None
    shown: _Shown
    after: _Shown | None = None
    failure: PermanentError | None = None

    def is_of(self, entry: Entry) -> bool:
        """Return whether this is what ``entry`` asks for."""
        return (self.generation, self.fingerprint) == (entry.generation, entry.fingerprint)

    def is_older(self, found: _Deployment) -> bool:
        """Return whether ``found`` is the deployment before ours, so that ours is not listed yet."""
        return self.before is not None and self.before.id != "" and found.id == self.before.id


class HttpMode:
    """Changes the login by requests, one deployment for each.

    Args:
        form: What is to be filled in.
        config: The requests.
        context: The world.
        min_interval: Shortest time between two changes of one generation.
    """

    def __init__(self, form: Form, config: HttpConfig, context: TargetContext, min_interval: timedelta) -> None:
        self._form = form
        self._config = config
        self._clock = context.clock
        self._client = TagoioClient(form.target, config.api, context)
        self._min_interval = min_interval.total_seconds()
        self._busy = re.compile(config.busy_match)
        self._sent: _Sent | None = None
        self.base = self._client.base

    @property
    def proof(self) -> Proof:
        """The strongest proof that the requests allow."""
        read = self._config.read
        if read is not None and read.username_at is not None:
            return Proof.USERNAME
        can_see = self._config.status is not None or (read is not None and read.updated_at is not None)
        return Proof.METADATA if can_see else Proof.NONE

    async def push(self, entry: Entry) -> Held:
        """Change the login, wait for the deployment, and look at what is shown then.

        A generation is sent once: repeating this goes on waiting and looking, and deploys nothing anew, unless what was
        shown after the deployment has changed since. A deployment that failed is not tried again by itself: TagoIO's
        documents know no other remedy than its support.

        Raises:
            ConflictError: A deployment runs already, or somebody changed the form just now.
            PermanentError: The deployment failed. UnavailableError: It did not end in time.
            RotatorError: As `TagoioClient.ask`.
        """
        sent = self._sent
        if sent is not None and sent.is_of(entry):
            return await self._repeat(sent, entry)
        return await self._finish(await self._send(entry), entry)

    async def _repeat(self, sent: _Sent, entry: Entry) -> Held:
        if sent.failure is not None:
            raise sent.failure
        if sent.after is None:
            return await self._finish(sent, entry)
        held = await self.look(entry)
        if held.logins:
            return held
        left = sent.at + self._min_interval - self._clock.monotonic()
        if left > 0:
            raise ConflictError(
                f"{self._form.target}: somebody else changed the form of {self._form.project} after us",
                hint=f"It is written again in {int(left) + 1} s",
            )
        return await self._finish(await self._send(entry), entry)

    async def _send(self, entry: Entry) -> _Sent:
        before = await self._deployment(entry)
        if before is not None and before.state is _State.BUSY:
            raise ConflictError(f"{self._form.target}: a deployment of {self._form.project} runs already")
        shown = await self._read(entry)
        request = self._config.apply
        path = fill_path(request.path, self._form.public(entry))
        body = fill(request.body, self._form.values(entry))
        sent = _Sent(entry.generation, entry.fingerprint, self._clock.monotonic(), before, shown)
        await self._ask(Question(request.method, path, body, "apply", self._busy))
        self._sent = sent
        return sent

    async def _finish(self, sent: _Sent, entry: Entry) -> Held:
        await self._wait(sent, entry)
        shown = await self._read(entry)
        is_new = shown.updated_at is None or shown.updated_at != sent.shown.updated_at
        if is_new and shown.username in {None, entry.login.username}:
            sent.after = shown
            return Held({entry.credential: entry.login}, proof=self.proof)
        return Held({}, proof=self.proof)

    async def look(self, entry: Entry) -> Held:
        """Return ``entry`` as long as what was shown after its deployment is shown still. Changes nothing."""
        sent = self._sent
        if sent is None or not sent.is_of(entry) or sent.after is None:
            return Held({}, changed=False, proof=self.proof)
        is_ours = await self._read(entry) == sent.after
        return Held({entry.credential: entry.login} if is_ours else {}, changed=False, proof=self.proof)

    async def take_away(self) -> None:
        """Do nothing: nothing was handed over."""

    async def _read(self, entry: Entry) -> _Shown:
        read = self._config.read
        if read is None:
            return _Shown()
        document = await self._ask(Question("GET", fill_path(read.path, self._form.public(entry))))
        username = None if read.username_at is None else self._at(document, read.username_at)
        return _Shown(username, None if read.updated_at is None else self._at(document, read.updated_at))

    async def _wait(self, sent: _Sent, entry: Entry) -> None:
        """Wait until the deployment has ended well; at once where its state cannot be asked for."""
        began, ends = self._clock.now(), self._clock.monotonic() + self._config.deploy_timeout.total_seconds()
        while (found := await self._deployment(entry)) is not None:
            named = f"the deployment {found.id}".rstrip() + f" of generation {entry.generation}"
            if sent.is_older(found):
                named = f"any deployment of generation {entry.generation}"
            elif found.state is _State.OK:
                return
            elif found.state is _State.FAILED:
                sent.failure = PermanentError(
                    f"{self._form.target}: {named}, begun before {began:%Y-%m-%d %H:%M:%S} UTC, ended in an error",
                    hint=f"Tell TagoIO's support project, deployment and time; then: rotator rotate {entry.credential}",
                )
                raise sent.failure
            if self._clock.monotonic() >= ends:
                raise UnavailableError(f"{self._form.target}: {named} did not end in time", cause="timeout")
            await self._clock.sleep(self._config.poll_interval.total_seconds())

    async def _deployment(self, entry: Entry) -> _Deployment | None:
        """Return how the newest deployment stands; None where that cannot be asked for, or there never was one."""
        status = self._config.status
        if status is None:
            return None
        document = await self._ask(Question("GET", fill_path(status.path, self._form.public(entry))))
        state = self._state(status, str(self._at(document, status.state_at)).strip().lower())
        shown = "" if status.id_at is None else str(self._at(document, status.id_at))
        return _Deployment(state, shown if _ID.fullmatch(shown) else "")

    def _state(self, status: StatusRequest, shown: str) -> _State:
        words = ((_State.OK, status.ok), (_State.BUSY, status.busy), (_State.FAILED, status.failed))
        for state, known in words:
            if shown in {word.lower() for word in known}:
                return state
        raise UnavailableError(
            f"{self._form.target}: {status.state_at} is none of the states in ok, busy and failed", cause="protocol"
        )

    def _at(self, document: Any, pointer: str) -> Any:
        try:
            return at(document, pointer)
        except LookupError as error:
            raise UnavailableError(f"{self._form.target}: {error} in the answer", cause="protocol") from error

    async def _ask(self, question: Question) -> Any:
        is_enveloped = self._config.envelope == "tagoio"
        return await (self._client.ask(question) if is_enveloped else self._client.ask_plainly(question))
