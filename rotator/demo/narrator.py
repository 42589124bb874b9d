"""Says in plain words what the daemon does."""

from __future__ import annotations

from collections.abc import Callable

from rotator.demo.proof import Proof
from rotator.domain.events import (
    DeliveryFinished,
    Event,
    RotationFinished,
    RotationStarted,
    SourceFailed,
    StepFinished,
    VersionProbed,
)
from rotator.domain.verdict import Verdict
from rotator.ports import Clock

REASONS = {
    "NeverIssued": "nothing is in use yet",
    "SourceChanged": "somebody changed it in Vault",
    "RenewalPointReached": "half of its short life is over",
    "Rejected": "the registry refuses what is in use",
    "ManuallyTriggered": "you asked for it",
}


class Narrator:
    """A hook that prints one line per thing worth knowing.

    Args:
        clock: For the seconds in front of each line.
        write: Prints a line.
    """

    def __init__(self, clock: Clock, write: Callable[[str], None]) -> None:
        self._clock = clock
        self.write = write
        self._started = clock.monotonic()
        self._silent: set[str] = set()

    def say(self, text: str) -> None:
        """Print ``text`` with the seconds since the start."""
        self.write(f"{self._clock.monotonic() - self._started:6.1f} s  {text}")

    def chapter(self, text: str) -> None:
        """Print ``text`` as the heading of what comes next."""
        self.write("")
        self.say(f">> {text}")

    def prove(self, proofs: list[Proof]) -> bool:
        """Print how many pulls worked, and what did not; return whether everything pulls."""
        pulled = [proof for proof in proofs if proof.pulls]
        places = list(dict.fromkeys(proof.place for proof in proofs))
        self.say(f"proof: {len(pulled)} of {len(proofs)} pulls work, with what is held by {', '.join(places)}")
        for proof in proofs:
            if not proof.pulls:
                self.say(f"   DOES NOT PULL: {proof.image} with what {proof.place} holds: {proof.why}")
        return bool(proofs) and len(pulled) == len(proofs)

    def __call__(self, event: Event) -> None:
        """Print ``event`` if a newcomer would want to know."""
        line = describe(event)
        if isinstance(event, SourceFailed):
            if event.credential in self._silent:
                return
            self._silent.add(event.credential)
        elif isinstance(event, RotationFinished):
            self._silent.discard(event.credential)
        if line:
            self.say(line)


def describe(event: Event) -> str:  # noqa: PLR0911 (one return per kind of event reads best)
    """Return one line about ``event``; empty when it is not worth one."""
    match event:
        case RotationStarted(credential=name, reason=reason, message=message):
            return f"{name}: rotation starts: {REASONS.get(reason, message)}"
        case StepFinished(credential=name, step="issue", message=message):
            return f"{name}: issued ({message})"
        case StepFinished(credential=name, step="verify", message=message):
            return f"{name}: verified against the registry ({message})"
        case DeliveryFinished(credential=name, placement=placement, error="", generation=generation):
            return f"{name}: {placement} holds generation {generation}, read back and equal"
        case DeliveryFinished(credential=name, placement=placement, message=message):
            return f"{name}: {placement} could not be written: {message}"
        case RotationFinished(credential=name, outcome=outcome, message=message, seconds=seconds):
            return f"{name}: rotation {outcome} after {seconds:.2f} s: {message}"
        case SourceFailed(credential=name, message=message):
            return f"{name}: the source does not answer ({message}); every target keeps what it holds"
        case VersionProbed(credential=name, verdict=Verdict.REJECTED, message=message):
            return f"{name}: a probe was refused: {message}"
        case _:
            return ""
