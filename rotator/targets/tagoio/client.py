"""Asks TagoIO's API: one token in one header, JSON both ways."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from rotator.config.ref import SecretRef
from rotator.errors import ShapeError
from rotator.targets.tagoio.address import api_url, loose_url
from rotator.targets.tagoio.envelope import document_of
from rotator.transport import Peer, Request, Response, check_status

if TYPE_CHECKING:
    from rotator.targets.context import TargetContext

_FORBIDDEN_HEADERS = frozenset({"host", "content-type", "content-length", "connection", "transfer-encoding"})


class ApiConfig(BaseModel):
    """How TagoIO's API is reached."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    url: str = "https://api.us-e1.tago.io"
    """Base URL, without a path: ``https://api.eu-w1.tago.io`` for Europe, ``https://api.<project id>.tagoio.net`` or
    its own domain for a TagoIO Deploy project."""

    token: SecretRef
    """Where the token is read, at each call."""

    header: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9-]{0,63}$")] = "token"
    """Name of the header that the token is sent in, and no other. TagoIO's own libraries say ``token``; its documents
    also ``Profile-Token``, ``Account-Token`` and ``Authorization``."""

    scheme: Annotated[str, Field(pattern=r"^[A-Za-z]{0,20}$")] = ""
    """A word before the token, such as ``Bearer``. Empty: the token alone."""

    insecure: bool = False
    """True allows plain HTTP, an unverified certificate, and any host and port: for a test server only."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for the API. None: the system's."""

    @field_validator("header")
    @classmethod
    def _check_header(cls, value: str) -> str:
        if value.lower() in _FORBIDDEN_HEADERS:
            raise ValueError(f"{value!r} means something else in every request; write the header for the token")
        return value

    @model_validator(mode="after")
    def _check_url(self) -> ApiConfig:
        try:
            (loose_url if self.insecure else api_url)(self.url)
        except ValueError as error:
            raise ValueError(f"url {error}") from error
        return self

    def base(self) -> str:
        """Return the base URL as it is used."""
        return loose_url(self.url) if self.insecure else api_url(self.url)


@dataclass(frozen=True, slots=True)
class Question:
    """One request.

    Args:
        method: HTTP method.
        path: Path and query, percent-encoded. In messages without the query; holds no secret.
        body: JSON to send; None for none. May hold secrets.
        operation: A word for metrics.
        busy: As `rotator.targets.tagoio.envelope.document_of`.
    """

    method: str
    path: str
    body: Any = field(default=None, repr=False)
    operation: str = "read"
    busy: re.Pattern[str] | None = None


class TagoioClient:
    """One API, one token.

    Args:
        name: The target's name, for messages and metrics.
        config: How the API is reached.
        context: The world.
    """

    def __init__(self, name: str, config: ApiConfig, context: TargetContext) -> None:
        self.name = name
        self.base = config.base()
        self._config = config
        self._context = context
        self._peer = Peer(name, ca_file=config.ca_file, insecure=config.insecure)

    async def result(self, question: Question) -> Any:
        """Return what a successful answer brings under ``result``; None when it brings nothing. Errors as `ask`."""
        return (await self.ask(question)).get("result")

    async def ask(self, question: Question) -> dict[str, Any]:
        """Return a successful answer in TagoIO's envelope.

        Raises:
            RotatorError: As `rotator.targets.tagoio.envelope.document_of`, as the source of the token, and when there
                was no answer.
        """
        subject, now = self._subject(question), self._context.clock.now()
        return document_of(await self._send(question), subject, now, question.busy)

    async def ask_plainly(self, question: Question) -> Any:
        """Return the JSON of any answer with a status of 2xx, for an API without TagoIO's envelope; {} for none.

        Raises:
            RotatorError: As `rotator.transport.check_status`, as the source of the token, and when there was no answer.
        """
        response = check_status(await self._send(question), self._subject(question))
        return response.json() if response.body else {}

    def _subject(self, question: Question) -> str:
        return f"{self.name}: {question.method} {question.path.partition('?')[0]}"

    async def _send(self, question: Question) -> Response:
        content = None if question.body is None else json.dumps(question.body).encode()
        headers = {self._config.header: await self._token(), "Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self.base}{question.path}"
        request = Request(question.method, url, headers, content, operation=question.operation)
        return await self._context.transport.send(self._peer, request)

    async def _token(self) -> str:
        """Return the token as it is sent. Secret."""
        ref = self._config.token
        token = (await self._context.sources[ref.source].read(ref.location)).secret.reveal().strip()
        if not token.isascii() or not token.isprintable() or " " in token:
            raise ShapeError(f"{ref} is no token: it has white space, or characters that a header cannot carry")
        return f"{self._config.scheme} {token}" if self._config.scheme else token
