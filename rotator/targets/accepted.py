"""What a place that shows nothing has accepted, as far as this process knows.

It keeps a delivery from being repeated for nothing, and an older generation from following a newer one. It is lost when
the daemon ends; the daemon's own state still knows what was confirmed.
"""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.declares import Proof
from rotator.domain.model import Entry, Held
from rotator.domain.pull_secret import podman_key
from rotator.errors import FencedError, UnsupportedError


class Accepted:
    """Remembers the latest entry of each credential that a placement accepted.

    Args:
        name: The target's name, for messages.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._entries: dict[tuple[str, str], Entry] = {}

    def missing(self, placement: str, entries: Sequence[Entry]) -> list[Entry]:
        """Return those of ``entries`` that ``placement`` has not accepted.

        Raises:
            FencedError: It accepted a newer generation of one. UnsupportedError: A registry cannot be one.
        """
        for entry in entries:
            self._refuse_older(placement, entry)
            try:
                podman_key(entry.registry)
            except ValueError as error:
                raise UnsupportedError(f"{self._name}: {error}") from error
        return [entry for entry in entries if not self._has(placement, entry)]

    def note(self, placement: str, entries: Sequence[Entry]) -> None:
        """Remember that ``placement`` accepted ``entries``."""
        self._entries.update({(placement, entry.credential): entry for entry in entries})

    def held(self, placement: str, entries: Sequence[Entry], *, changed: bool) -> Held:
        """Return those of ``entries`` that ``placement`` accepted."""
        logins = {entry.credential: entry.login for entry in entries if self._has(placement, entry)}
        return Held(logins, changed=changed, proof=Proof.NONE)

    def _has(self, placement: str, entry: Entry) -> bool:
        known = self._entries.get((placement, entry.credential))
        return known is not None and (known.login, known.registry) == (entry.login, entry.registry)

    def _refuse_older(self, placement: str, entry: Entry) -> None:
        known = self._entries.get((placement, entry.credential))
        if known is not None and known.generation > entry.generation and known.login != entry.login:
            raise FencedError(
                f"{self._name}: {placement} accepted generation {known.generation} of {entry.credential}",
                generation=known.generation,
            )
