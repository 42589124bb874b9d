"""Options that both Amazon registries have."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from rotator.aws.options import AwsReach
from rotator.config.credential import CredentialConfig


class AwsOptions(AwsReach, CredentialConfig):
    """As whom to ask AWS, and by which way."""

    lifetime: ClassVar[timedelta | None] = timedelta(hours=12)
