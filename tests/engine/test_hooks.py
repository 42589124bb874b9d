"""Listeners are told of everything, and one that breaks hurts nobody."""

from __future__ import annotations

import pytest

from rotator.domain.events import AlarmMissed, ClockStepped, Event
from rotator.engine.hooks import Hooks

EVENT = ClockStepped(-3600.0)


def break_down(_event: Event) -> None:
    """Fail as a broken listener does."""
    raise RuntimeError("the text of a listener's error may hold anything: hunter2-secret")


def test_listeners_are_told_in_their_order() -> None:
    """Each listener gets each event, in the order in which they were added."""
    told: list[tuple[str, Event]] = []
    hooks = Hooks()
    hooks.add(lambda event: told.append(("first", event)))
    hooks.add(lambda event: told.append(("second", event)))

    hooks(EVENT)
    hooks(AlarmMissed("late"))

    assert told == [(who, event) for event in (EVENT, AlarmMissed("late")) for who in ("first", "second")]


def test_a_broken_listener_is_counted_and_silences_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    """A listener that raises is counted and named on standard error without its text; the others hear the event."""
    told: list[Event] = []
    hooks = Hooks()
    hooks.add(break_down)
    hooks.add(told.append)

    hooks(EVENT)
    hooks(EVENT)

    assert told == [EVENT, EVENT]
    assert hooks.failures == 2
    assert capsys.readouterr().err == "a listener failed on ClockStepped\n" * 2


def test_listening_ends_with_the_block() -> None:
    """A listener hears what happens in its block and nothing after it, also when the block breaks."""
    told: list[Event] = []
    hooks = Hooks()

    def listen_and_break() -> None:
        with hooks.listening(told.append):
            hooks(EVENT)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        listen_and_break()
    hooks(EVENT)
    assert told == [EVENT]


def test_a_listener_may_leave_while_it_is_told() -> None:
    """A listener that stops listening in the middle of an event takes nobody else's event away."""
    told: list[str] = []
    hooks = Hooks()
    listening = hooks.listening(lambda _: listening.__exit__(None, None, None))
    listening.__enter__()
    hooks.add(lambda _: told.append("second"))

    hooks(EVENT)
    hooks(EVENT)

    assert told == ["second", "second"]


def test_nobody_listening_is_fine() -> None:
    """Without listeners an event is simply gone."""
    hooks = Hooks()
    hooks(EVENT)
    assert hooks.failures == 0
