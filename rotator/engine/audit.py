"""What happens around the audit's records: a second copy before the change is journalled, and who is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from rotator.domain.audit import AuditRecord
from rotator.domain.events import Audited, AuditFailed, Event
from rotator.errors import StoreError
from rotator.ports import AuditCopy

OnFailure = Literal["stop", "continue"]


class AuditTrail:
    """Keeps the second copy, where there is one.

    Args:
        copy: Where it is written; None where there is none.
        on_failure: ``stop``: what cannot be written there is not journalled, so nothing begins.
        emit: Told of what was written, and of what could not be.
    """

    def __init__(
        self,
        copy: AuditCopy | None = None,
        on_failure: OnFailure = "stop",
        emit: Callable[[Event], None] = lambda _: None,
    ) -> None:
        self._copy = copy
        self._on_failure = on_failure
        self._emit = emit

    async def before(self, records: Sequence[AuditRecord]) -> None:
        """Write the second copy of ``records``, which are about to be journalled.

        Raises:
            StoreError: It could not be written, and nothing may begin without it.
        """
        if self._copy is None or not records:
            return
        try:
            await self._copy.write(records)
        except StoreError as error:
            self._emit(AuditFailed("file", len(records), str(error)))
            if self._on_failure == "stop":
                raise

    def failed(self, records: Sequence[AuditRecord], error: StoreError) -> None:
        """Take note that ``records`` could not be journalled."""
        if records:
            self._emit(AuditFailed("state", len(records), str(error)))

    def after(self, records: Sequence[AuditRecord]) -> None:
        """Take note that ``records`` were journalled."""
        for record in records:
            self._emit(Audited(record.action))
