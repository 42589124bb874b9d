"""What becomes of a rotation that a stop, a crash or the store broke off. Pure."""

from __future__ import annotations

from rotator.domain.rotation import Rotation, State, Step, advance


def fate(rotation: Rotation, *, is_configured: bool, is_elsewhere: bool = False) -> str | None:
    """Return why a rotation that had not ended is abandoned; None when it goes on.

    Before a version was journalled nothing is known of what the vendor did; whatever it minted dies by itself, and
    the credential is simply due again. After that the version is there, sealed, and the rotation goes on with it.
    """
    if not is_configured:
        return "the credential is not configured any more"
    if is_elsewhere:
        return "the credential is for another registry now"
    if rotation.state is State.RUNNING and rotation.step is Step.ISSUE and not rotation.generation:
        return "interrupted before a version was journalled"
    return None


def taken_up(rotation: Rotation) -> Rotation:
    """Return ``rotation`` past its issue, where the version was sealed before the vendor was told of it.

    Whether the vendor put it in force shows when it is verified. If so, what is in use is dead already.
    """
    return advance(rotation) if rotation.step is Step.ISSUE else rotation
