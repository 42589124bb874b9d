"""How questions travel to Vault: hvac on a bounded thread pool, with a hard end to every call.

hvac alone follows redirects with ``X-Vault-Token`` on, reads proxies, tokens and ``.netrc`` from the environment,
unpacks any amount of compressed data, and waits as long as a byte drips in now and then. None of that happens here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from typing import Any, TypeVar

import hvac
import hvac.adapters
import hvac.exceptions
import requests
import urllib3.exceptions

from rotator.config.vault import VaultConfig
from rotator.errors import ConflictError, RotatorError, UnavailableError
from rotator.ports import Clock
from rotator.secret import Secret
from rotator.sources.vault_socket import Call, open_session
from rotator.transport import MAX_BODY_BYTES, Response, check_status, origin_of, parse_retry_after

Answer = TypeVar("Answer")

NOT_FOUND = 404
BAD_REQUEST = 400
CHECK_AND_SET = b"check-and-set parameter did not match"
"""How Vault says, with status 400, that a write was based on an older version.
Source: https://developer.hashicorp.com/vault/docs/secrets/kv/kv-v2/cookbook/patch-data (read 2026-11-28)."""

_REDIRECTS = range(300, 400)
_ASIDE = {
    472: "is a disaster-recovery standby",
    473: "is a performance standby that does not serve this",
    501: "is not initialised",
    503: "is sealed or down for maintenance",
}
"""Statuses by which Vault says that this node does not serve now.
Source: https://developer.hashicorp.com/vault/api-docs/system/health (read 2026-11-23)."""


class VaultWire:
    """Runs blocking hvac calls so that the awaiting side never waits longer than the deadline.

    A call that is late has its socket shut, which frees its thread; how many can be stuck is bounded by the pool.

    Args:
        config: Address, trust, proxy, namespace and deadline.
        executor: Where the calls block; bounded, and not shared with what must not wait for Vault.
        clock: For ``Retry-After`` dates.
    """

    def __init__(self, config: VaultConfig, *, executor: Executor, clock: Clock) -> None:
        self._config = config
        self._executor = executor
        self._clock = clock
        self._deadline = config.timeout.total_seconds()
        self._session = open_session(config)

    def client(self, token: Secret | None = None) -> hvac.Client:
        """Return a client that shows ``token``; None for one that logs in. Makes no call."""

        def adapter(**_: Any) -> BoundedAdapter:
            # hvac would fill what we leave out from VAULT_* variables and ~/.vault-token; so it is given nothing.
            return BoundedAdapter(
                clock=self._clock,
                base_uri=self._config.address,
                token=token.reveal() if token else "",
                timeout=self._deadline,
                session=self._session,
                namespace=self._config.namespace,
            )

        return hvac.Client(url=self._config.address, token="", adapter=adapter)

    async def call(self, ask: Callable[[hvac.Client], Answer], client: hvac.Client) -> Answer:
        """Run ``ask`` on a thread and return its answer.

        Raises:
            UnavailableError: No answer in time, or none that is usable. Whatever `BoundedAdapter.request` raises.
        """
        call = Call()

        def run() -> Answer:
            with call:
                return ask(client)

        try:
            async with asyncio.timeout(self._deadline):
                return await asyncio.get_running_loop().run_in_executor(self._executor, run)
        except TimeoutError as error:
            raise self._late() from error
        finally:
            call.abort()

    def close(self) -> None:
        """Close idle connections. Safe to repeat."""
        self._session.close()

    def _late(self) -> UnavailableError:
        address = self._config.address
        return UnavailableError(
            f"vault: {address}: no complete answer in time ({self._deadline:g} s)",
            hint="Check that Vault is healthy and can be reached from here",
            cause="timeout",
        )


class BoundedAdapter(hvac.adapters.JSONAdapter):  # type: ignore[misc]  # hvac has no types
    """hvac's seam for HTTP, with our limits: no redirects, 1 MiB, no compression, only our own errors.

    Args:
        clock: For ``Retry-After`` dates.
        settings: As for `hvac.adapters.Adapter`.
    """

    def __init__(self, *, clock: Clock, **settings: Any) -> None:
        super().__init__(allow_redirects=False, **settings)
        self._clock = clock

    def request(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        raise_exception: bool = True,  # noqa: ARG002, FBT001, FBT002 (hvac's signature; we always raise)
        **content: Any,
    ) -> Any:
        """Return the JSON object that Vault answered; an empty one for an empty answer.

        Raises:
            hvac.exceptions.InvalidPath: 404, with the parsed body: hvac itself looks at it.
            ConflictError: A check-and-set did not match.
            UnavailableError: Sealed, standby, 5xx, redirect, or no usable answer; ``cause`` says which.
            RotatorError: Any other status, as in `rotator.transport.check_status`.
        """
        subject = f"vault: {method.upper()} {url}"
        response = self._exchange(method, self.urljoin(self.base_uri, url), {**(headers or {}), **self._own()}, content)
        if response.status in _REDIRECTS:
            raise _redirected(self.base_uri, response)
        if response.status == NOT_FOUND:
            raise hvac.exceptions.InvalidPath(subject, json=_json_or_none(response))
        if response.status in _ASIDE:
            raise self._set_aside(response)
        if response.status == BAD_REQUEST and CHECK_AND_SET in response.body:
            raise ConflictError(f"{subject}: somebody else wrote a newer version")
        check_status(response, subject)
        return self._object(response) if response.body else {}

    def _own(self) -> dict[str, str]:
        headers = {"X-Vault-Request": "true"}
        if self.token:
            headers["X-Vault-Token"] = self.token
        if self.namespace:
            headers["X-Vault-Namespace"] = self.namespace
        return headers

    def _exchange(self, method: str, url: str, headers: Mapping[str, str], content: Mapping[str, Any]) -> Response:
        try:
            with self.session.request(
                method,
                url,
                headers=headers,
                allow_redirects=False,
                stream=True,
                timeout=self._kwargs["timeout"],
                params=content.get("params"),
                json=content.get("json"),
            ) as answer:
                return self._read(answer)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
            raise _broken(self.base_uri, error) from error

    def _read(self, answer: requests.Response) -> Response:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise self._unusable("the answer is compressed although asked not to be")
        body = answer.raw.read(MAX_BODY_BYTES + 1, decode_content=False)
        if len(body) > MAX_BODY_BYTES:
            raise self._unusable(f"the answer is larger than {MAX_BODY_BYTES} bytes")
        wait = answer.headers.get("Retry-After")
        retry_after = parse_retry_after(wait, self._clock.now()) if wait else None
        return Response(answer.status_code, answer.headers, body, retry_after)

    def _object(self, response: Response) -> dict[str, Any]:
        try:
            value = response.json()
        except UnavailableError as error:
            raise self._unusable(error.message) from error
        if not isinstance(value, dict):
            raise self._unusable("the answer is not a JSON object")
        return value

    def _set_aside(self, response: Response) -> UnavailableError:
        return UnavailableError(
            f"vault: {self.base_uri} {_ASIDE[response.status]} (HTTP {response.status})",
            hint="What was delivered stays in use; unseal Vault, or name its active node in vault.address",
            retry_after=response.retry_after,
        )

    def _unusable(self, words: str) -> UnavailableError:
        return UnavailableError(
            f"vault: {self.base_uri}: {words}", hint="Check that vault.address is really a Vault", cause="protocol"
        )


def _redirected(address: str, response: Response) -> UnavailableError:
    there = origin_of(response.headers.get("Location", ""))
    return UnavailableError(
        f"vault: {address} answered with a redirect (HTTP {response.status}) to {there}; redirects are not followed",
        hint=f"If {there} is your Vault's active node, configure it as vault.address, or a load balancer before it",
        cause="protocol",
    )


def _json_or_none(response: Response) -> Any:
    try:
        return response.json()
    except UnavailableError:
        return None


_CAUSES: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((requests.exceptions.SSLError, urllib3.exceptions.SSLError), "tls", "its certificate or TLS is not acceptable"),
    ((requests.exceptions.ProxyError,), "refused", "the proxy does not let us through"),
    ((urllib3.exceptions.NameResolutionError,), "dns", "the name does not resolve"),
    ((urllib3.exceptions.NewConnectionError,), "refused", "cannot connect"),
    ((requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError), "timeout", "no complete answer in time"),
    ((requests.ConnectionError, urllib3.exceptions.ProtocolError, OSError), "reset", "the connection broke"),
    ((Exception,), "protocol", "no usable HTTP came back"),
)
"""First match wins: kinds of broken call, the metric label, the words for people. urllib3 counts names that do not
resolve and refused connections among the time-outs, so these come first."""


def _broken(address: str, error: Exception) -> RotatorError:
    # requests wraps urllib3's reason: ConnectionError(MaxRetryError(reason=NewConnectionError(...))).
    reason = getattr(next(iter(error.args), None), "reason", None)
    inner = reason if isinstance(reason, urllib3.exceptions.NewConnectionError) else error
    cause, words = next((cause, words) for kinds, cause, words in _CAUSES if isinstance(inner, kinds))
    hint = "Check vault.ca_file and the host name in vault.address" if cause == "tls" else "Check vault.address"
    return UnavailableError(f"vault: {address}: {words}", hint=hint, cause=cause)
