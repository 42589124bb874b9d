"""Which alerts may start a rotation, and of what."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from rotator.config.duration import Duration

MAX_ALERTS = 100

AlertName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_:.\-]{0,99}$")]
LabelName = Annotated[str, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$")]
CredentialName = Annotated[str, Field(max_length=63)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class AlertConfig(_Section):
    """What one alert rotates: one credential, or the one that a label of the alert names."""

    credential: CredentialName | None = None
    """The credential. None: ``label`` says it."""

    label: LabelName | None = None
    """The label whose value is the credential's name. None: ``credential`` says it."""

    only: tuple[CredentialName, ...] | None = None
    """With ``label``: the credentials that this alert may rotate. None: every one."""


class AlertmanagerConfig(_Section):
    """Alertmanager as a trigger: ``POST /api/v1/hooks/alertmanager``."""

    alerts: Annotated[dict[AlertName, AlertConfig], Field(min_length=1, max_length=MAX_ALERTS)]
    """By ``alertname``; what is not here rotates nothing."""

    cooldown: Annotated[Duration, Field(gt=timedelta())] = timedelta(minutes=15)
    """No alert rotates a credential whose last rotation, for whatever reason, began less than this ago."""
