"""Which configuration is in use, and how the latest try to replace it went."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Which configuration is in use.

    Args:
        loaded_at: When it was read.
        digest: SHA-256 over all of it, in hexadecimal digits: two daemons with the same one are configured alike.
        path: The file or the directory that it was read from; empty when it was made in memory.
        files: The files, without their directory.
        failed_at: When a newer one was refused; None while none was.
        error: Why, without any value that was written there; empty while none was refused.
    """

    loaded_at: datetime
    digest: str
    path: str = ""
    files: tuple[str, ...] = ()
    failed_at: datetime | None = None
    error: str = ""

    def refused(self, error: str, at: datetime) -> Standing:
        """Return how it stands after a newer configuration was refused."""
        return replace(self, error=error, failed_at=at)
