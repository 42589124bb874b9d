"""The HTTP target: fills requests, sends them in order, and believes an answer no further than it goes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rotator.domain.declares import Concurrency, Declares, Proof
from rotator.domain.model import Entry, Held, Login
from rotator.domain.pull_secret import Convention, auth_of, dump_compact, held, merge, parse_document
from rotator.errors import (
    NotFoundError,
    PermanentError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
    VerificationError,
)
from rotator.secret import Secret
from rotator.targets.accepted import Accepted
from rotator.targets.context import TargetContext
from rotator.targets.http.config import HttpConfig, texts_of
from rotator.targets.http.plan import LOGIN_HOLES, Envelope, Read, Step
from rotator.targets.http.pointer import at, only, replaced
from rotator.targets.template import fill, fill_path, holes
from rotator.transport import Peer, Request, Response, check_status

_NOT_FOUND = 404
_FIRST_FAILURE = 300


@dataclass(frozen=True, slots=True)
class _Session:
    """One delivery's way in: what fills the holes, and the header that lets us in. Secret."""

    values: Mapping[str, str] = field(repr=False)
    header: Secret


class HttpTarget:
    """One place behind an HTTP API. Its placement is the target's name.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = HttpConfig
    kind = "http"

    def __init__(self, name: str, config: HttpConfig, context: TargetContext) -> None:
        self.name = name
        self._config = config
        self._plan = config.plan
        self._context = context
        self._peer = Peer(name, ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy)
        self._accepted = Accepted(name)
        self._sent: tuple[Entry, ...] = ()
        self._turn = asyncio.Lock()
        proof = self._plan.read.proof if self._plan.read else Proof.NONE
        concurrency = Concurrency.COMPARE_AND_SWAP if self._plan.keep_at else Concurrency.SERIALISED
        self.declares = Declares(readback=proof, effect=self._plan.effect, concurrency=concurrency)

    async def placements(self) -> Sequence[str]:
        """Return the target's name: it is one place. Asks nobody."""
        return (self.name,)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Bring ``entries`` there and read back what the platform shows. Safe to repeat.

        What the platform shows to be there, or has accepted from this process, is not sent again; nor is what it was
        seen to be still at work on.

        Raises:
            FencedError: A newer generation was sent. UnsupportedError: The requests hold one login, and here are more.
            VerificationError: The platform tried the login and refuses it. UnavailableError: It is at work; or no
            usable answer. PermanentError: Its own code or state says failure. Others as `check_status`.
        """
        self._refuse_other(placement)
        missing = self._accepted.missing(placement, entries)
        async with self._turn:
            session = await self._session(entries)
            before = await self._document(session)
            shown = self._shown(before, entries)
            if shown.keys() >= {entry.credential for entry in entries} and self._is_settled(shown, entries, missing):
                self._accepted.note(placement, entries)
                return self._held(placement, entries, shown, changed=False)
            await self._refuse_busy(session)
            await self._send_all(session, before, entries)
            self._accepted.note(placement, entries)
            after = await self._document(session)
            shown = self._shown(after, entries) if self._has_moved(before, after) else {}
            return self._held(placement, entries, shown, changed=True)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return the logins of ``entries`` that the platform shows, or that it accepted from this process.

        Where it shows no password, only what this process sent counts. Errors as `apply`.
        """
        self._refuse_other(placement)
        session = await self._session(entries)
        shown = self._shown(await self._document(session), entries)
        return self._held(placement, entries, shown, changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: there is one placement. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _refuse_other(self, placement: str) -> None:
        if placement != self.name:
            raise NotFoundError(f"{self.name}: {placement} is no placement of this target")

    def _has_moved(self, before: Any, after: Any) -> bool:
        """Return whether the platform shows that it was changed, where it shows when and not to what."""
        pointer = self._plan.read.changed_at if self._plan.read else None
        if pointer is None or self.declares.readback is Proof.VALUE:
            return True
        return at(after, pointer) is not None and at(after, pointer) != at(before, pointer)

    def _is_settled(self, shown: Mapping[str, Login], entries: Sequence[Entry], missing: Sequence[Entry]) -> bool:
        """Return whether nothing needs to be sent: seen to be there, or accepted and still shown."""
        if self.declares.readback is not Proof.VALUE:
            return not missing
        return all(shown[entry.credential] == entry.login for entry in entries)

    def _held(self, placement: str, entries: Sequence[Entry], shown: Mapping[str, Login], *, changed: bool) -> Held:
        proof = self.declares.readback
        if proof is Proof.VALUE:
            return Held(dict(shown), changed=changed)
        accepted = self._accepted.held(placement, entries, changed=changed).logins
        logins = {name: login for name, login in accepted.items() if shown.get(name) == login}
        return Held(logins, changed=changed, proof=proof)

    async def _session(self, entries: Sequence[Entry]) -> _Session:
        ref = self._config.secret
        secret = (await self._context.sources[ref.source].read(ref.location)).secret.reveal()
        if not secret or not secret.isprintable() or not secret.isascii():
            raise ShapeError(f"{self.name}: {ref}: cannot be sent in a header: {len(secret)} characters")
        values = {**self._config.filled, **self._of_login(entries)}
        login = self._plan.login
        if login is None:
            return _Session(values, Secret(f"{self._plan.prefix}{secret}"))
        answer = await self._answer(_Session({**values, "secret": secret}, Secret("")), login)
        token = at(answer, login.token_at)
        if not isinstance(token, str) or not token.isprintable() or not token.isascii():
            raise UnavailableError(f"{self.name}: the login brought no session", cause="protocol")
        return _Session(values, Secret(f"{self._plan.prefix}{token}"))

    def _of_login(self, entries: Sequence[Entry]) -> dict[str, str]:
        if not holes(texts_of(self._plan)) & LOGIN_HOLES:
            return {}
        if len(entries) != 1:
            names = ", ".join(entry.credential for entry in entries)
            raise UnsupportedError(
                f"{self.name}: holds one login, and here are {len(entries)}: {names}",
                hint="Make a target for each, or use {docker_config} in the requests",
            )
        (entry,) = entries
        login = {"username": entry.login.username, "password": entry.login.secret.reveal()}
        return {**login, "registry": entry.registry, "auth": auth_of(entry.login)}

    async def _document(self, session: _Session) -> Any:
        """Return what the platform shows; None where there is no way to see it, or nothing yet."""
        read = self._plan.read
        if read is None:
            return None
        answer = await self._send(session, read)
        if answer.status == _NOT_FOUND and read.absent is not None:
            return None
        return self._item(self._parsed(answer, read), read, session)

    def _item(self, document: Any, read: Read, session: _Session) -> Any:
        if read.item_at is None:
            return document
        return only(at(document, read.item_at), fill(read.item_where, session.values))

    def _shown(self, document: Any, entries: Sequence[Entry]) -> dict[str, Login]:
        """Return, by credential, what the platform shows of ``entries``, as far as it shows anything."""
        read = self._plan.read
        if read is None:
            return {entry.credential: entry.login for entry in entries}
        if document is None:
            return {}
        if read.docker_config_at is not None:
            return held(self._docker_config(document, read), entries, Convention.DOCKER)
        (entry,) = entries
        username = entry.login.username if read.username_at is None else at(document, read.username_at)
        password = entry.login.secret.reveal() if read.password_at is None else at(document, read.password_at)
        if not isinstance(username, str) or not isinstance(password, str) or not username or not password:
            return {}
        return {entry.credential: Login(username, Secret(password))}

    def _docker_config(self, document: Any, read: Read) -> dict[str, Any]:
        text = at(document, read.docker_config_at or "")
        try:
            return parse_document(text if isinstance(text, str) else "")
        except ShapeError as error:
            message, hint = error.message, error.hint
        # Raised here, outside of the handler: a parser's error may carry the text.
        raise ShapeError(f"{self.name}: what is there is no docker configuration: {message}", hint=hint)

    def _completed(self, session: _Session, document: Any, entries: Sequence[Entry]) -> _Session:
        """Return the session with the holes that the platform's own answer fills."""
        read = self._plan.read
        if read is None:
            return replace(session, values={**session.values, **self._merged({}, entries)})
        taken = {name: at(document, pointer) for name, pointer in read.take.items()}
        if document is None and read.absent is not None:
            taken = dict(read.absent)
        lacking = [name for name, value in taken.items() if not isinstance(value, str | int)]
        if lacking or (document is None and read.item_at is not None and read.take):
            raise NotFoundError(
                f"{self.name}: the platform does not show {', '.join(lacking) or 'it'}, which must be sent back",
                hint="Check the values in the configuration; the object must exist",
            )
        known = self._docker_config(document, read) if read.docker_config_at is not None else {}
        texts = {name: str(value) for name, value in taken.items()}
        return replace(session, values={**session.values, **texts, **self._merged(known, entries)})

    def _merged(self, document: dict[str, Any], entries: Sequence[Entry]) -> dict[str, str]:
        if "docker_config" not in holes(texts_of(self._plan)):
            return {}
        try:
            return {"docker_config": dump_compact(merge(document, entries, Convention.DOCKER))}
        except ValueError as error:
            raise UnsupportedError(f"{self.name}: {error}") from error

    async def _send_all(self, session: _Session, document: Any, entries: Sequence[Entry]) -> None:
        if self._sent != tuple(entries):  # else it was accepted before, and only its outcome was not known
            session = self._completed(session, document, entries)
            await self._change(session, document)
            if self._plan.finish is not None:
                await self._answer(session, self._plan.finish)
            self._sent = tuple(entries)
        await self._refuse_busy(session)
        self._sent = ()

    async def _change(self, session: _Session, document: Any) -> None:
        """Send the change, and have the platform try it where it can."""
        answer = await self._send(session, self._plan.apply, document)
        is_doubtful = answer.status in self._plan.changed_on
        if not is_doubtful:
            self._parsed(answer, self._plan.apply)
        if self._plan.check is None:
            return
        try:
            await self._answer(session, self._plan.check)
        except PermanentError as error:
            raise VerificationError(
                f"{self.name}: the platform has stored the login, and cannot log in with it: {error.message}",
                hint="The registry may refuse the platform's address; the login before is no longer stored there",
            ) from None

    async def _refuse_busy(self, session: _Session) -> None:
        """Ask how far the platform is.

        Raises:
            UnavailableError: It is at work, or in a state that nobody wrote down. PermanentError: It gave up.
        """
        status = self._plan.status
        if status is None:
            return
        document = self._item(await self._answer(session, status), status, session)
        state = str(at(document, status.state_at)).lower()
        if state in {one.lower() for one in status.ok}:
            return
        if state in {one.lower() for one in status.failed} and self._sent:
            self._sent = ()
            raise PermanentError(f"{self.name}: the platform says that it failed", hint="Look at its own log")
        if state in {one.lower() for one in status.failed}:
            return
        is_busy = state in {one.lower() for one in status.busy}
        words = "at work, and is asked again later" if is_busy else "in a state that the configuration does not name"
        raise UnavailableError(f"{self.name}: the platform is {words}", cause="protocol")

    async def _answer(self, session: _Session, step: Step) -> Any:
        return self._parsed(await self._send(session, step), step)

    def _parsed(self, answer: Response, step: Step) -> Any:
        """Return the body of a success as JSON; None when there is none."""
        subject = f"{self.name}: {step.method} {step.path.partition('?')[0]}"
        check_status(answer, subject)
        if not answer.body.strip():
            return None
        try:
            document = answer.json()
        except UnavailableError as error:
            if isinstance(step, Read) or self._plan.envelope != Envelope():
                raise UnavailableError(f"{subject}: {error.message}", cause="protocol") from None
            return None
        _refuse_failure(document, self._plan.envelope, subject)
        return document

    async def _send(self, session: _Session, step: Step, document: Any = None) -> Response:
        subject = f"{self.name}: {step.method} {step.path.partition('?')[0]}"
        try:
            url = f"{self._config.url}{fill_path(step.path, session.values)}"
            body = fill(step.body, session.values)
        except ValueError as error:
            raise UnsupportedError(f"{subject}: {error}") from None
        keep = self._plan.keep_at
        if keep is not None and step is self._plan.apply and isinstance(at(document, keep), dict):
            body = replaced(body, keep, {**at(document, keep), **at(body, keep)})
        headers = {"Accept": "application/json", "User-Agent": "rotator", **self._plan.headers}
        if session.header:
            headers[self._plan.header] = session.header.reveal()
        content = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            content = json.dumps(body).encode()
        operation = "read" if isinstance(step, Read) else "apply"
        request = Request(step.method, url, headers, content, operation=operation)
        return await self._context.transport.send(self._peer, request)


def _refuse_failure(document: Any, envelope: Envelope, subject: str) -> None:
    """Check that a success is one.

    Raises:
        PermanentError: The platform's own code or its list of errors says otherwise; of the text nothing is repeated.
    """
    if envelope.errors_at is not None and at(document, envelope.errors_at) not in (None, [], {}):
        raise PermanentError(f"{subject}: the answer lists errors", hint="Look at the platform's own log")
    if envelope.code_at is None:
        return
    code = at(document, envelope.code_at)
    if not any(code == one and type(code) is type(one) for one in envelope.ok):
        shown = code if isinstance(code, int) else "another one"
        raise PermanentError(f"{subject}: the platform's code is {shown}, no success")
