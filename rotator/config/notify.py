"""The ``notifications`` section: who is told what needs a person."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef
from rotator.config.url import base_url, proxy_url


def _network(value: str) -> str:
    return str(ip_network(value))


class _Destination(BaseModel):
    """What all destinations share."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    severity: Literal["warning", "critical"] = "warning"
    """The least severe need that is told there: ``critical`` is what fails now or within a day."""

    interval: Annotated[Duration, Field(gt=timedelta())] = timedelta(minutes=1)
    """A message at most this often, after five in a row; what comes meanwhile is told in the next one."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for it. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL. None: a direct connection, whatever the environment says."""

    allow_addresses: tuple[Annotated[str, AfterValidator(_network)], ...] = ()
    """Networks that it may be in although they are not public, as ``10.1.0.0/16``. Default: public addresses only."""


class WebhookDestination(_Destination):
    """A receiver of signed messages."""

    type: Literal["webhook"]
    """Signed as Standard Webhooks 1.0.0 says."""

    url: Annotated[str, AfterValidator(base_url)]
    """Where to send, ``https://...``. Redirects are not followed."""

    signing_keys: Annotated[tuple[SecretRef, ...], Field(min_length=1)]
    """Where the signing secrets are read, ``whsec_`` and base64 each, again for every message. Each of them signs."""

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if not self.insecure and not self.url.startswith("https://"):
            raise ValueError("url is not https; write https://, or insecure: true if plain HTTP is really meant")
        return self


class SlackDestination(_Destination):
    """Slack, or what takes its messages: Mattermost, Rocket.Chat, Discord's ``/slack``."""

    type: Literal["slack"]
    """An incoming webhook of Slack's kind."""

    url: SecretRef
    """Where its address is read, again for every message: whoever has it may post."""


Destination = Annotated[WebhookDestination | SlackDestination, Field(discriminator="type")]
