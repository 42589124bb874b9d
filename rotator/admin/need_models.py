"""What needs a person, as the API answers it. No secret."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from pydantic import BaseModel, ConfigDict

from rotator.domain.attention import Kind, Need, Severity


class NeedView(BaseModel):
    """One thing that a person must look at or do."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    kind: Kind
    severity: Severity
    credential: str
    about: str
    """The target, image or registry; empty where it is the credential itself."""
    what: str
    """How it stands, in one sentence without a full stop."""
    next_step: str
    """What to do, in one sentence without a full stop."""
    since: datetime | None
    """Since when; None where nobody knows."""

    @classmethod
    def of(cls, need: Need) -> Self:
        """Return the view of ``need``."""
        return cls.model_validate(need, from_attributes=True)
