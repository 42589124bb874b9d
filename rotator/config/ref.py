"""References to secrets. The configuration says where a secret is, never what it is."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_serializer, model_validator

SOURCES = ("vault", "file", "env")


class SecretRef(BaseModel):
    """Where a secret is read: ``{vault: registries/ghcr#token}``, ``{file: /run/secrets/x}`` or ``{env: NAME}``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["vault", "file", "env"]
    """The source's name."""

    location: str
    """Where in the source, in the source's own words."""

    @model_validator(mode="before")
    @classmethod
    def _one_key(cls, value: Any) -> Any:
        if isinstance(value, dict) and "source" in value:
            return value
        if isinstance(value, str):
            raise ValueError(  # noqa: TRY004 (pydantic reports ValueError, not TypeError)
                "a secret is never written here; write where it is, such as "
                "{vault: registries/ghcr#token}, {file: /run/secrets/token} or {env: GHCR_TOKEN}"
            )
        if not isinstance(value, dict) or len(value) != 1 or next(iter(value)) not in SOURCES:
            raise ValueError("write exactly one of vault, file or env, such as {vault: registries/ghcr#token}")
        (source, location), *_ = value.items()
        if not isinstance(location, str) or not location.strip():
            raise ValueError(f"{source}: say where in it, as text")
        return {"source": source, "location": location}

    @model_serializer
    def _short(self) -> dict[str, str]:
        return {self.source: self.location}

    def __str__(self) -> str:
        """Return ``source:location`` for messages."""
        return f"{self.source}:{self.location}"
