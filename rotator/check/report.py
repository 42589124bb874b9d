"""What was found about one image. Pure; holds no secret."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rotator.registry.diagnose import Ailment, Diagnosis


@dataclass(frozen=True, slots=True)
class Lint:
    """Something that works, or would, and is better changed.

    Args:
        code: For machines: ``mutable_tag``.
        text: What it is and what to do, in a sentence.
    """

    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Report:
    """One image.

    Args:
        image: As it was written.
        reference: In full.
        diagnosis: What became of a pull with the login that a client would show, or without one.
        latency_seconds: How long that took, logging in included.
        key: The key of the matching login; empty when none matches.
        key_why: Why that key, or why none.
        is_public: Whether it pulls without a login; None when that could not be told.
        digest: Of the index or manifest; empty when unknown.
        media_type: Of the index or manifest; empty when unknown.
        platforms: Of an index, ``os/architecture[/variant]``; empty for a single image.
        layers: How many layers the image, or that of ``sized``, has; None when not read.
        size_bytes: What is transferred for it; None when not read.
        sized: The platform whose layers were counted; empty for a single image.
        unread: Why layers are unknown although it pulls; empty otherwise.
        said: The registry's own message, at most 120 printable characters, without any secret; empty when none.
        lints: What is better changed.
    """

    image: str
    reference: str
    diagnosis: Diagnosis
    latency_seconds: float
    key: str = ""
    key_why: str = ""
    is_public: bool | None = None
    digest: str = ""
    media_type: str = ""
    platforms: tuple[str, ...] = ()
    layers: int | None = None
    size_bytes: int | None = None
    sized: str = ""
    unread: str = ""
    said: str = ""
    lints: tuple[Lint, ...] = ()

    @property
    def pulls(self) -> bool:
        """Return whether it was shown to pull."""
        return self.diagnosis.ailment is Ailment.OK

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts; what is unknown is null."""
        return {
            "image": self.image,
            "reference": self.reference,
            "pulls": self.pulls,
            "public": self.is_public,
            "credential": {"key": self.key or None, "why": self.key_why},
            "digest": self.digest or None,
            "media_type": self.media_type or None,
            "platforms": list(self.platforms),
            "size": {
                "platform": self.sized or None,
                "layers": self.layers,
                "bytes": self.size_bytes,
                "unread": self.unread or None,
            },
            "latency_seconds": round(self.latency_seconds, 3),
            "verdict": self.diagnosis.ailment.value,
            "detail": self.diagnosis.detail.value or None,
            "evidence": self.diagnosis.evidence,
            "said": self.said or None,
            "advice": self.diagnosis.advice or None,
            "lints": [{"code": lint.code, "text": lint.text} for lint in self.lints],
        }
