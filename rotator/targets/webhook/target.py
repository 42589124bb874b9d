"""The target itself: one receiver, told once of each generation."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta

from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.model import Entry, Held
from rotator.errors import NotFoundError, PermanentError, RateLimitedError
from rotator.targets.accepted import Accepted
from rotator.targets.context import TargetContext
from rotator.targets.webhook.config import WebhookConfig
from rotator.targets.webhook.message import message_id, render
from rotator.targets.webhook.sealed import parse_receiver_key
from rotator.transport import Peer, Request, Response, check_status, origin_of
from rotator.transport.standard_webhook import SigningKey, parse_key, signed_headers

DEADLINE_SECONDS = 20.0
"""For one try, as Standard Webhooks recommends (15 to 30 s)."""


class WebhookTarget:
    """One receiver. Its only placement is its origin, ``https://host``: a path may be known to few.

    A try is a POST; the engine tries again, with the same id, until the receiver says 2xx or a newer generation takes
    its place. What has expired is not told any more. After 410 nothing is sent until the configuration is loaded anew.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world.
    """

    Config = WebhookConfig
    kind = "webhook"
    declares = Declares(readback=Proof.NONE, effect=Effect.NEXT_PULL, concurrency=Concurrency.IDEMPOTENCY_TOKEN)

    def __init__(self, name: str, config: WebhookConfig, context: TargetContext) -> None:
        self.name = name
        self._config = config
        self._context = context
        self._placement = origin_of(config.url)
        self._peer = Peer(name, ca_file=config.ca_file, reach=config.reach())
        self._key = None if config.receiver_key is None else parse_receiver_key(config.receiver_key)
        self._accepted = Accepted(name)
        self._latest: tuple[str, bytes] = ("", b"")
        self._not_before = 0.0
        self._is_gone = False

    async def placements(self) -> Sequence[str]:
        """Return the receiver's origin. Asks nobody."""
        return (self._placement,)

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Tell the receiver of what it has not accepted yet. Safe to repeat: the id of a message is its content's.

        Raises:
            FencedError: A newer generation was accepted. NotFoundError: The receiver said 410, or another placement.
            PermanentError: All has expired; a redirect. RateLimitedError: The receiver asked to be left alone.
            ShapeError: What was read is no signing secret. Others as the transport and `check_status`.
        """
        self._refuse_other(placement)
        news = self._accepted.missing(placement, entries)
        if not news:
            return self._accepted.held(placement, entries, changed=False)
        self._refuse_now()
        living = [entry for entry in news if not entry.expiry.is_past(self._context.clock.now())]
        if not living:
            names = ", ".join(entry.credential for entry in news)
            raise PermanentError(f"{self.name}: {names}: expired, and not told any more")
        self._check(await self._send(living), living)
        self._accepted.note(placement, living)
        return self._accepted.held(placement, entries, changed=True)

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return which of ``entries`` the receiver accepted from this process. Asks nobody."""
        self._refuse_other(placement)
        return self._accepted.held(placement, entries, changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: there is one placement. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: connections belong to the transport."""

    def _refuse_other(self, placement: str) -> None:
        if placement != self._placement:
            raise NotFoundError(f"{self.name}: {placement} is not its receiver")

    def _refuse_now(self) -> None:
        if self._is_gone:
            raise _gone(self.name)
        left = self._not_before - self._context.clock.monotonic()
        if left > 0:
            raise RateLimitedError(
                f"{self.name}: the receiver asked to be left alone", retry_after=timedelta(seconds=left)
            )

    async def _send(self, entries: Sequence[Entry]) -> Response:
        identity, now = message_id(self.name, entries), self._context.clock.now()
        if self._latest[0] != identity:
            self._latest = (identity, render(self.name, entries, now, self._key))
        body = self._latest[1]
        headers = signed_headers(await self._keys(), identity, now, body)
        request = Request(
            "POST",
            self._config.url,
            {"Content-Type": "application/json", **headers},
            body,
            operation="apply",
            deadline=DEADLINE_SECONDS,
        )
        return await self._context.transport.send(self._peer, request)

    async def _keys(self) -> list[SigningKey]:
        keys = []
        for ref in self._config.signing_keys:
            reading = await self._context.sources[ref.source].read(ref.location)
            keys.append(parse_key(reading.secret, f"{self.name}: {ref}"))
        return keys

    def _check(self, response: Response, sent: Sequence[Entry]) -> None:
        if response.status == 410:  # noqa: PLR2004
            self._is_gone = True
            raise _gone(self.name)
        if response.retry_after is not None:
            wait = self._bounded(response.retry_after, sent)
            self._not_before = self._context.clock.monotonic() + wait.total_seconds()
        check_status(response, f"{self.name}: {self._placement}")

    def _bounded(self, wait: timedelta, sent: Sequence[Entry]) -> timedelta:
        """Return how long to leave the receiver alone: at most half of the life that is left of what was sent."""
        lives = [left for entry in sent if (left := entry.expiry.left(self._context.clock.now())) is not None]
        return min([wait, *(left / 2 for left in lives)])


def _gone(target: str) -> NotFoundError:
    return NotFoundError(
        f"{target}: the receiver said 410, gone for good; it is told nothing more",
        hint="Take the target out, or load the configuration anew (SIGHUP) once the receiver is back",
    )
