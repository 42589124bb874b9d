"""What every target's configuration has in common. Each target adds its own options beside its code."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import BaseModel, ConfigDict, Field


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

    def pulls(self) -> str | None:
        """Return the one image that is pulled with what this target holds; None where it may be any."""
        return None

    def hosts_sent_to(self) -> tuple[str, ...]:
        """Return the hosts, without ports, that these options have logins sent to; empty where they name none."""
        return ()
