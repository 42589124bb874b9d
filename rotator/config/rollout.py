"""How a credential's new version is rolled out: canaries, waves, pause, halt."""

from __future__ import annotations

import re
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, WithJsonSchema, field_validator

from rotator.config.duration import parse_duration, render_duration
from rotator.domain.waves import Halt, Staging
from rotator.domain.words import counted

_PERCENT = re.compile(r"(\d{1,3})%", re.ASCII)
_COUNT = re.compile(r"(\d{1,6}) failures?", re.ASCII)


def parse_share(value: Any) -> float:
    """Return the share that ``value`` writes, such as ``10%``.

    Raises:
        ValueError: It is not a percentage from 1% to 100%.
    """
    if isinstance(value, float):
        return value
    match = _PERCENT.fullmatch(str(value).strip())
    if match is None or not 1 <= int(match[1]) <= 100:  # noqa: PLR2004 (per cent)
        raise ValueError("write a percentage from 1% to 100%")
    return int(match[1]) / 100


def parse_halt(value: Any) -> Halt:
    """Return the rule that ``value`` writes: ``1 failure``, ``5%``, or both with ``or`` between them.

    Raises:
        ValueError: It writes none.
    """
    if isinstance(value, Halt):
        return value
    failures: int | None = None
    share: float | None = None
    for part in str(value).split(" or "):
        count, percent = _COUNT.fullmatch(part.strip()), _PERCENT.fullmatch(part.strip())
        if count is not None and int(count[1]) and failures is None:
            failures = int(count[1])
        elif percent is not None and share is None:
            share = parse_share(part)
        else:
            raise ValueError("write a number of failures or a percentage, or both: 1 failure, 5%, 3 failures or 5%")
    return Halt(failures, share)


def render_halt(halt: Halt) -> str:
    """Return ``halt`` as people write it; `parse_halt` reads it back."""
    count = [] if halt.failures is None else [counted(halt.failures, "failure")]
    return " or ".join(count + ([] if halt.share is None else [render_share(halt.share)]))


def render_share(share: float) -> str:
    """Return ``share`` as people write it."""
    return f"{round(share * 100)}%"


def parse_pause(value: Any) -> timedelta:
    """Return the duration that ``value`` writes; ``0s`` is none.

    Raises:
        ValueError: As `parse_duration`.
    """
    return timedelta() if value == "0s" else parse_duration(value)


Share = Annotated[
    float,
    BeforeValidator(parse_share),
    PlainSerializer(render_share, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^\d{1,3}%$", "examples": ["10%"]}),
]
Pause = Annotated[
    timedelta,
    BeforeValidator(parse_pause),
    PlainSerializer(render_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^(\d{1,6}(ms|s|m|h|d))+$", "examples": ["30s"]}),
]
HaltRule = Annotated[
    Halt,
    BeforeValidator(parse_halt),
    PlainSerializer(render_halt, return_type=str),
    WithJsonSchema({"type": "string", "examples": ["1 failure or 5%"]}),
]


class RolloutConfig(BaseModel):
    """In which steps a new version reaches its placements."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, arbitrary_types_allowed=True)

    canary: tuple[str, ...] = ()
    """Who gets it first: ``target``, or ``target/placement`` with ``*`` and ``?``. None of the others gets it before
    one of these has confirmed; where all of them are out of reach, until only the outage budget is left of the version
    in use. Empty: of 20 placements or more that share their waves, one goes first."""

    waves: tuple[Share, ...] = (0.1, 0.5, 1.0)
    """How many placements of each target have it after each wave. Targets with fewer than 20 are taken together, as if
    they were one; where those have fewer than 20 between them, they are written at once."""

    pause: Pause = timedelta()
    """How long to wait after the canaries and between waves, for targets that tell only later that it does not work."""

    halt_on: HaltRule = Halt()
    """When to stop and take it back: so many placements, over all targets and waves, that say that it does not work, or
    more than such a share of one wave. A place out of reach, or one that somebody else writes to, does not count: it is
    tried alone."""

    @field_validator("waves")
    @classmethod
    def _growing(cls, waves: tuple[float, ...]) -> tuple[float, ...]:
        if not waves or any(one >= other for one, other in pairwise(waves)):
            raise ValueError("waves must grow, such as [10%, 50%, 100%]")
        return waves

    def staging(self) -> Staging:
        """Return the rule as the domain knows it."""
        return Staging(self.canary, self.waves, self.pause, self.halt_on)
