"""The form: what may be entered in it, and what is filled into requests. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rotator.errors import ShapeError, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rotator.domain.model import Entry


@dataclass(frozen=True, slots=True)
class Form:
    """A project's Docker Image Configuration, without its login.

    Args:
        target: The target's name, for messages.
        project: The project's id or name.
        image: Image, as it stands in the form.
        image_tag: Image Tag.
        registry: Canonical host of the image's registry.
    """

    target: str
    project: str
    image: str
    image_tag: str
    registry: str

    def entry(self, entries: Sequence[Entry]) -> Entry:
        """Return the one login that the form is to hold.

        Raises:
            UnsupportedError: There are several, or it is for another registry than the image's.
            ShapeError: Its user name or password is empty, which the form takes for "keep the old one".
        """
        names = ", ".join(entry.credential for entry in entries)
        if len(entries) != 1:
            raise UnsupportedError(
                f"{self.target}: the form holds one login, and here are {len(entries)}: {names}",
                hint=f"Deliver only the credential for {self.registry} here",
            )
        (entry,) = entries
        if entry.registry != self.registry:
            raise UnsupportedError(
                f"{self.target}: the image is on {self.registry}, and {names} is a login for {entry.registry}",
                hint="Deliver the credential of the image's registry here",
            )
        if not entry.login.username.strip() or not entry.login.secret.reveal().strip():
            raise ShapeError(
                f"{self.target}: {names} has an empty user name or password; the form would keep the old one"
            )
        return entry

    def public(self, entry: Entry) -> dict[str, str]:
        """Return what may stand in a path, by name."""
        return {
            "project": self.project,
            "image": self.image,
            "image_tag": self.image_tag,
            "registry": self.registry,
            "generation": str(entry.generation),
        }

    def values(self, entry: Entry) -> dict[str, str]:
        """Return everything that may stand in a body, by name. Secret."""
        login = {"username": entry.login.username, "password": entry.login.secret.reveal()}
        return {**self.public(entry), **login}

    def refuse_unenterable(self, entry: Entry) -> None:
        """Refuse a login that cannot be entered in one line of a form.

        Raises:
            UnsupportedError: It has a line break or another control character in it.
        """
        if not entry.login.username.isprintable() or not entry.login.secret.reveal().isprintable():
            raise UnsupportedError(
                f"{self.target}: {entry.credential} has a line break or another character that cannot be typed",
                hint="Use a login without one, such as a token; a JSON key must be on one line",
            )
