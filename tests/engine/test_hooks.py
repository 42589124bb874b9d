"""Listeners are told of everything, and one that breaks hurts nobody."""

from __future__ import annotations

import pytest

from rotator.domain.events import AlarmMissed, ClockStepped, Event
from rotator.engine.hooks import Hooks

EVENT = ClockStepped(-3600.0)


class Listener:
    """Remembers what it was told."""

    def __init__(self, told: list[tuple[str, Event]] | None = None, name: str = "") -> None:
        self.told = told if told is not None else []
        self.name = name

    def __call__(self, event: Event) -> None:
        """Take note of ``event``."""
        self.told.append((self.name, event))


class Leaver:
    """Stops listening as soon as it is told anything."""

    def __init__(self, hooks: Hooks) -> None:
        self.listening = hooks.listening(self)
        self.listening.__enter__()

    def __call__(self, event: Event) -> None:  # noqa: ARG002 (the hook's signature)
        """Leave."""
        self.listening.__exit__(None, None, None)


def break_down(event: Event) -> None:  # noqa: ARG001 (the hook's signature)
    """Fail as a broken listener does."""
    raise RuntimeError("the text of a listener's error may hold anything: hunter2-secret")


def test_listeners_are_told_in_their_order() -> None:
    """Each listener gets each event, in the order in which they were added."""
    told: list[tuple[str, Event]] = []
    hooks = Hooks()
    hooks.add(Listener(told, "first"))
    hooks.add(Listener(told, "second"))

    hooks(EVENT)
    hooks(AlarmMissed("late"))

    assert told == [(who, event) for event in (EVENT, AlarmMissed("late")) for who in ("first", "second")]


def test_a_broken_listener_is_counted_and_silences_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """A listener that raises is counted and named on standard error without its text; the others hear the event."""
    hooks, sound = Hooks(), Listener()
    hooks.add(break_down)
    hooks.add(sound)

    hooks(EVENT)
    hooks(EVENT)

    assert sound.told == [("", EVENT), ("", EVENT)]
    assert hooks.failures == 2
    assert capsys.readouterr().err == "a listener failed on ClockStepped\n" * 2


def test_listening_ends_with_the_block() -> None:
    """A listener hears what happens in its block and nothing after it, also when the block breaks."""
    hooks, listener = Hooks(), Listener()

    def listen_and_break() -> None:
        with hooks.listening(listener):
            hooks(EVENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        listen_and_break()
    hooks(EVENT)

    assert listener.told == [("", EVENT)]


def test_a_listener_may_leave_while_it_is_told() -> None:
    """A listener that stops listening in the middle of an event takes nobody else's event away."""
    hooks, stayer = Hooks(), Listener()
    Leaver(hooks)
    hooks.add(stayer)

    hooks(EVENT)
    hooks(EVENT)

    assert stayer.told == [("", EVENT), ("", EVENT)]
    assert hooks.failures == 0


def test_nobody_listening_is_fine() -> None:
    """Without listeners an event is simply gone."""
    hooks = Hooks()
    hooks(EVENT)
    assert hooks.failures == 0
