"""`EnvSource`: secrets in the daemon's own environment. For start-up secrets; a change needs a restart."""

from __future__ import annotations

from collections.abc import Mapping

from rotator.errors import NotFoundError
from rotator.secret import Fingerprinter, Secret
from rotator.sources.reading import SourceReading, checked_secret


class EnvSource:
    """Reads variables by name.

    Args:
        environ: The environment to look in; looked at anew on each read.
        fingerprint: Makes revisions that can be shown.
    """

    def __init__(self, environ: Mapping[str, str], *, fingerprint: Fingerprinter) -> None:
        self._environ = environ
        self._fingerprint = fingerprint

    async def read(self, location: str) -> SourceReading:
        """Return the variable ``location``; its revision is the value's fingerprint.

        Raises:
            NotFoundError: It is not set. ShapeError: it is empty, or its bytes are not UTF-8.
        """
        secret = self._secret(location)
        return SourceReading(secret, self._fingerprint(secret))

    async def revision(self, location: str) -> str | None:
        """Return the value's fingerprint. Same errors as `read`."""
        return self._fingerprint(self._secret(location))

    async def close(self) -> None:
        """Do nothing; there is nothing to let go of."""

    def _secret(self, name: str) -> Secret:
        value = self._environ.get(name)
        if value is None:
            raise NotFoundError(
                f"environment variable {name} is not set", hint="Set it for the daemon's process and restart it"
            )
        return checked_secret(value, f"environment variable {name}")
