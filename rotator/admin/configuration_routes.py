"""The admin API's path about the configuration: which one is in use, and what became of the last that was read."""

from __future__ import annotations

from datetime import datetime
from typing import Self

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict

from rotator.admin.routes import UsedContext
from rotator.domain.configuration import Standing

router = APIRouter(prefix="/api/v1")


class ConfigurationView(BaseModel):
    """Which configuration is in use. Names files and counts; no value of it is shown."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    now: datetime
    path: str
    """The file or directory that it was read from; empty when it was made in memory."""
    files: tuple[str, ...]
    """The files, without their directory."""
    loaded_at: datetime
    digest: str
    """SHA-256 over all of it; the same at every daemon that is configured alike."""
    failed_at: datetime | None
    """When a newer one was refused; None while none was."""
    error: str
    """Why; empty while none was refused. Names files and lines, and repeats no value."""
    credentials: int
    targets: int
    registries: int

    @classmethod
    def of(cls, standing: Standing, **facts: object) -> Self:
        """Return the view of ``standing``."""
        return cls.model_validate(
            {
                "path": standing.path,
                "files": standing.files,
                "loaded_at": standing.loaded_at,
                "digest": standing.digest,
                "failed_at": standing.failed_at,
                "error": standing.error,
                **facts,
            }
        )


@router.get("/configuration")
async def read_configuration(context: UsedContext) -> ConfigurationView:
    """Return which configuration is in use, and why a newer one is not."""
    surface = context.surface
    config = surface.config
    return ConfigurationView.of(
        surface.standing,
        now=surface.clock.now(),
        credentials=len(config.credentials),
        targets=len(config.targets),
        registries=len(config.registries),
    )
