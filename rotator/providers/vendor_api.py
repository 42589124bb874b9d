"""What every provider with an HTTP API of its vendor needs: the way there as options, and one call with JSON."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Self

from pydantic import AfterValidator, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url
from rotator.domain.model import Login
from rotator.domain.reference import api_host
from rotator.errors import RotatorError, ShapeError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.secret import Secret
from rotator.transport import Peer, Request, Response, Transport, check_status


class ApiOptions(CredentialConfig):
    """By which way the vendor's API is reached."""

    api_url: Annotated[str, AfterValidator(base_url)] | None = None
    """The vendor's API. None: the vendor's own address."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate on the way to the vendor's API."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for the API. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for the API. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check_api_url(self) -> Self:
        if self.api_url is not None and not self.api_url.startswith("https://") and not self.insecure:
            raise ValueError("api_url is not https; write insecure: true beside it if that is really meant")
        return self


@dataclass(frozen=True, slots=True)
class Question:
    """One call of the API.

    Args:
        method: HTTP method.
        path: Below the API's address, with its query, percent-encoded; no secret.
        bearer: Shown as ``Authorization: Bearer``; None for nothing. Secret.
        login: Shown as ``Authorization: Basic`` instead; None for nothing. Secret.
        body: Sent as JSON; None for no body. May hold secrets.
        operation: A word for metrics from a closed set.
    """

    method: str
    path: str
    bearer: Secret | None = None
    login: Login | None = None
    body: Mapping[str, object] | None = field(default=None, repr=False)
    operation: str = "issue"


@dataclass(frozen=True, slots=True)
class VendorApi:
    """One vendor's API.

    Args:
        url: Its address, without a slash at the end.
        peer: How it is reached.
        transport: Sends.
    """

    url: str
    peer: Peer
    transport: Transport

    async def send(self, question: Question) -> Response:
        """Return the answer, whatever its status.

        Raises:
            ShapeError: The bearer token cannot stand in a header. RotatorError: As `rotator.transport.Transport.send`.
        """
        headers = {"Accept": "application/json"}
        if question.bearer is not None:
            _refuse_unprintable(question.bearer, self.url)
            headers["Authorization"] = f"Bearer {question.bearer.reveal()}"
        if question.login is not None:
            shown = f"{question.login.username}:{question.login.secret.reveal()}"
            headers["Authorization"] = f"Basic {b64encode(shown.encode()).decode()}"
        if question.body is not None:
            headers["Content-Type"] = "application/json"
        body = None if question.body is None else json.dumps(question.body).encode()
        url = f"{self.url}{question.path}"
        return await self.transport.send(
            self.peer, Request(question.method, url, headers=headers, body=body, operation=question.operation)
        )


def _refuse_unprintable(token: Secret, url: str) -> None:
    text = token.reveal()
    if not text or not all("!" <= character <= "~" for character in text):
        raise ShapeError(
            f"the token for {url} is empty or holds what a header cannot carry", hint="Look at what its source holds"
        )


def vendor_api(name: str, url: str, options: ApiOptions, context: ProviderContext) -> VendorApi:
    """Return the API at ``url``, reached as ``options`` say; ``name`` is its peer's name in metrics."""
    peer = Peer(name, ca_file=options.ca_file, insecure=options.insecure, proxy=options.proxy)
    return VendorApi(url, peer, context.transport)


def registry_api(context: ProviderContext) -> VendorApi:
    """Return the API that stands at the registry's own host, reached as the registry's settings say."""
    settings = context.registry.settings
    peer = Peer(context.registry.host, ca_file=settings.ca_file, insecure=settings.insecure, proxy=settings.proxy)
    scheme = "http" if settings.insecure else "https"
    return VendorApi(f"{scheme}://{api_host(context.registry.host)}", peer, context.transport)


async def read_secret(ref: SecretRef, context: ProviderContext) -> Secret:
    """Return what is kept at ``ref``.

    Raises:
        RotatorError: As `rotator.ports.Source.read`.
    """
    return (await context.sources[ref.source].read(ref.location)).secret


def checked(answer: Response, subject: str, hints: Mapping[int, str]) -> Response:
    """Return a success, or raise the error of the status with the hint that ``hints`` has for it.

    Raises:
        RotatorError: As `rotator.transport.check_status`.
    """
    try:
        return check_status(answer, subject)
    except RotatorError as error:
        error.hint = error.hint or hints.get(answer.status, "")
        raise


def fields_of(answer: Response, subject: str) -> dict[str, Any]:
    """Return the JSON object in the body. May hold secrets.

    Raises:
        UnavailableError: There is none.
    """
    fields = answer.json()
    if not isinstance(fields, dict):
        raise UnavailableError(f"{subject}: the answer is no JSON object", cause="protocol")
    return fields


def text_of(fields: Mapping[str, Any], key: str) -> str:
    """Return the text at ``key``; empty when there is none or it is something else."""
    value = fields.get(key)
    return value if isinstance(value, str) else ""
