"""What every target's configuration has in common. Each target adds its own options beside its code."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from rotator.config.rollout import Pause
from rotator.config.window import Windows
from rotator.domain.site import Site
from rotator.domain.window import Timing


class TargetConfig(BaseModel):
    """A place that must hold credentials."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    needs_vault: ClassVar[bool] = False
    """Whether targets of this kind write to the Vault of the ``vault`` section."""

    has_namespaces: ClassVar[bool] = False
    """Whether placements of this kind are called ``namespace/name``."""

    type: str
    """Which kind of target this is; selects the options that follow."""

    required: bool = True
    """Whether a rotation counts as done only when this target confirmed. False: its failures are shown and retried,
    but the rotation does not wait for it."""

    concurrency: Annotated[int, Field(ge=1, le=512)] = 32
    """How many placements of this target are written at once."""

    region: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")] | None = None
    """Where its hosts are, in the cloud's own word (``eu-west-1``, ``europe-west1``), so that ``rotator check`` can
    tell when a registry is far from them. Changes nothing else. None: not said."""

    min_interval: Pause | None = None
    """Shortest time between two writes to one placement; what comes earlier waits and is written together. A login that
    would expire before, or that has leaked, does not wait. ``0s``: none. None: what this kind of target is made for."""

    window: Windows | None = None
    """Hours in which placements may be written, such as ``02:00-04:00 Europe/Berlin`` (without a zone: UTC), or a list.
    A login that would expire before the window opens, or that has leaked, does not wait. None: at any time."""

    def pulls(self) -> str | None:
        """Return the one image that is pulled with what this target holds; None where it may be any."""
        return None

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return the hosts, without ports, that these options have logins sent to; empty where they name none."""
        return ()

    def secret_files(self) -> tuple[str, ...]:
        """Return the paths of files with secrets of its own that these options name other than as a `SecretRef`."""
        return ()

    def sites(self) -> tuple[Site, ...]:
        """Return where these options have logins written; empty where they do not tell.

        Two targets whose sites are the same place are refused where their logins would replace each other.
        """
        return ()

    def timing(self, min_interval: timedelta) -> Timing:
        """Return when placements may be written.

        Args:
            min_interval: The shortest time between two writes that this kind of target is made for.
        """
        own = self.min_interval
        return Timing(min_interval if own is None else own, self.window or ())
