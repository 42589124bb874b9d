"""What Alertmanager sends, as far as it is looked at, and what it is answered.

The format is that of Alertmanager's ``webhook_config``, version 4 (https://prometheus.io/docs/alerting/latest/
configuration/#webhook_config, read 2026-11-28). No URL, host or path in it is read at all.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from rotator.domain.alert import Outcome

MAX_ALERTS = 500
MAX_LABELS = 64

_Label = Annotated[str, Field(max_length=256)]
_Value = Annotated[str, Field(max_length=4096)]


class SentAlert(BaseModel):
    """One alert of a group; what else it says is passed over."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    status: Literal["firing", "resolved"]
    labels: Annotated[dict[_Label, _Value], Field(max_length=MAX_LABELS)]
    starts_at: Annotated[str, Field(alias="startsAt", max_length=64)] = ""
    fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{1,64}$", examples=["c1e0b5f0d4a8b6f2"])]
    """Of its labels, in hexadecimal digits."""


class AlertGroup(BaseModel):
    """One message of Alertmanager's, of format 4; what else it says is passed over."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    version: Literal["4"]
    group_key: Annotated[str, Field(alias="groupKey", min_length=1, max_length=8192)]
    truncated_alerts: Annotated[int, Field(alias="truncatedAlerts", ge=0, le=1_000_000)] = 0
    """How many alerts were left out, as ``max_alerts`` of the receiver says."""
    alerts: Annotated[tuple[SentAlert, ...], Field(max_length=MAX_ALERTS)]


class HandledAlert(BaseModel):
    """What one alert came to."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    alert: str
    """Its name, where it is a configured one; else empty."""
    outcome: Outcome
    credential: str = ""
    """Which credential it is about; empty when nobody knows."""
    rotation: str = ""
    """The id of the rotation that was started, or runs; empty when neither is so."""


class HandledGroup(BaseModel):
    """What came of a message, alert by alert in its order."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    alerts: tuple[HandledAlert, ...]
    truncated: int
    """Alerts that Alertmanager left out, about which nothing is known."""
    message: str = ""
    """What to do about that; empty when none was left out."""
