"""The servers that we talk to over HTTP: whether they answer, until when their certificate holds, and our clock."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from rotator.build import settings_of
from rotator.config.root import Config
from rotator.doctor.finding import Finding, Level, of_error
from rotator.domain.reference import api_host
from rotator.errors import RotatorError
from rotator.ports import Clock
from rotator.transport import Peer, Request, Transport
from rotator.transport.certificate import certificate_end

ENDING_SOON = timedelta(days=14)
SKEW = timedelta(seconds=30)
"""More than this makes signed requests and short tokens fail somewhere."""
DEADLINE_SECONDS = 10.0
_REGISTRY_ANSWERS = frozenset({200, 401, 403, 429})
"""What the base of the registry API answers where there is one: OCI distribution specification 1.1, "Determining
Support": 200, or 401 and its like where a login is needed."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that the configuration names.

    Args:
        family: ``registry`` or ``vault``.
        host: As people know it.
        url: What is asked, without a login: free at every vendor, as it is no manifest.
        peer: How it is reached.
    """

    family: str
    host: str
    url: str
    peer: Peer


async def check_peers(config: Config, transport: Transport, clock: Clock) -> list[Finding]:
    """Return how every server stands; all are asked at once, each two questions at most."""
    answers = await asyncio.gather(*(_check_server(one, transport, clock) for one in servers_of(config)))
    return [finding for found in answers for finding in found]


def servers_of(config: Config) -> Iterator[Server]:
    """Yield every registry that a credential is for, and Vault."""
    for host in sorted({one.registry for one in config.credentials.values()}):
        settings = settings_of(config, host)
        peer = Peer("registry", ca_file=settings.ca_file, insecure=settings.insecure, proxy=settings.proxy)
        scheme = "http" if settings.insecure else "https"
        yield Server("registry", host, f"{scheme}://{api_host(host)}/v2/", peer)
    if config.vault is not None:
        vault = config.vault
        peer = Peer("vault", ca_file=vault.ca_file, insecure=vault.insecure, proxy=vault.proxy)
        yield Server("vault", urlsplit(vault.address).netloc, f"{vault.address}/v1/sys/health?standbyok=true", peer)


async def _check_server(server: Server, transport: Transport, clock: Clock) -> list[Finding]:
    before = clock.now()
    try:
        response = await transport.send(server.peer, Request("GET", server.url, deadline=DEADLINE_SECONDS))
    except RotatorError as error:
        mend = "Look at its name, at the way to it (registries: proxy, ca_file), and at firewalls"
        return [_unreached(server, error, mend)]
    found = [judge_answer(server, response.status)]
    found.append(judge_skew(server.host, response.headers, before, clock.now()))
    if server.url.startswith("https://"):
        found.append(await _check_certificate(server, clock.now()))
    return found


def _unreached(server: Server, error: RotatorError, mend: str) -> Finding:
    told = of_error(server.family, server.host, error)
    return Finding(server.family, server.host, Level.FAIL, told.text, error.hint or mend)


def judge_answer(server: Server, status: int) -> Finding:
    """Decide by the status of its answer whether the server is what it should be."""
    is_fine = status in _REGISTRY_ANSWERS if server.family == "registry" else status < 500  # noqa: PLR2004
    if is_fine:
        return Finding(server.family, server.host, Level.OK, f"it answers (HTTP {status})")
    kind = "a registry" if server.family == "registry" else "a Vault that is ready"
    mend = "Look whether the host is right, and ask whoever runs it"
    return Finding(server.family, server.host, Level.FAIL, f"it answers HTTP {status}, which is not {kind}", mend)


async def _check_certificate(server: Server, now: datetime) -> Finding:
    parts = urlsplit(server.url)
    try:
        end = await certificate_end(server.peer, parts.hostname or "", parts.port or 443, DEADLINE_SECONDS)
    except RotatorError as error:
        return of_error("tls", server.host, error)
    return judge_certificate(server.host, end, now)


def judge_certificate(host: str, end: datetime | None, now: datetime) -> Finding:
    """Decide how long a peer's certificate holds; None where it was not shown to us, or not verified."""
    if end is None:
        text = "its certificate was not seen: a proxy is between, or it is not verified"
        return Finding("tls", host, Level.UNKNOWN, text, "Look at it from where it is verified")
    left = end - now
    days = f"{end:%Y-%m-%d}, in {max(0, left.days)} days"
    if left <= ENDING_SOON:
        mend = "Have whoever runs it renew the certificate; when it is over, nothing is verified or pulled there"
        return Finding("tls", host, Level.WARN, f"its certificate ends on {days}", mend)
    return Finding("tls", host, Level.OK, f"its certificate is verified and ends on {days}")


def judge_skew(host: str, headers: Mapping[str, str], before: datetime, after: datetime) -> Finding:
    """Decide by a server's ``Date`` (whole seconds, RFC 9110 section 6.6.1) whether one of the two clocks is wrong.

    Args:
        host: Whose answer it is.
        headers: Of the answer.
        before: Our time when it was asked.
        after: Our time when it had answered.
    """
    try:
        told = parsedate_to_datetime(headers["Date"])
    except (KeyError, ValueError, TypeError, IndexError, OverflowError):
        return Finding("clock", host, Level.UNKNOWN, "it does not tell the time", "Compare with another server")
    told = told if told.tzinfo is not None else told.replace(tzinfo=UTC)
    ahead = max(timedelta(), told - after, before - told - timedelta(seconds=1))
    if ahead <= SKEW:
        return Finding("clock", host, Level.OK, f"our clocks agree within {SKEW.seconds} s")
    way = "ahead of" if before > told else "behind"
    mend = "Set the clock by NTP: timedatectl set-ntp true (if other servers agree with us, it is theirs that is wrong)"
    text = f"our clock is {int(ahead.total_seconds())} s {way} its clock"
    return Finding("clock", host, Level.FAIL, text, mend)
