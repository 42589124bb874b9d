"""Where a target writes, so that two targets are not given one place for different logins. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rotator.domain.extent import Extent
from rotator.domain.fields import Layout, Part, field_name

EVERYWHERE = Extent()
"""All parts of a place, also of one that has none."""

DOCKER_FILE: Layout = {"": Part.DOCKER_CONFIG}
"""A docker configuration as a whole: logins for different registries live beside one another in it."""


@dataclass(frozen=True, slots=True)
class Site:
    """One place in the world, as far as a configuration tells.

    Args:
        option: The option that names it.
        key: The same for whatever is the same place; the first word says what kind of place it is.
        label: What people call it, such as ``the file /root/.docker/config.json``. Not secret.
        layout: What is written there beside what others write; None where all of it is one target's.
        extent: Which parts of it are meant.
        advice: What to do, where two targets cannot share it. Empty for what helps everywhere.
    """

    option: str
    key: tuple[str, ...]
    label: str
    layout: Layout | None = None
    extent: Extent = EVERYWHERE
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """One credential on its way to a site.

    Args:
        credential: Its name.
        registry: The registry that its logins are for.
        within: The parts of the site that policy allows it.
    """

    credential: str
    registry: str
    within: Extent = EVERYWHERE


def clash(one: Site, load: Load, other: Site, its: Load) -> bool:
    """Return whether ``load`` at ``one`` and ``its`` at ``other``, the same place, would replace each other."""
    extents, wishes = (one.extent, other.extent), (load.within, its.within)
    if not all(mine.overlaps(theirs) for mine in (extents[0], wishes[0]) for theirs in (extents[1], wishes[1])):
        return False
    if one.layout is None or other.layout is None:
        return True
    return not _fields(one.layout, load).isdisjoint(_fields(other.layout, its))


def _fields(layout: Layout, load: Load) -> set[str]:
    return {_field(name, part, load) for name, part in layout.items()}


def _field(name: str, part: Part, load: Load) -> str:
    """Return what a login takes for itself: a field, or its registry's share of a docker configuration."""
    field = field_name(name, load.credential)
    return f"{name} {load.registry}" if part is Part.DOCKER_CONFIG and field == name else field
