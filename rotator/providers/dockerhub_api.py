"""Docker Hub's API of access tokens: a session that a password opens, and the tokens that it may make, list and end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from rotator.domain.model import Expiry, Login
from rotator.errors import AuthenticationError, PermissionDeniedError, UnavailableError
from rotator.ports import Clock
from rotator.providers.expiry import jwt_expiry
from rotator.providers.vendor_api import Question, VendorApi, checked, fields_of, text_of
from rotator.secret import Secret
from rotator.transport import Response

PAGE_SIZE = 100
MAX_PAGES = 20
"""An account with more tokens than these pages hold is not looked through."""

SPARE = timedelta(minutes=1)
"""A session is not used any more this long before its end."""

_NO_TOKENS = b"token issued from personal access token is not allowed"
"""What the API answers to a session that an access token opened.

Source: docker/terraform-provider-docker issue 84 (read 2026-11-23).
"""

_INSTEAD = "or keep a token in a source and use provider: dockerhub"
_HINTS = {
    401: f"Put the account's password at the place of password, {_INSTEAD}",
    403: "The account may not manage these tokens; those of an organisation belong to its owners",
    404: "Look at the option organization: no such organisation, or the account does not belong to it",
}


@dataclass(frozen=True, slots=True)
class TokenKind:
    """Where one kind of token is managed, and how its fields are called.

    Args:
        path: Below the API's address.
        id: Key of the token's id.
        label: Key of its label.
    """

    path: str
    id: str
    label: str


PERSONAL = TokenKind("/v2/access-tokens", "uuid", "token_label")


def organization_tokens(name: str) -> TokenKind:
    """Return the kind of an organisation's tokens."""
    return TokenKind(f"/v2/orgs/{quote(name, safe='')}/access-tokens", "id", "label")


@dataclass(frozen=True, slots=True)
class Listed:
    """A token as the list tells it; its value is told only once, when it is made. Not secret."""

    id: str
    label: str


class HubAccount:
    """One account's session, opened when it is needed and kept for the minutes that it lives.

    Source: https://docs.docker.com/reference/api/hub/latest/ (read 2026-11-28): sessions live ten minutes.

    Args:
        api: Docker Hub's API.
        clock: Time.
    """

    def __init__(self, api: VendorApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._session: tuple[Login, Secret, Expiry] | None = None

    async def make(self, account: Login, kind: TokenKind, body: dict[str, object]) -> dict[str, Any]:
        """Return the answer to a request for a new token; it holds the token. Secret.

        Raises:
            RotatorError: As `rotator.ports.Provider.issue`.
        """
        subject = "dockerhub: make an access token"
        answer = await self._ask(account, Question("POST", kind.path, body=body), subject)
        return fields_of(_checked(answer, subject), subject)

    async def tokens(self, account: Login, kind: TokenKind) -> list[Listed]:
        """Return every token there is, expired ones too.

        Raises:
            UnavailableError: There are too many to tell. RotatorError: As above.
        """
        subject = "dockerhub: list access tokens"
        found: list[Listed] = []
        for page in range(1, MAX_PAGES + 1):
            path = f"{kind.path}?page={page}&page_size={PAGE_SIZE}"
            answer = _checked(await self._ask(account, Question("GET", path, operation="list"), subject), subject)
            fields = fields_of(answer, subject)
            results = fields.get("results")
            if not isinstance(results, list):
                raise UnavailableError(f"{subject}: the answer holds no list", cause="protocol")
            entries = [entry for entry in results if isinstance(entry, dict)]
            found += [Listed(text_of(entry, kind.id), text_of(entry, kind.label)) for entry in entries]
            if not fields.get("next"):
                return found
        raise UnavailableError(f"{subject}: more than {MAX_PAGES} pages of them", cause="protocol")

    async def end(self, account: Login, kind: TokenKind, token_id: str) -> None:
        """Delete a token, for good. One that is gone already is no failure.

        Raises:
            RotatorError: It may still work.
        """
        subject = f"dockerhub: delete access token {token_id}"
        path = f"{kind.path}/{quote(token_id, safe='')}"
        answer = await self._ask(account, Question("DELETE", path, operation="retire"), subject)
        is_missing = answer.status == 404  # noqa: PLR2004 (not found; an organisation that is gone answers so, too)
        if not is_missing or any(one.id == token_id for one in await self.tokens(account, kind)):
            _checked(answer, subject)

    async def _ask(self, account: Login, question: Question, subject: str) -> Response:
        """Return the answer; a session that was kept and is refused is opened anew, once."""
        kept = self._kept(account)
        if kept is not None:
            answer = await self._api.send(replace(question, bearer=kept))
            if answer.status != 401:  # noqa: PLR2004 (unauthenticated)
                return answer
        return await self._api.send(replace(question, bearer=await self._open(account, subject)))

    def _kept(self, account: Login) -> Secret | None:
        if self._session is None:
            return None
        opened_by, session, expiry = self._session
        lives = expiry.at is not None and expiry.at - SPARE > self._clock.now()
        return session if lives and opened_by == account else None

    async def _open(self, account: Login, subject: str) -> Secret:
        body = {"identifier": account.username, "secret": account.secret.reveal()}
        self._session = None
        answer = await self._api.send(Question("POST", "/v2/auth/token", body=body, operation="login"))
        subject = f"{subject}: log in as {account.public_username}"
        if answer.status == 401 and b"login_2fa_token" in answer.body:  # noqa: PLR2004 (unauthenticated)
            raise AuthenticationError(
                f"{subject}: the password is right, but the account has two-factor login",
                hint=f"A daemon cannot pass that; use an account without it, {_INSTEAD}",
            )
        session = Secret(text_of(fields_of(checked(answer, subject, _HINTS), subject), "access_token"))
        if not session:
            raise UnavailableError(f"{subject}: the answer holds no session", cause="protocol")
        self._session = (account, session, jwt_expiry(session.reveal()))
        return session


def _checked(answer: Response, subject: str) -> Response:
    """Return a success, or raise; the answer's text is never repeated."""
    if answer.status >= 400 and _NO_TOKENS in answer.body:  # noqa: PLR2004 (a refusal)
        raise PermissionDeniedError(
            f"{subject}: Docker Hub lets an access token manage no access tokens, and password is one", hint=_HINTS[401]
        )
    return checked(answer, subject, _HINTS)


def hub_time(at: datetime) -> str:
    """Return an instant as the API takes it."""
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"
