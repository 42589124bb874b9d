"""Options models that stand in for the real providers and targets, so that these tests are about the loader alone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from rotator.config.credential import CredentialConfig
from rotator.config.kinds import Kinds
from rotator.config.ref import SecretRef
from rotator.config.target import TargetConfig

NonEmpty = Annotated[str, Field(min_length=1)]


class AccessKey(BaseModel):
    """A key made of two secrets."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    id: SecretRef
    """Its name."""

    secret: SecretRef
    """The rest of it."""


class Minted(CredentialConfig):
    """A login that its vendor lets live for twelve hours."""

    lifetime: ClassVar[timedelta | None] = timedelta(hours=12)

    provider: Literal["minted"]

    access_key: AccessKey | None = None
    """Who asks."""


class Kept(CredentialConfig):
    """A login that somebody keeps in a source."""

    provider: Literal["kept"]

    username: NonEmpty | SecretRef
    """Who."""

    token: SecretRef
    """Where it is."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.username == "root":
            raise ValueError("root may not pull; write a robot account")
        return self


class Rules(BaseModel):
    """A choice of spots."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    include: list[str] = ["*"]
    """Patterns."""


class Shelf(TargetConfig):
    """A place with spots."""

    type: Literal["shelf"]

    spots: Annotated[list[NonEmpty], Field(min_length=1)] | Rules = Rules()
    """Names, or a choice."""

    tag: str | None = None
    """A text that may look like a number."""

    lock: SecretRef | None = None
    """What opens it."""

    insecure: bool = False
    """Whether the shelf stands outdoors."""

    image: str | None = None
    """The one image that is pulled with what it holds."""

    def pulls(self) -> str | None:
        """Return the image."""
        return self.image


@pytest.fixture(scope="session")
def kinds() -> Kinds:
    """Return stand-ins for two providers and a target."""
    return Kinds(credentials={"kept": Kept, "minted": Minted}, targets={"shelf": Shelf})


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    """Return a function that writes text to a new file and returns its path."""

    def to_file(text: str) -> Path:
        path = tmp_path / "rotator.yaml"
        path.write_text(text)
        return path

    return to_file
