"""Options of whatever asks AWS: as whom, and by which way."""

from __future__ import annotations

import re
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url

_ROLE = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:role/[\w+=,.@/-]{1,512}", re.ASCII)
EXTERNAL_ID = r"^[A-Za-z0-9_+=,.@:/-]{2,1224}$"
"""Source: the parameter's pattern in the reference documentation of STS AssumeRole."""


def _role(value: str) -> str:
    if not _ROLE.fullmatch(value):
        raise ValueError("write the ARN of an IAM role, such as arn:aws:iam::123456789012:role/pull")
    return value


class AccessKey(BaseModel):
    """A long-lived AWS access key."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: SecretRef
    """Where the access key id is read."""

    secret: SecretRef
    """Where the secret access key is read."""


class AwsReach(BaseModel):
    """As whom to ask AWS, and by which way."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    assume_role: Annotated[str, AfterValidator(_role)] | None = None
    """ARN of the role to ask as. None: as whoever we are."""

    external_id: Annotated[str, Field(pattern=EXTERNAL_ID)] | None = None
    """What the role's trust policy wants to hear; not a secret. Only together with ``assume_role``."""

    access_key: AccessKey | None = None
    """Who we are. None: AWS's own chain (environment, shared profile, web identity, container, instance role)."""

    endpoint_url: Annotated[str, AfterValidator(base_url)] | None = None
    """Where the API is, such as a VPC endpoint. None: AWS's own address for the region."""

    sts_endpoint_url: Annotated[str, AfterValidator(base_url)] | None = None
    """Where STS is. None: AWS's own address for the region."""

    insecure: bool = False
    """True allows plain HTTP and unverified certificates on the way to these APIs."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for these APIs. None: the well-known public ones."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL for these APIs. None: a direct connection, whatever the environment says."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.external_id is not None and self.assume_role is None:
            raise ValueError("external_id means something only together with assume_role")
        for name in ("endpoint_url", "sts_endpoint_url"):
            url = getattr(self, name)
            if url is not None and not url.startswith("https://") and not self.insecure:
                raise ValueError(f"{name} is not https; write insecure: true beside it if that is really meant")
        return self
