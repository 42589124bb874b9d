"""The daemon's client: JSON and server-sent events over the admin API, and advice when nobody answers."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import BaseModel, ValidationError

from rotator.admin.gate import CUSTOM_HEADER
from rotator.admin.models import ProblemEnvelope
from rotator.cli.failure import UnreachableError, UsageError
from rotator.clock import SystemClock
from rotator.errors import PermanentError, RotatorError, UnavailableError
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, Transport

IDLE_SECONDS = 30.0
"""A stream that says nothing for this long is dead; the daemon speaks every five seconds."""
_LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
_OUTSIDE = frozenset({"token_required", "token_unknown", "caller_not_allowed", "wrong_host", "too_many_failures"})
_USAGE = frozenset({"not_found", "invalid_request"})

Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class Door:
    """Where the daemon is reached.

    Args:
        socket: Its UNIX socket; not used with ``url``.
        url: Its address over TCP; None for the socket.
        token_file: File with the token for ``url``; None for none.
    """

    socket: Path
    url: str | None = None
    token_file: Path | None = None

    def peer(self) -> Peer:
        """Return how to connect: plain HTTP only inside this machine.

        Raises:
            UsageError: The URL would show the token to the network.
        """
        if self.url is None:
            return Peer("daemon", unix_socket=str(self.socket))
        try:
            parts = urlsplit(self.url)
            host = parts.hostname
        except ValueError as error:
            raise UsageError("--url is not a URL") from error
        if parts.scheme not in {"http", "https"} or not host:
            raise UsageError("--url must begin with http:// or https://")
        if parts.scheme == "http" and host not in _LOCAL:
            raise UsageError(
                f"--url: plain HTTP to {host} would show the token to the network",
                hint="Use https, or tunnel: ssh -L 9181:127.0.0.1:9181 host, then --url http://127.0.0.1:9181",
            )
        return Peer("daemon", insecure=parts.scheme == "http")

    def base(self) -> str:
        """Return what every path is put behind."""
        return f"{(self.url or 'http://localhost').rstrip('/')}/api/v1"

    def headers(self) -> dict[str, str]:
        """Return the headers that say who we are. Secret."""
        if self.token_file is None:
            return {}
        return {"Authorization": f"Bearer {_read_token(self.token_file).reveal()}"}


class Client:
    """Asks one daemon. Make one with `open_client`."""

    def __init__(self, door: Door, transport: Transport) -> None:
        self._door = door
        self._transport = transport
        self._peer = door.peer()
        self._base = door.base()
        self._headers = door.headers()

    async def get(self, path: str, query: Mapping[str, str] | Sequence[tuple[str, str]] | None = None) -> bytes:
        """Return the body of an answer. Changes nothing.

        Args:
            path: Below ``/api/v1``, percent-encoded (`segment`).
            query: Parameters.

        Raises:
            UnreachableError: Nobody answers, or they do not let us in. UsageError: What was asked for does not exist.
            RotatorError: The daemon could not.
        """
        url = f"{self._base}{path}" + (f"?{urlencode(query)}" if query else "")
        return await self._send(Request("GET", url, self._headers, operation="read"))

    async def post(self, path: str, body: Mapping[str, Any], key: str) -> bytes:
        """Return the body of an answer; the same ``key`` gets the same answer. Errors as `get`."""
        ours = {"Content-Type": "application/json", "Idempotency-Key": key, CUSTOM_HEADER: "rotator"}
        headers = {**self._headers, **ours}
        content = json.dumps(dict(body)).encode()
        return await self._send(Request("POST", f"{self._base}{path}", headers, content, operation="rotate"))

    async def events(self, path: str) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """Yield name and value of every event, until the daemon ends the stream. Errors as `get`."""
        try:
            async with self._transport.stream(
                self._peer, f"{self._base}{path}", headers=self._headers, idle=IDLE_SECONDS
            ) as (head, lines):
                _check(head)
                async for event in parse_events(lines):
                    yield event
        except UnavailableError as error:
            raise self._unreachable(error) from error

    async def _send(self, request: Request) -> bytes:
        try:
            return _check(await self._transport.send(self._peer, request)).body
        except UnreachableError:
            raise
        except UnavailableError as error:
            raise self._unreachable(error) from error

    def _unreachable(self, error: UnavailableError) -> UnreachableError:
        if self._door.url is not None:
            return UnreachableError(
                f"the daemon does not answer at {self._door.url}",
                hint="Is it running, and is this its admin.listen address?",
            )
        return _socket_advice(self._door.socket, error)


@asynccontextmanager
async def open_client(door: Door) -> AsyncIterator[Client]:
    """Open a client, and close its connections at the end. Connects to nobody yet."""
    transport = Transport(clock=SystemClock())
    try:
        yield Client(door, transport)
    finally:
        await transport.close()


def segment(text: str) -> str:
    """Return ``text`` as one segment of a path.

    Raises:
        UsageError: It would lead elsewhere, so it is no name.
    """
    if "/" in text or text in {"", ".", ".."}:
        raise UsageError(f"{text} is not a name")
    return quote(text, safe="")


def parse(model: type[Model], body: bytes) -> Model:
    """Return an answer as a value; what is new in a newer daemon is passed over.

    Raises:
        PermanentError: It is not such an answer.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        raise PermanentError(
            "the daemon's answer is not understood", hint="Use the rotator command of the daemon's own version"
        ) from error


async def parse_events(lines: AsyncIterator[bytes]) -> AsyncIterator[tuple[str, dict[str, Any]]]:
    """Yield the events in a stream of lines (WHATWG HTML, section 9.2.6); what is not one is passed over."""
    name, value = "", ""
    async for line in lines:
        field, _, rest = line.decode(errors="replace").rstrip("\r").partition(":")
        text = rest.removeprefix(" ")
        if field == "event":
            name = text
        elif field == "data":
            value += text
        elif not field and not rest and value:
            try:
                parsed = json.loads(value)
            except ValueError:
                parsed = None
            if isinstance(parsed, dict):
                yield name, parsed
            name, value = "", ""


def _check(response: Response) -> Response:
    """Return ``response`` when it is a success.

    Raises:
        UnreachableError, UsageError, RotatorError: What the daemon says instead.
    """
    if response.status < 300:  # noqa: PLR2004
        return response
    try:
        problem = ProblemEnvelope.model_validate_json(response.body).error
    except ValidationError:
        raise UnreachableError(
            f"something answers there, but not like the daemon (HTTP {response.status})",
            hint="Check --socket or --url",
        ) from None
    hint = problem.hint
    if problem.code in _OUTSIDE:
        raise UnreachableError(f"the daemon says: {problem.message}", hint=hint)
    if problem.code in _USAGE:
        raise UsageError(problem.message, hint=hint)
    raise RotatorError(f"the daemon says: {problem.message}", hint=hint or _where_it_says_more(problem.correlation_id))


def _where_it_says_more(correlation_id: str) -> str:
    return f"Its log says more, at correlation id {correlation_id}"


def _socket_advice(path: Path, error: UnavailableError) -> UnreachableError:
    """Return what a person does about a socket that does not answer, by why it does not."""
    number = error.__cause__.errno if isinstance(error.__cause__, OSError) else None
    if number == errno.EACCES:
        return UnreachableError(
            f"user id {os.getuid()} may not open {path}",
            hint="Run this with sudo or as the daemon's user, or add the id to admin.allow_uids",
        )
    if number == errno.ENOENT:
        return UnreachableError(
            f"there is no socket at {path}",
            hint="Is the daemon running (rotator run)? If its admin.socket is elsewhere, name it with --socket",
        )
    return UnreachableError(
        f"nobody answers at {path}", hint="Is the daemon running (rotator run)? Its log says why it stopped"
    )


def _read_token(path: Path) -> Secret:
    """Return the first line of ``path`` that is not empty and not a comment. Secret.

    Raises:
        UsageError: It cannot be read, others may read it, or it is empty.
    """
    try:
        with path.open("rb") as stream:
            mode = stat.S_IMODE(os.fstat(stream.fileno()).st_mode)
            lines = stream.read(1 << 16).decode(errors="replace").splitlines()
    except OSError as error:
        raise UsageError(f"--token-file: {path} cannot be read ({error.strerror})") from error
    if mode & 0o077:
        raise UsageError(f"--token-file: {path} may be read by others", hint=f"Run chmod 600 {path}")
    tokens = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    if not tokens or not tokens[0].isascii() or not tokens[0].isprintable():
        raise UsageError(f"--token-file: {path} has no token in it")
    return Secret(tokens[0])
