"""Which of two slots at a vendor a new version goes into. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.model import Stage
from rotator.ports import Order


def free_slot(slots: Sequence[str], order: Order) -> str:
    """Return the slot to overwrite: never that of the version in use, as long as there is another.

    One that no live version holds is taken first, then that of a previous version, last that of a pending one, which
    is only issued anew when it is not worth going on with.

    Args:
        slots: Handles of the slots, in the order in which they are filled; one or two.
        order: Knows who holds which.
    """
    held = {one.handle: _RANK.get(one.stage, 0) for one in sorted(order.live, key=lambda one: _RANK.get(one.stage, 0))}
    return min(slots, key=lambda slot: held.get(slot, 0))


_RANK = {Stage.PREVIOUS: 1, Stage.PENDING: 2, Stage.CURRENT: 3}
"""How much a version's slot is worth keeping."""
