"""A registry of a flavour with the same images and logins whatever the vendor: for the demo, by hand, and for tests."""

from __future__ import annotations

import base64
import json
from datetime import timedelta
from enum import StrEnum

from rotator.ports import Clock
from rotator.sandbox.flavour import Flavour
from rotator.sandbox.registry import SandboxRegistry

USER = "robot"
IMAGE = "team/app:1.0"
"""Exists, and is private wherever the vendor has private images."""
PUBLIC_IMAGE = "open/app:1.0"
MISSING_TAG = "team/app:none"
MISSING_REPOSITORY = "team/none:1.0"
_ALL_PUBLIC = frozenset({"ecr-public"})


class Shown(StrEnum):
    """Which login is shown."""

    GOOD = "good"
    WRONG = "wrong"
    """A password that never worked."""
    EXPIRED = "expired"
    """One that worked until a day ago."""
    NARROW = "narrow"
    """One that works, for other repositories."""

    @property
    def password(self) -> str:
        """Return the password; it opens nothing but a sandbox."""
        return f"the-{self.value}-password-of-the-sandbox"


def arrange(flavour: Flavour, clock: Clock, *, rate_limit: int | None = None) -> SandboxRegistry:
    """Return a registry of ``flavour`` with the images and logins of this module, not started.

    Args:
        flavour: The vendor's.
        clock: Decides what has expired.
        rate_limit: Pulls per window; None for no limit.
    """
    registry = SandboxRegistry(clock, auth=flavour, rate_limit=rate_limit)
    registry.add_image(IMAGE, public=flavour.name in _ALL_PUBLIC)
    registry.add_image(PUBLIC_IMAGE, public=True)
    registry.add_login(USER, Shown.GOOD.password)
    registry.add_login(USER, Shown.EXPIRED.password, expires_at=clock.now() - timedelta(days=1))
    registry.add_login(USER, Shown.NARROW.password, repositories="other/")
    return registry


def docker_config(key: str, shown: Shown) -> str:
    """Return a docker configuration that holds one login under ``key``."""
    auth = base64.b64encode(f"{USER}:{shown.password}".encode()).decode()
    return json.dumps({"auths": {key: {"auth": auth}}})
