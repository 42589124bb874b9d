"""Sends one message to one destination."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Protocol
from urllib.parse import urlsplit

from rotator.config.notify import SlackDestination, WebhookDestination
from rotator.config.ref import SecretRef
from rotator.domain.note import News
from rotator.errors import PermanentError, ShapeError
from rotator.notify import message, slack
from rotator.ports import Clock, Source
from rotator.secret import Secret
from rotator.transport import Peer, Reach, Request, Transport, check_status
from rotator.transport.standard_webhook import parse_key, signed_headers

DEADLINE_SECONDS = 20.0
TEST_ID = "msg_test"
_GONE = frozenset({404, 410})


class Sender(Protocol):
    """One destination. Both calls raise as the transport and `check_status`; no error names the address's path."""

    async def send(self, news: News) -> None:
        """Tell of ``news``. A repeated try at the same news is recognisable where the receiver can recognise it."""
        ...

    async def test(self) -> None:
        """Send a message that says that it is a test."""
        ...


@dataclass(frozen=True, slots=True)
class Means:
    """What sending takes.

    Args:
        transport: The outbound HTTP client.
        clock: Time.
        sources: Where secrets are read, by name.
    """

    transport: Transport
    clock: Clock
    sources: Mapping[str, Source]

    async def read(self, ref: SecretRef, subject: str) -> Secret:
        """Return the secret at ``ref``.

        Raises:
            PermanentError: Its source is not configured. Others as the source.
        """
        source = self.sources.get(ref.source)
        if source is None:
            raise PermanentError(f"{subject}: {ref.source} is not configured")
        return (await source.read(ref.location)).secret


def open_sender(name: str, config: WebhookDestination | SlackDestination, means: Means) -> Sender:
    """Return what sends to the destination ``name``. Asks nobody yet."""
    if isinstance(config, SlackDestination):
        return SlackSender(name, config, means)
    return WebhookSender(name, config, means)


class WebhookSender:
    """A receiver of messages that are signed as the target ``webhook`` signs them.

    Args:
        name: The destination's name.
        config: Its options.
        means: What sending takes.
    """

    def __init__(self, name: str, config: WebhookDestination, means: Means) -> None:
        self._name = name
        self._config = config
        self._means = means
        self._peer = _peer(name, config)

    async def send(self, news: News) -> None:
        """As `Sender.send`: each try at the same news has the same id."""
        body = message.render(self._name, news, self._means.clock.now())
        await self._post(message.message_id(self._name, news), body)

    async def test(self) -> None:
        """As `Sender.test`."""
        now = self._means.clock.now()
        await self._post(f"{TEST_ID}_{int(now.timestamp())}", message.render_test(self._name, now))

    async def _post(self, identity: str, body: bytes) -> None:
        subject = f"notifications.{self._name}"
        refs = self._config.signing_keys
        keys = [parse_key(await self._means.read(ref, subject), f"{subject}: {ref}") for ref in refs]
        headers = signed_headers(keys, identity, self._means.clock.now(), body)
        await _post(self._means.transport, self._peer, self._config.url, headers, body)


class SlackSender:
    """An incoming webhook of Slack's kind. Its whole address is a secret.

    Args:
        name: The destination's name.
        config: Its options.
        means: What sending takes.
    """

    def __init__(self, name: str, config: SlackDestination, means: Means) -> None:
        self._name = name
        self._config = config
        self._means = means
        self._peer = _peer(name, config)

    async def send(self, news: News) -> None:
        """As `Sender.send`. Slack knows no ids: what was taken though its answer was lost is there twice."""
        await self._post(slack.render(news))

    async def test(self) -> None:
        """As `Sender.test`."""
        await self._post(slack.render_test(self._name))

    async def _post(self, body: bytes) -> None:
        subject = f"notifications.{self._name}"
        url = await self._means.read(self._config.url, subject)
        _refuse_address(url, subject, {"https", "http"} if self._config.insecure else {"https"})
        await _post(self._means.transport, self._peer, url.reveal().strip(), {}, body)


def _refuse_address(url: Secret, subject: str, schemes: Collection[str]) -> None:
    try:
        parts = urlsplit(url.reveal().strip())
        is_usable = parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ShapeError(
            f"{subject}: what was read is no address of a webhook",
            hint="Put the whole https:// address of the incoming webhook there, and nothing else",
        )


def _peer(name: str, config: WebhookDestination | SlackDestination) -> Peer:
    reach = None if config.proxy is not None else Reach(tuple(ip_network(one) for one in config.allow_addresses))
    return Peer(name, ca_file=config.ca_file, insecure=config.insecure, proxy=config.proxy, reach=reach)


async def _post(transport: Transport, peer: Peer, url: str, headers: Mapping[str, str], body: bytes) -> None:
    request = Request(
        "POST",
        url,
        {"Content-Type": "application/json", **headers},
        body,
        operation="notify",
        deadline=DEADLINE_SECONDS,
    )
    response = await transport.send(peer, request)
    subject = f"notifications.{peer.name}"
    if response.status in _GONE:
        raise PermanentError(
            f"{subject}: HTTP {response.status}",
            hint="Its address is not known there (any more); make a new one there, and put it where it is read",
        )
    check_status(response, subject)
