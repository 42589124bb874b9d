"""The moves of a rotation that are allowed, and those that are not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain.rotation import ENDED, Rotation, State, Step, advance, end

AT = datetime(2026, 1, 1, tzinfo=UTC)
LATER = AT + timedelta(minutes=1)


def rotation(step: Step = Step.ISSUE, state: State = State.RUNNING) -> Rotation:
    """Return a rotation in ``step`` and ``state``."""
    return Rotation("1", "ecr", "NeverIssued", "first", step, state, AT)


def test_the_steps_follow_each_other() -> None:
    """A rotation goes from issue over verify and deliver to promote, and nothing else about it changes."""
    one = rotation()
    steps = [one.step]
    for _ in range(3):
        one = advance(one)
        steps.append(one.step)
    assert steps == [Step.ISSUE, Step.VERIFY, Step.DELIVER, Step.PROMOTE]
    assert one == rotation(Step.PROMOTE)


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
@pytest.mark.parametrize("step", Step)
def test_only_a_running_rotation_advances(step: Step, state: State) -> None:
    """A rotation that does not run takes no further step."""
    with pytest.raises(ValueError, match=f"rotation 1 cannot go on from {step}, {state}"):
        advance(rotation(step, state))


def test_nothing_follows_promote() -> None:
    """The last step has no next one."""
    with pytest.raises(ValueError, match="cannot go on from promote"):
        advance(rotation(Step.PROMOTE))


@pytest.mark.parametrize("state", [state for state in State if state is not State.RUNNING])
@pytest.mark.parametrize("step", Step)
def test_a_running_rotation_may_end_anywhere(step: Step, state: State) -> None:
    """In each step a rotation can end in each state; it keeps its step and says when, why and with which error."""
    ended = end(rotation(step), state, "because", at=LATER, error="store")
    assert (ended.step, ended.state, ended.message, ended.error, ended.finished_at) == (
        step,
        state,
        "because",
        "store",
        LATER,
    )
    assert not ended.is_running


@pytest.mark.parametrize("state", sorted(ENDED))
def test_what_ended_stays_ended(state: State) -> None:
    """An ended rotation cannot end again in another way."""
    with pytest.raises(ValueError, match=f"cannot go from {state} to succeeded"):
        end(rotation(state=state), State.SUCCEEDED, "again", at=LATER)


def test_a_delivering_rotation_may_still_end() -> None:
    """Once its stragglers confirmed, a delivering rotation succeeds; overtaken, it is abandoned."""
    for state in (State.SUCCEEDED, State.ABANDONED):
        assert end(rotation(Step.PROMOTE, State.DELIVERING), state, "done", at=LATER).state is state


def test_running_is_not_an_end() -> None:
    """No rotation ends by running on."""
    with pytest.raises(ValueError, match="cannot go from running to running"):
        end(rotation(), State.RUNNING, "?", at=LATER)


def test_every_state_is_open_or_ended() -> None:
    """Running and delivering are open; all other states are ends."""
    assert set(State) - ENDED == {State.RUNNING, State.DELIVERING}
    assert [state for state in State if rotation(state=state).is_running] == [State.RUNNING]
