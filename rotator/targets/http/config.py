"""Options of an HTTP target."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig
from rotator.config.url import base_url, host_of, proxy_url
from rotator.targets.http.plan import SECRET_HOLES, Plan
from rotator.targets.http.presets import PRESETS, Preset
from rotator.targets.template import holes


class HttpConfig(TargetConfig):
    """One place behind an HTTP API: a platform that is known by name, or requests that are written down here."""

    type: Literal["http"]
    """A login behind an HTTP API."""

    url: Annotated[str, AfterValidator(base_url)]
    """Where the API is, ``https://...``; paths are added to it. Redirects are not followed."""

    secret: SecretRef
    """Where the API's token, key or password is read; again for every delivery."""

    preset: Preset | None = None
    """A platform whose API is known; instead of ``requests``."""

    requests: Plan | None = None
    """What is asked and how the answers are read; instead of ``preset``."""

    values: dict[str, Annotated[str, Field(max_length=512)]] = Field(default_factory=dict)
    """What fills the holes of the requests besides the login, such as ``id``. Not secret."""

    insecure: bool = False
    """True allows plain HTTP and an unverified certificate."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for it. None: the system's."""

    proxy: Annotated[str, AfterValidator(proxy_url)] | None = None
    """Proxy URL. None: a direct connection, whatever the environment says."""

    @property
    def plan(self) -> Plan:
        """What is asked."""
        if self.requests is not None:
            return self.requests
        assert self.preset is not None  # noqa: S101 (checked when the configuration was read)
        return PRESETS[self.preset]

    @property
    def filled(self) -> dict[str, str]:
        """What fills the holes besides the login."""
        return {**self.plan.values, **self.values}

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return where logins are sent."""
        return (host_of(self.url),)

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.preset is None) == (self.requests is None):
            raise ValueError("write either preset or requests")
        if not self.url.startswith("https://") and not self.insecure:
            raise ValueError("url is not https; write insecure: true beside it if that is really meant")
        missing = sorted(self.plan.wanted() - set(self.filled))
        if missing:
            raise ValueError(f"values: {', '.join(missing)} must be written, for the requests to be complete")
        unknown = sorted(set(self.values) - self.plan.wanted())
        if unknown:
            raise ValueError(f"values: {unknown[0]} is in none of the requests")
        for step in self.plan.steps():
            if leaking := holes(step.path) & SECRET_HOLES:
                raise ValueError(f"{step.path}: {{{min(leaking)}}} cannot be part of a URL, which is no place for it")
        return self


def texts_of(plan: Plan) -> list[Any]:
    """Return everything in the requests of ``plan`` that has holes for the login."""
    return [(step.path, step.body) for step in plan.steps() if step is not plan.login]
