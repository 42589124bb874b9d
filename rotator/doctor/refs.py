"""What the configuration's references to secrets name, read as the sources read it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rotator.config.ref import SecretRef
from rotator.config.root import Config
from rotator.config.walk import walk
from rotator.doctor.finding import Finding, of_error
from rotator.errors import ConfigError

Place = TypeVar("Place")


def places_of(
    config: Config, source: str, parse: Callable[[str], Place], family: str
) -> tuple[list[Place], list[Finding]]:
    """Return what the references to ``source`` name, and a finding for each that names nothing.

    Args:
        config: Where they are.
        source: Name of the source, such as ``vault``.
        parse: Reads a location; raises ConfigError for what is none.
        family: Of the findings.
    """
    refs = (value for _, value in walk(config, ()) if isinstance(value, SecretRef))
    places: list[Place] = []
    unusable: list[Finding] = []
    for location in dict.fromkeys(ref.location for ref in refs if ref.source == source):
        try:
            places.append(parse(location))
        except ConfigError as error:
            unusable.append(of_error(family, location, error))
    return places, unusable
