"""Which login is shown for an image: out of a docker configuration, or none. Pure; holds secrets, prints none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from rotator.domain.lint import Lint
from rotator.domain.model import Login
from rotator.domain.pull_match import Client, Match, key_to_write, lookalikes, match_all
from rotator.domain.pull_secret import identity_of
from rotator.domain.reference import Reference
from rotator.registry.diagnose import Diagnosis, diagnose_unread_key


@dataclass(frozen=True, slots=True)
class Choice:
    """What is shown to the registry, and why that.

    Args:
        why: Why this login, or why none, in a few words.
        key: Its key in the docker configuration, or the name of the credential; empty for none.
        login: The login; None to ask without one. Secret.
        clients: What each client shows, where they differ: client to key, or to why none. Empty where they agree.
        excuse: What an image that wants a login is diagnosed as instead, because there is one that was not shown;
            None when there is none.
        regions: Where the login is delivered to: target to region, for targets that name one.
        lints: What is better changed about the configuration.
    """

    why: str
    key: str = ""
    login: Login | None = None
    clients: Mapping[str, str] = field(default_factory=dict)
    excuse: Diagnosis | None = None
    regions: Mapping[str, str] = field(default_factory=dict)
    lints: tuple[Lint, ...] = ()


class Chooser(Protocol):
    """Finds the login for an image."""

    async def choose(self, reference: Reference) -> Choice:
        """Return what is shown for ``reference``. Never raises for what a source of secrets does."""
        ...


class Nobody:
    """Shows no login to anybody."""

    async def choose(self, reference: Reference) -> Choice:  # noqa: ARG002 (whatever the image)
        """Return no login."""
        return Choice("no logins were given")


class FromDocument:
    """Reads logins from a docker or podman configuration, as the clients do.

    Args:
        document: The parsed configuration. Secret.

    Raises:
        ShapeError: Its ``auths`` is not an object.
    """

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        match_all(document, Reference("localhost", "x"))

    async def choose(self, reference: Reference) -> Choice:
        """Return the login under the longest key that some client matches."""
        found = match_all(self._document, reference)
        best = max((one for one in found.values() if one), key=_rank, default=None)
        if best is None:
            return self._unread(reference)
        keys = {one.key if one else "" for one in found.values()}
        clients = {client.value: _shown(one) for client, one in found.items()} if len(keys) > 1 else {}
        missing = [client for client, one in found.items() if one is None]
        return Choice(best.why, best.key, best.login, clients, lints=_unread_by(missing, best, reference))

    def _unread(self, reference: Reference) -> Choice:
        alike = lookalikes(self._document, reference)
        if not alike:
            return Choice("no key is about it")
        excuse = diagnose_unread_key(alike[0], key_to_write(reference))
        return Choice(f'"{alike[0]}" looks like it, but no client reads it so', excuse=excuse)


def _rank(one: Match) -> tuple[bool, int]:
    """Return what makes a match the better one; of equals the first client's stays."""
    return one.login is not None, len(identity_of(one.key))


def _shown(one: Match | None) -> str:
    if one is None:
        return "none"
    return f'"{one.key}"' if one.key else one.why


def _unread_by(clients: list[Client], best: Match, reference: Reference) -> tuple[Lint, ...]:
    if not clients or not best.key:
        return ()
    names = " and ".join(client.value for client in clients)
    text = f'{names} would not find "{best.key}": the key for all of them is "{key_to_write(reference)}"'
    return (Lint("client_key", text),)
