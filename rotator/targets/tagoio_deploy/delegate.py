"""A program of the operator's fills in the form: told by a signed message, and taken at its word."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC
from typing import TYPE_CHECKING, Any

from rotator.domain.declares import Proof
from rotator.domain.model import Held
from rotator.errors import AwaitingOperatorError
from rotator.transport import Peer, Request, check_status
from rotator.transport.standard_webhook import parse_key, signed_headers

if TYPE_CHECKING:
    from rotator.domain.model import Entry
    from rotator.targets.context import TargetContext
    from rotator.targets.tagoio_deploy.config import DelegateConfig
    from rotator.targets.tagoio_deploy.form import Form

EVENT = "tagoio_deploy.login_changed"
ACCEPTED = 202


class DelegateMode:
    """Sends one message per generation, again and again under the same id until it is answered.

    The answer 202 means "accepted, not done yet": then it is done once ``rotator targets ack`` was run, by the program
    or a person. Any other 2xx means that it is done.

    Args:
        form: What is to be filled in.
        config: Who does it.
        context: The world.
    """

    proof = Proof.OPERATOR

    def __init__(self, form: Form, config: DelegateConfig, context: TargetContext) -> None:
        self._form = form
        self._config = config
        self._context = context
        self._peer = Peer(form.target, ca_file=config.ca_file, insecure=config.insecure)
        self._answered: tuple[str, int] = ("", 0)
        self.base = config.url

    async def push(self, entry: Entry) -> Held:
        """Send the message for ``entry``, unless it was answered already.

        Raises:
            AwaitingOperatorError: It was accepted, and is not done yet. RotatorError: As
                `rotator.transport.check_status`, and when the signing key cannot be read.
        """
        message_id = self._id(entry)
        is_repeated = self._answered[0] == message_id
        status = self._answered[1] if is_repeated else await self._send(message_id, entry)
        self._answered = (message_id, status)
        if status != ACCEPTED:
            return Held({entry.credential: entry.login}, changed=not is_repeated, proof=self.proof)
        raise AwaitingOperatorError(
            f"{self._form.target}: {self._config.url} accepted generation {entry.generation} of {entry.credential} for "
            f"project {self._form.project} of TagoIO Deploy, and has not said that it is done",
            hint=f"Once it is deployed: rotator targets ack {self._form.target} --generation {entry.generation}",
        )

    async def look(self, entry: Entry) -> Held:
        """Return ``entry`` when the program said that it is done. Asks nobody."""
        is_done = self._answered[0] == self._id(entry) and self._answered[1] != ACCEPTED
        return Held({entry.credential: entry.login} if is_done else {}, changed=False, proof=self.proof)

    async def take_away(self) -> None:
        """Do nothing: nothing was handed over here."""

    async def _send(self, message_id: str, entry: Entry) -> int:
        ref, now = self._config.signing_key, self._context.clock.now()
        key = parse_key((await self._context.sources[ref.source].read(ref.location)).secret, str(ref))
        body = json.dumps(
            {"type": EVENT, "timestamp": now.astimezone(UTC).isoformat(), "data": self._event(entry)}
        ).encode()
        headers = {"Content-Type": "application/json", **signed_headers([key], message_id, now, body)}
        request = Request("POST", self._config.url, headers, body, operation="apply")
        answer = await self._context.transport.send(self._peer, request)
        return check_status(answer, f"{self._form.target}: POST {self._config.url}").status

    def _event(self, entry: Entry) -> dict[str, Any]:
        """Return what the message says; secret only where the operator asked for that."""
        said = {
            **self._form.public(entry),
            "target": self._form.target,
            "credential": entry.credential,
            "generation": entry.generation,
            "fingerprint": entry.fingerprint,
        }
        if self._config.carry_secret:
            said |= {"username": entry.login.username, "password": entry.login.secret.reveal()}
        return said

    def _id(self, entry: Entry) -> str:
        """Return the message's id: the same for the same generation, after a restart too."""
        parts = (self._form.target, self._form.project, entry.credential, str(entry.generation), entry.fingerprint)
        return f"msg_{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"
