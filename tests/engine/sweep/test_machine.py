"""Anything may happen in any order: the invariants hold after each step, and all comes right once the world is mended.

`make test` plays a fixed share of the schedules, `make soak` thousands of new ones. Hypothesis prints the steps of one
that fails as a program, and the line to have it played again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rotator.domain.model import Login, Strategy
from rotator.errors import ConflictError, NotFoundError, PermanentError, RateLimitedError, UnavailableError
from rotator.secret import Secret

NAMES = ("ecr", "ghcr", "gitlab", "quay", "harbor")
STEP = timedelta(minutes=10)
WINDOW = timedelta(hours=5)
"""Less than what lies between the renewal point and the expiry of a version that lives for twelve hours."""

LONGEST_TROUBLE = timedelta(hours=2)
"""Outages that add up to less than this in the window leave enough quiet time to renew, whatever the back-off."""

a_name = st.integers(0, 4)
a_spot = st.sampled_from([(0, "shared"), (0, "other"), (0, "late"), (1, "file"), (1, "late")])


class Anything(RuleBasedStateMachine):
    """One daemon, two or three credentials, two targets, and a world that does what it likes."""

    stage: Callable[..., Any]

    @initialize(names=st.lists(st.sampled_from(NAMES), min_size=2, max_size=3, unique=True))
    def begin(self, names: list[str]) -> None:
        """Start the daemon on an empty state."""
        self.runner = asyncio.Runner()
        self.scene = self.stage(*names)
        self.troubles: list[tuple[datetime, datetime]] = []
        self.since: dict[tuple[int, str], datetime] = {}
        self.do(self.scene.live)

    def do(self, work: Callable[[], Coroutine[Any, Any, Any]]) -> Any:
        """Do ``work`` to its end."""
        return self.runner.run(work())

    def name(self, number: int) -> str:
        """Return one of the names."""
        return str(self.scene.names[number % len(self.scene.names)])

    def vendor(self, number: int) -> Any:
        """Return one of the vendors."""
        return self.scene.vendors[self.name(number)]

    def is_troubled(self) -> bool:
        """Return whether anything outside is not as it should be."""
        scene = self.scene
        vendors = any(one.fault or one.cannot_tell for one in scene.vendors.values())
        targets = any(one.faults or one.list_fault or one.loses_answer or one.finds_broken for one in scene.targets)
        is_skewed = abs(scene.world.clock.now() - scene.true.now()) > timedelta(minutes=20)
        return bool(vendors or targets or is_skewed or scene.slow)

    @rule(steps=st.sampled_from([1, 6, 36]))
    def time_passes(self, steps: int) -> None:
        """Ten minutes at a time, the daemon doing its work after each."""
        for _ in range(steps):
            self.moment(STEP)

    @rule()
    def a_minute_passes(self) -> None:
        """A second at a time: what is tried again without a pause would be tried sixty times."""

        async def turn() -> None:
            for _ in range(60):
                self.scene.pass_time(timedelta(seconds=1))
                await self.scene.world.dispatcher.turn()
                await self.scene.world.retirer.turn()
                await self.scene.quiet()

        before = self.scene.true.now()
        self.do(turn)
        if self.is_troubled():
            self.troubles.append((before, self.scene.true.now()))

    def moment(self, duration: timedelta) -> None:
        """Let a little time pass."""
        before, is_troubled = self.scene.true.now(), self.is_troubled()
        self.scene.pass_time(duration)
        if is_troubled:
            self.troubles.append((before, self.scene.true.now()))
        self.do(self.scene.live)
        self.no_gap()

    def no_gap(self) -> None:
        """I1: unless outages were long of late, no placement holds a login that has expired."""
        now = self.scene.true.now()
        lately = sum((min(b, now) - max(a, now - WINDOW) for a, b in self.troubles if b > now - WINDOW), timedelta())
        if lately > LONGEST_TROUBLE:
            return
        for name, (secret, at) in ((name, (s, at)) for s, (name, at) in self.scene.expiries.items()):
            late = [one for one in self.scene.holders(name, secret) if at <= now and not self.is_new(one)]
            assert late == [], f"I1: {late} hold {secret} since it expired at {at}"

    def is_new(self, spot: tuple[str, str]) -> bool:
        """Return whether somebody else wrote to a placement since we did."""
        return any(one[:2] == spot for one in self.scene.drifted)

    @rule(number=a_name, times=st.sampled_from([1, 1, 100]))
    def a_person_asks(self, number: int, times: int) -> None:
        """However often: it is one rotation, and one that runs is joined."""
        name, dispatcher = self.name(number), self.scene.world.dispatcher
        running = dispatcher.running.get(name)
        self.scene.prompt(name, 3)

        async def ask() -> Any:
            return await asyncio.gather(*(dispatcher.request(name, "please", "test") for _ in range(times)))

        tickets = self.do(ask)
        assert len({one.rotation for one in tickets}) == 1
        assert sum(not one.joined for one in tickets) == (running is None)
        self.do(self.scene.quiet)

    @rule(number=a_name)
    def it_is_rolled_back(self, number: int) -> None:
        """A person wants the version before."""
        self.scene.prompt(self.name(number), 2)

        async def restore() -> None:
            try:
                await self.scene.world.dispatcher.restore(self.name(number), None, "worse", "test")
            except (ConflictError, NotFoundError, PermanentError):
                return
            await self.scene.quiet()

        self.do(restore)

    @rule(number=a_name)
    def it_leaks(self, number: int) -> None:
        """A person says that others know the secret."""
        self.scene.prompt(self.name(number), 3)

        async def report() -> None:
            try:
                await self.scene.report_leak(self.name(number))
            except NotFoundError:
                return
            await self.scene.quiet()

        self.do(report)

    @rule(number=a_name)
    def the_source_changes(self, number: int) -> None:
        """A person puts another token at the source."""
        if self.vendor(number).strategy is Strategy.READ:
            self.scene.source_changes(self.name(number))

    @rule(number=a_name, error=st.sampled_from([None, UnavailableError("down"), RateLimitedError("slow down")]))
    def a_source_fails_or_recovers(self, number: int, error: Any) -> None:
        """A vendor or a source is down, or up again."""
        self.vendor(number).fault = error

    @rule(number=a_name, is_so=st.booleans())
    def a_registry_cannot_tell(self, number: int, is_so: bool) -> None:  # noqa: FBT001 (drawn)
        """A registry does not answer usefully, or does again."""
        self.vendor(number).cannot_tell = is_so

    @rule(number=a_name)
    def the_next_is_refused(self, number: int) -> None:
        """The registry will not take what the vendor makes next."""
        if self.vendor(number).strategy is not Strategy.READ:
            self.vendor(number).refused.add(self.scene.next_secret(self.name(number)))

    @rule(number=a_name)
    def it_is_revoked(self, number: int) -> None:
        """The vendor ends what is in use before its time, without being asked."""
        current = self.scene.world.ledger.current(self.name(number))
        if current is not None:
            secret = self.scene.world.store.secrets[current.credential, current.generation].reveal()
            self.vendor(number).refused.add(secret)
            self.scene.prompt(self.name(number), 2)

    @rule(number=a_name, is_so=st.booleans())
    def ending_fails(self, number: int, is_so: bool) -> None:  # noqa: FBT001 (drawn)
        """A vendor cannot end old versions, or can again."""
        if hasattr(self.vendor(number), "retire_fault"):
            self.vendor(number).retire_fault = UnavailableError("503") if is_so else None

    @rule(spot=a_spot, is_so=st.booleans())
    def a_placement_fails(self, spot: tuple[int, str], is_so: bool) -> None:  # noqa: FBT001 (drawn)
        """A placement takes nothing, or does again."""
        faults = self.scene.targets[spot[0]].faults
        faults.update({spot[1]: UnavailableError("down")}) if is_so else faults.pop(spot[1], None)

    @rule(which=st.integers(0, 1), error=st.sampled_from([None, UnavailableError("down")]))
    def a_target_cannot_be_listed(self, which: int, error: Any) -> None:
        """A target cannot say what it has, or can again."""
        self.scene.targets[which].list_fault = error

    @rule(which=st.integers(0, 1), error=st.sampled_from([None, UnavailableError("time-out")]))
    def answers_get_lost(self, which: int, error: Any) -> None:
        """A target writes and its answer gets lost, or not any more."""
        self.scene.targets[which].loses_answer = error

    @rule(which=st.integers(0, 1), number=a_name)
    def a_target_says_it_does_not_work(self, which: int, number: int) -> None:
        """What is made next does not work where it is used."""
        self.scene.targets[which].finds_broken = {self.scene.next_secret(self.name(number))}

    @rule(which=st.integers(0, 1))
    def a_target_is_content(self, which: int) -> None:
        """What was made works there after all."""
        self.scene.targets[which].finds_broken = set()

    @rule(spot=a_spot)
    def a_placement_appears_or_vanishes(self, spot: tuple[int, str]) -> None:
        """Somebody makes a placement, or removes one with all it holds; each target keeps one."""
        target = self.scene.targets[spot[0]]
        if spot[1] not in target.spots:
            target.spots.append(spot[1])
            known = self.scene.world.ledger.held_at(target.name, spot[1])  # nobody saw that it had vanished
            self.scene.drifted.update((target.name, spot[1], name) for name in known)
        elif len(target.spots) > 1:
            target.spots.remove(spot[1])
            target.held.pop(spot[1], None)
        self.do(self.scene.live)

    @rule(spot=a_spot, number=a_name)
    def somebody_else_writes(self, spot: tuple[int, str], number: int) -> None:
        """Another program replaces what a placement holds."""
        target, name = self.scene.targets[spot[0]], self.name(number)
        held = target.held.get(spot[1], {})
        if name in held:
            target.held[spot[1]] = {**held, name: replace(held[name], login=Login("other", Secret("from-elsewhere")))}
            self.scene.drifted.add((target.name, spot[1], name))

    @rule(minutes=st.sampled_from([-1500, -90, -5, 5, 90, 1500]))
    def the_clock_is_set(self, minutes: int) -> None:
        """Somebody sets our wall clock; a day too far at most."""
        clock = self.scene.world.clock
        skew = clock.now() + timedelta(minutes=minutes) - self.scene.true.now()
        if abs(skew) <= timedelta(days=2):
            clock.set_wall(clock.now() + timedelta(minutes=minutes))
            for name in self.scene.names:
                self.scene.prompt(name, 2)

    @rule()
    def the_clock_is_right(self) -> None:
        """The wall clock is put right."""
        self.scene.world.clock.set_wall(self.scene.true.now())

    @rule(number=a_name)
    def an_answer_is_slow(self, number: int) -> None:
        """The next answer of a vendor takes until it is said to come."""
        self.scene.slow.setdefault(self.name(number), asyncio.Event())

    @precondition(lambda self: self.scene.slow)
    @rule()
    def slow_answers_come(self) -> None:
        """What was slow arrives."""
        for gate in self.scene.slow.values():
            gate.set()
        self.scene.slow.clear()
        self.do(self.scene.quiet)

    @rule(after=st.integers(1, 60), again=st.integers(0, 30))
    def it_crashes(self, after: int, again: int) -> None:
        """The daemon dies at some interaction, maybe once more while it recovers, and starts again."""
        scene = self.scene
        for gate in scene.slow.values():
            gate.set()
        scene.slow.clear()

        async def recover_and_live() -> None:
            await scene.recover()
            await scene.live()

        async def crash() -> None:
            scene.crash_at = scene.count + after
            await scene.until_crash(scene.live)
            await scene.revive()
            scene.crash_at = scene.count + again if again else 0
            await scene.until_crash(recover_and_live)
            if scene.down.is_set():
                await scene.revive()
                await recover_and_live()
            scene.crash_at = 0

        self.do(crash)

    @invariant()
    def nothing_is_broken(self) -> None:
        """I2, I3, I5, I7, I10, and nothing that is held was ended."""
        if hasattr(self, "scene"):
            self.scene.check()

    def teardown(self) -> None:
        """Mend the world and see that all comes right."""
        if not hasattr(self, "scene"):
            return
        try:
            self.do(self.scene.settle)
            self.do(self.scene.settle)
            self.scene.check_settled()
        finally:
            self.do(lambda: self.scene.world.dispatcher.stop(grace=0))
            self.runner.close()


def play(stage: Callable[..., Any], schedules: int, steps: int, **options: Any) -> None:
    """Play ``schedules`` schedules of ``steps`` steps."""
    kind = type("Anything", (Anything,), {"stage": staticmethod(stage)})
    checks = settings(
        max_examples=schedules,
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        print_blob=True,
        phases=[Phase.explicit, Phase.generate],  # a failing schedule is shown as it is: making it short takes hours
        **options,
    )
    run_state_machine_as_test(kind, settings=checks)


def test_whatever_happens_the_invariants_hold(stage: Callable[..., Any]) -> None:
    """I1, I2, I3, I5, I7, I10: in a fixed share of all schedules."""
    play(stage, 40, 25)


@pytest.mark.soak
def test_whatever_happens_for_long(stage: Callable[..., Any], capsys: pytest.CaptureFixture[str]) -> None:
    """I1, I2, I3, I5, I7, I10: in thousands of new schedules; `ROTATOR_SCHEDULES` says how many."""
    schedules = int(os.environ.get("ROTATOR_SCHEDULES", "3000"))
    play(stage, schedules, 50, derandomize=False)
    with capsys.disabled():
        print(f"\n{schedules} schedules of up to 50 steps: 0 violations")
