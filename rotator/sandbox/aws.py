"""AWS's two calls that mint registry passwords, for boto3 with ``endpoint_url``; and STS, which says who asks.

Targets and shapes as in botocore's models of ``ecr`` 2015-09-21 and ``ecr-public`` 2020-10-30 (read 2026-11-23).
"""

from __future__ import annotations

import base64
import json
import re
import secrets
from datetime import timedelta
from typing import Any

from aiohttp import web

from rotator.ports import Clock
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.server import Fault, SandboxServer

PRIVATE_TARGET = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
PUBLIC_TARGET = "SpencerFrontendService.GetAuthorizationToken"
USERNAME = "AWS"

_SIGNATURE = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/,\s]+)/\d{8}/[a-z0-9-]+/(?P<service>[a-z-]+)/aws4_request,\s*"
    r"SignedHeaders=[^,\s]+,\s*Signature=[0-9a-f]{64}"
)
_STS = 'xmlns="https://sts.amazonaws.com/doc/2011-06-15/"'
_SIGNING_NAMES = {PRIVATE_TARGET: "ecr", PUBLIC_TARGET: "ecr-public"}


class SandboxAws(SandboxServer):
    """AWS as far as a registry login needs it. The signature's form and key id are checked, its value is not.

    Args:
        clock: When passwords are minted.
        registry: Where each minted password works, as user name ``AWS``, until it expires.
        lifetime: How long a minted password works; 12 hours at AWS.
        access_key: An access key id that is known from the start.
    """

    def __init__(
        self,
        clock: Clock,
        registry: SandboxRegistry,
        *,
        lifetime: timedelta = timedelta(hours=12),
        access_key: str = "AKIDSANDBOX",
    ) -> None:
        app = web.Application()
        super().__init__(app)
        self.calls = 0
        self.minted = 0
        self.arn = "arn:aws:iam::123456789012:user/rotator"
        self._clock = clock
        self._registry = registry
        self._lifetime = lifetime
        self._keys = {access_key}
        app.router.add_post("/", self._answer)

    def add_key(self, access_key: str) -> None:
        """Know one more access key id. Safe to repeat."""
        self._keys.add(access_key)

    def remove_key(self, access_key: str) -> None:
        """Forget an access key id, as if it had been deactivated; passwords minted with it live on. Safe to repeat."""
        self._keys.discard(access_key)

    def throttle(self, times: int | None = None) -> Fault:
        """Answer ``ThrottlingException`` for the next ``times`` calls, None for ever; remove the fault to heal."""
        return self.fail(400, times=times, body=json.dumps(_error_body("ThrottlingException", "Rate exceeded")))

    async def _answer(self, request: web.Request) -> web.Response:
        self.calls += 1
        if "Action=GetCallerIdentity" in await request.text():
            return self._identify(request.headers.get("Authorization", ""))
        target = request.headers.get("X-Amz-Target", "")
        if target not in _SIGNING_NAMES:
            return _error("UnknownOperationException", "this sandbox only knows GetAuthorizationToken")
        refusal = self._refusal(request.headers.get("Authorization", ""), _SIGNING_NAMES[target])
        if refusal is not None:
            return refusal
        data = self._mint()
        if target == PUBLIC_TARGET:
            return _json({"authorizationData": data})
        return _json({"authorizationData": [{**data, "proxyEndpoint": self._registry.url}]})

    def _identify(self, header: str) -> web.Response:
        """Answer as STS does, in XML: botocore's model of ``sts`` 2011-06-15, read 2026-11-28."""
        refusal = self._refusal(header, "sts")
        if refusal is not None:
            error = "<Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>unknown</Message></Error>"
            return web.Response(
                status=403, text=f"<ErrorResponse {_STS}>{error}</ErrorResponse>", content_type="text/xml"
            )
        told = f"<Arn>{self.arn}</Arn><UserId>AIDASANDBOX</UserId><Account>123456789012</Account>"
        body = f"<GetCallerIdentityResult>{told}</GetCallerIdentityResult>"
        text = f"<GetCallerIdentityResponse {_STS}>{body}</GetCallerIdentityResponse>"
        return web.Response(text=text, content_type="text/xml")

    def _refusal(self, header: str, service: str) -> web.Response | None:
        if not header:
            return _error("MissingAuthenticationTokenException", "Missing Authentication Token")
        signature = _SIGNATURE.fullmatch(header)
        if signature is None or signature["service"] != service:
            return _error("IncompleteSignatureException", "Authorization is not a signature for this service")
        if signature["key"] not in self._keys:
            return _error("UnrecognizedClientException", "The security token included in the request is invalid.")
        return None

    def _mint(self) -> dict[str, Any]:
        expires_at = self._clock.now() + self._lifetime
        password = secrets.token_urlsafe(96)
        self._registry.add_login(USERNAME, password, expires_at=expires_at)
        self.minted += 1
        token = base64.b64encode(f"{USERNAME}:{password}".encode()).decode()
        return {"authorizationToken": token, "expiresAt": round(expires_at.timestamp(), 3)}


def _error(kind: str, message: str) -> web.Response:
    return _json(_error_body(kind, message), 400)


def _error_body(kind: str, message: str) -> dict[str, str]:
    return {"__type": kind, "message": message}


def _json(value: dict[str, Any], status: int = 200) -> web.Response:
    return web.json_response(value, status=status, content_type="application/x-amz-json-1.1")
