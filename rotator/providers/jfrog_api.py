"""JFrog's API of access tokens: what a token is, which there are, and how one is ended.

Source: jfrog.com/help, JFrog REST APIs: Create Token, Get Token by ID, Revoke Token by ID (read 2026-11-28).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.errors import RotatorError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.providers.expiry import jwt_claims, jwt_expiry
from rotator.providers.vendor_api import ApiOptions, Question, VendorApi, checked, fields_of, text_of, vendor_api
from rotator.secret import Secret

TOKENS = "/access/api/v1/tokens"

HINTS = {
    400: "The platform takes no such token: look at username, scope and expires_in",
    401: "Look at the token in api_token; it may have expired or been revoked",
    403: "The token in api_token may not do that; making tokens for other users takes an administrator's",
    404: "Look at api_url: the JFrog Platform's own address, without /artifactory",
}

_REFERENCE = re.compile(r"[A-Za-z0-9]{64}")
"""What a reference token looks like: 64 characters that say nothing by themselves."""


def jfrog_api(options: ApiOptions, context: ProviderContext) -> VendorApi:
    """Return the platform's API, by default at the registry's own host."""
    return vendor_api("jfrog", options.api_url or f"https://{options.registry}", options, context)


async def inspect_token(api: VendorApi, token: Secret) -> Inspection:
    """Return what ``token`` says about itself, or what the platform says of a reference token. Never raises."""
    text = token.reveal()
    claims = jwt_claims(text)
    if claims:
        return Inspection(jwt_expiry(text), scopes_of(claims.get("scp")), text_of(claims, "sub"))
    if not _REFERENCE.fullmatch(text):
        return NOTHING_KNOWN
    subject = "jfrog: look at the token itself"
    try:
        answer = await api.send(Question("GET", f"{TOKENS}/me", bearer=token, operation="inspect"))
        return _inspection(fields_of(checked(answer, subject, HINTS), subject))
    except RotatorError:
        return NOTHING_KNOWN


async def list_tokens(api: VendorApi, bearer: Secret) -> list[dict[str, Any]]:
    """Return the tokens that whoever ``bearer`` belongs to may see; their values are told only once.

    Raises:
        RotatorError: They were not told.
    """
    subject = "jfrog: list access tokens"
    answer = checked(await api.send(Question("GET", TOKENS, bearer=bearer, operation="list")), subject, HINTS)
    tokens = fields_of(answer, subject).get("tokens")
    if not isinstance(tokens, list):
        raise UnavailableError(f"{subject}: the answer holds no list", cause="protocol")
    return [token for token in tokens if isinstance(token, dict)]


async def revoke_token(api: VendorApi, bearer: Secret, token_id: str) -> None:
    """End a token; 204 says that it was ended already.

    Raises:
        RotatorError: It may still work.
    """
    subject = f"jfrog: revoke access token {token_id}"
    path = f"{TOKENS}/{quote(token_id, safe='')}"
    answer = await api.send(Question("DELETE", path, bearer=bearer, operation="retire"))
    is_missing = answer.status == 404  # noqa: PLR2004 (not documented: the token is gone, or the address is wrong)
    if not is_missing or any(token.get("token_id") == token_id for token in await list_tokens(api, bearer)):
        checked(answer, subject, HINTS)


def scopes_of(text: object) -> frozenset[str] | None:
    """Return what a token may do, as the platform writes it in one line; None when it did not say."""
    return frozenset(text.split()) if isinstance(text, str) else None


def _inspection(fields: Mapping[str, Any]) -> Inspection:
    return Inspection(_expiry(fields.get("expiry")), scopes_of(fields.get("scope")), text_of(fields, "subject"))


def _expiry(seconds: object) -> Expiry:
    """Return the expiry that the platform tells, in seconds since 1970; 0 stands for never."""
    if isinstance(seconds, bool) or not isinstance(seconds, int) or seconds < 0:
        return UNKNOWN
    try:
        return Expiry(datetime.fromtimestamp(seconds, UTC)) if seconds else NEVER
    except (ValueError, OverflowError, OSError):
        return UNKNOWN
