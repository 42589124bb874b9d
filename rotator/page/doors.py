"""Who may look at the status page: by the kernel's word on the UNIX socket, by a session over TCP. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from rotator.admin.access import Access, Caller, Knock, Refusal, Role, TokenAccess
from rotator.page.sessions import Sessions

COOKIE = "rotator_session"


class Door(Protocol):
    """Decides who is let in to the page."""

    @property
    def has_login(self) -> bool:
        """Whether people log in here, and out again."""
        ...

    def outside(self, knock: Knock) -> Refusal | None:
        """Return why not even the login is shown; None when it may be."""
        ...

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Return who knocks, or why they stay outside."""
        ...

    def log_in(self, knock: Knock, token: str) -> str | Refusal:
        """Return the id of a new session for whoever knows ``token``; both are secret. Wrong ones are throttled."""
        ...

    def log_out(self, knock: Knock) -> None:
        """End the session of whoever knocks."""
        ...


@dataclass(frozen=True, slots=True)
class SocketDoor:
    """The UNIX socket, as a browser reaches it through ``ssh -L``.

    Args:
        access: Who may use the socket.
    """

    access: Access

    @property
    def has_login(self) -> bool:
        """Nobody logs in: the kernel says who it is."""
        return False

    def outside(self, knock: Knock) -> Refusal | None:
        """Refuse foreign names and foreign pages: a name can be pointed at the forwarded port by anybody."""
        return self.access.outside(knock) or foreign_form(knock)

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Go by the user id."""
        return self.access.admit(knock)

    def log_in(self, knock: Knock, token: str) -> str | Refusal:  # noqa: ARG002 (there is no login)
        """Refuse: there is no login here."""
        return Refusal("unknown_path", "nobody logs in here")

    def log_out(self, knock: Knock) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class TokenDoor:
    """The TCP listener: a token is shown once, and a session stands for it from then on.

    Args:
        access: Who may use the API; also counts and throttles wrong tokens, together with the API's.
        sessions: Who is logged in.
    """

    access: TokenAccess
    sessions: Sessions

    @property
    def has_login(self) -> bool:
        """People log in here."""
        return True

    def outside(self, knock: Knock) -> Refusal | None:
        """Refuse foreign names and foreign pages."""
        return self.access.outside(knock) or foreign_form(knock)

    def admit(self, knock: Knock) -> Caller | Refusal:
        """Go by the session's cookie; a token in a header is for the API."""
        caller = self.sessions.find(session_of(knock))
        return caller or Refusal("token_required", "log in first")

    def log_in(self, knock: Knock, token: str) -> str | Refusal:
        """Show ``token`` as the API would be shown it."""
        shown = Knock("POST", {**knock.headers, "authorization": f"Bearer {token}"}, knock.address, knock.uid)
        admitted = self.access.admit(shown)
        if isinstance(admitted, Refusal):
            return admitted
        if admitted.role < Role.VIEWER:
            return Refusal("role_too_low", "this token is not for people", hint="Use one with the role viewer or above")
        return self.sessions.open(admitted)

    def log_out(self, knock: Knock) -> None:
        """Close the session."""
        self.sessions.close(session_of(knock))


def session_of(knock: Knock) -> str:
    """Return the id of the session that was shown; empty when none was. Secret."""
    pairs = (pair.strip().partition("=") for pair in knock.headers.get("cookie", "").split(";"))
    return next((value for name, _, value in pairs if name == COOKIE), "")


def foreign_form(knock: Knock) -> Refusal | None:
    """Return a refusal when it cannot be told that our own page sent a form.

    Browsers send ``Origin`` with every POST, and ``Sec-Fetch-Site`` where they trust the connection (HTTP's Origin
    header, Fetch section 3.2; Fetch Metadata, W3C); a page can change neither. Nobody else has a reason to send forms.
    """
    if knock.method in {"GET", "HEAD"}:
        return None
    site, origin = knock.headers.get("sec-fetch-site"), knock.headers.get("origin")
    is_ours = site == "same-origin" if site is not None else origin is not None
    if is_ours and (origin is None or _authority(origin) == knock.headers.get("host", "")):
        return None
    return Refusal("cross_site", "this form was not sent by this page", hint="Open the page anew and try again")


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc or "null"
    except ValueError:
        return "null"
