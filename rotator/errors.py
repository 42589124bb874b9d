"""The one error tree.

The class answers "may I try again?": `PermanentError` needs a person, `TemporaryError` needs time.
``code`` is the machine's word for it (metric label, API field), ``hint`` is what a person does next.
Messages name the object and the cause; they never hold a secret or a peer's response body.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from datetime import timedelta


class RotatorError(Exception):
    """Something went wrong inside the daemon itself.

    Args:
        message: What failed, naming the object. No secret, no response body.
        hint: What to do next, for a person; empty when the message already says it.
    """

    code: ClassVar[str] = "internal"

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        """Return the message, followed by the hint where there is one."""
        return f"{self.message}. {self.hint}" if self.hint else self.message


class ConfigError(RotatorError):
    """The configuration cannot be used. Carries every mistake found, not only the first."""

    code = "config"

    def __init__(self, mistakes: list[str], *, hint: str = "") -> None:
        super().__init__("\n".join(mistakes), hint=hint)
        self.mistakes = mistakes

    def __str__(self) -> str:
        """Return one mistake per line, then the hint."""
        return "\n".join([*self.mistakes, self.hint]) if self.hint else "\n".join(self.mistakes)


class PermanentError(RotatorError):
    """Trying again will not help; a person must act."""

    code = "permanent"


class AuthenticationError(PermanentError):
    """Our own credentials were refused by a peer."""

    code = "unauthenticated"


class PermissionDeniedError(PermanentError):
    """A peer knows us and says no."""

    code = "permission_denied"


class NotFoundError(PermanentError):
    """A peer says the object does not exist."""

    code = "not_found"


class VerificationError(PermanentError):
    """A new version does not work; it must never be promoted."""

    code = "verification"


class HaltedError(VerificationError):
    """A rollout was stopped because of what its first placements showed; it is taken back."""

    code = "halted"


class ShapeError(PermanentError):
    """A source handed over something that cannot be a secret of this kind. The value is never part of the text."""

    code = "shape"


class UnsupportedError(PermanentError):
    """The peer or the provider cannot do this at all."""

    code = "unsupported"


class TemporaryError(RotatorError):
    """Trying again later may help.

    Args:
        message: What failed.
        hint: What to do if it lasts.
        retry_after: The peer's own lower bound on the wait, > 0; None when it gave none.
    """

    code = "temporary"

    def __init__(self, message: str, *, hint: str = "", retry_after: timedelta | None = None) -> None:
        super().__init__(message, hint=hint)
        self.retry_after = retry_after


class RateLimitedError(TemporaryError):
    """A peer asked us to slow down."""

    code = "rate_limited"


class UnavailableError(TemporaryError):
    """A peer did not answer usefully: time-out, 5xx, refused, DNS, TLS.

    Args:
        message: What failed.
        hint: What to do if it lasts.
        retry_after: The peer's own lower bound on the wait; None when it gave none.
        cause: One of ``timeout``, ``dns``, ``tls``, ``refused``, ``reset``, ``protocol``, ``5xx``.
    """

    code = "unavailable"

    def __init__(
        self, message: str, *, hint: str = "", retry_after: timedelta | None = None, cause: str = "5xx"
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.cause = cause


class ConflictError(TemporaryError):
    """Somebody else changed the object in between; read it again."""

    code = "conflict"


class AwaitingOperatorError(TemporaryError):
    """A person must do the last step; what they need was handed over, and nothing is done until they say so."""

    code = "awaiting_operator"


class FencedError(ConflictError):
    """A placement already holds a newer generation than the one offered; it was left alone.

    Args:
        message: What was refused.
        generation: The generation found there.
    """

    code = "fenced"

    def __init__(self, message: str, *, generation: int, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.generation = generation


class StoreError(TemporaryError):
    """The daemon's own state could not be read or written: locked, full, gone. No change starts without it."""

    code = "store"
