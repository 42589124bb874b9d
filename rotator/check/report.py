"""What was found about one image. Pure; holds no secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.domain.headroom import Headroom, HeadroomState
from rotator.domain.lint import Lint
from rotator.registry.diagnose import Ailment, Diagnosis


@dataclass(frozen=True, slots=True)
class Base:
    """What an image was built on, by the annotations of its manifest.

    Args:
        name: The base image as its builder named it, at most 256 printable characters.
        digest: Its digest; empty when not said.
        size_bytes: What is transferred for it; None when not read.
        unread: Why its size is unknown; empty otherwise.
    """

    name: str
    digest: str = ""
    size_bytes: int | None = None
    unread: str = ""


@dataclass(frozen=True, slots=True)
class Contents:
    """What was read of the image itself.

    Args:
        platforms: Of an index, ``os/architecture[/variant]``; empty for a single image.
        layers: How many layers the image, or that of ``sized``, has; None when not read.
        size_bytes: What is transferred for it; None when not read.
        sized: The platform whose layers were counted; empty for a single image.
        unread: Why layers are unknown although it pulls; empty otherwise.
        base: What it was built on; None when not said.
        lints: What is wrong with what was read.
    """

    platforms: tuple[str, ...] = ()
    layers: int | None = None
    size_bytes: int | None = None
    sized: str = ""
    unread: str = ""
    base: Base | None = None
    lints: tuple[Lint, ...] = ()


@dataclass(frozen=True, slots=True)
class Report:
    """One image.

    Args:
        image: As it was written.
        reference: In full.
        diagnosis: What became of a pull with the login that a client would show, or without one.
        latency_seconds: How long that took, logging in included.
        key: The key of the matching login, or the name of the credential; empty when none matches.
        key_why: Why that key, or why none.
        clients: What each client would show, where they differ: client to key, or to why none.
        is_login_accepted: Whether the registry accepts the login; None without one, or where nothing proves it.
        is_public: Whether it pulls without a login; None when that could not be told.
        digest: Of the index or manifest; empty when unknown.
        media_type: Of the index or manifest; empty when unknown.
        contents: What was read of the image itself.
        headroom: What is left of the registry's pull limit; None when it did not tell.
        said: The registry's own message, at most 120 printable characters, without any secret; empty when none.
        lints: What is better changed.
    """

    image: str
    reference: str
    diagnosis: Diagnosis
    latency_seconds: float
    key: str = ""
    key_why: str = ""
    clients: Mapping[str, str] = field(default_factory=dict)
    is_login_accepted: bool | None = None
    is_public: bool | None = None
    digest: str = ""
    media_type: str = ""
    contents: Contents = Contents()
    headroom: Headroom | None = None
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
            "credential": {
                "key": self.key or None,
                "why": self.key_why,
                "accepted": self.is_login_accepted,
                "clients": dict(self.clients) or None,
            },
            "digest": self.digest or None,
            "media_type": self.media_type or None,
            "platforms": list(self.contents.platforms),
            "size": _size(self.contents),
            "base": _base(self.contents.base),
            "limit": _limit(self.headroom),
            "latency_seconds": round(self.latency_seconds, 3),
            "verdict": self.diagnosis.ailment.value,
            "detail": self.diagnosis.detail.value or None,
            "evidence": self.diagnosis.evidence,
            "said": self.said or None,
            "advice": self.diagnosis.advice or None,
            "lints": [{"code": lint.code, "text": lint.text} for lint in self.lints],
        }


def _size(contents: Contents) -> dict[str, Any]:
    return {
        "platform": contents.sized or None,
        "layers": contents.layers,
        "bytes": contents.size_bytes,
        "unread": contents.unread or None,
    }


def _base(base: Base | None) -> dict[str, Any] | None:
    if base is None:
        return None
    return {
        "name": base.name,
        "digest": base.digest or None,
        "bytes": base.size_bytes,
        "unread": base.unread or None,
    }


def _limit(headroom: Headroom | None) -> dict[str, Any] | None:
    if headroom is None or headroom.state is not HeadroomState.LIMITED:
        return None
    return {
        "limit": headroom.limit,
        "remaining": headroom.remaining,
        "window_seconds": headroom.window_seconds,
        "counted_by": headroom.source.value,
    }
