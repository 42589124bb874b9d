"""Options of a webhook target."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Literal

from pydantic import Field, field_validator

from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig
from rotator.config.url import base_url, host_of
from rotator.targets.webhook.sealed import parse_receiver_key
from rotator.transport import Reach


class WebhookConfig(TargetConfig):
    """Options of a ``webhook`` target: a receiver that is told of new credentials."""

    type: Literal["webhook"]
    """A receiver of signed messages, as Standard Webhooks 1.0.0 has them."""

    url: str
    """Where to send, ``https://...``. Not shown anywhere but in the configuration; redirects are not followed."""

    signing_keys: Annotated[tuple[SecretRef, ...], Field(min_length=1)]
    """Where the signing secrets are read, ``whsec_`` and base64 each, again for every message. Each of them signs: to
    replace one, add the new, let the receiver change, remove the old."""

    receiver_key: str | None = None
    """The receiver's X25519 public key, base64. With it a message carries the logins, encrypted so that nobody else can
    read them. Default: a message never carries a login."""

    allow_addresses: tuple[str, ...] = ()
    """Networks that the receiver may be in although they are not public, as ``10.1.0.0/16``. Default: public addresses
    only; never loopback, private, link-local or a cloud's metadata."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for the receiver. Default: the system's."""

    @field_validator("url")
    @classmethod
    def _check_url(cls, value: str) -> str:
        if not value.startswith("https://"):
            raise ValueError("write https://; a message tells who rotates what and when")
        return base_url(value)

    @field_validator("receiver_key")
    @classmethod
    def _check_key(cls, value: str | None) -> str | None:
        if value is not None:
            parse_receiver_key(value)
        return value

    @field_validator("allow_addresses")
    @classmethod
    def _check_addresses(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(str(ip_network(one)) for one in value)

    def reach(self) -> Reach:
        """Return the addresses that the receiver may be at."""
        return Reach(tuple(ip_network(one) for one in self.allow_addresses))

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return (host_of(self.url),)
