"""The admin API's path about images: whether what runs can still be pulled."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from rotator.admin.models import ImageView
from rotator.admin.routes import UsedContext
from rotator.domain.image import ImageStatus

router = APIRouter(prefix="/api/v1")


class WatchedImage(ImageView):
    """One image, and the credential that it is looked at with."""

    credential: str
    registry: str

    @classmethod
    def seen(cls, status: ImageStatus, credential: str, registry: str) -> Self:
        """Return the view of ``status``."""
        return cls(**ImageView.of(status).model_dump(), credential=credential, registry=registry)


class ImageList(BaseModel):
    """Every configured image, in the order of credentials' names, and the daemon's time."""

    model_config = ConfigDict(frozen=True)

    now: datetime
    images: tuple[WatchedImage, ...]


@router.get("/images")
async def list_images(
    context: UsedContext, credential: Annotated[str | None, Query(max_length=63)] = None
) -> ImageList:
    """Return what the registries last said about each image; of all credentials, or of one."""
    surface = context.surface
    names = sorted(surface.config.credentials) if credential is None else [credential]
    statuses = [surface.status(name) for name in names]
    images = tuple(WatchedImage.seen(one, status.name, status.registry) for status in statuses for one in status.images)
    return ImageList(now=surface.clock.now(), images=images)
