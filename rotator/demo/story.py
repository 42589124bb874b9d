"""What happens in the demo, chapter by chapter. Each waits for the daemon to do its part by itself."""

from __future__ import annotations

import asyncio
import shlex
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from rotator.app import Application
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.demo import diagnose
from rotator.demo.narrator import Narrator
from rotator.demo.proof import prove
from rotator.demo.world import BOT, DemoWorld, open_world
from rotator.domain.status import Health
from rotator.errors import TemporaryError
from rotator.kinds import kinds
from rotator.log import configure
from rotator.page.serve import serve
from rotator.ports import Clock
from rotator.secret import Redactor

LIFETIME = timedelta(minutes=1)
LIFETIME_ONCE = timedelta(seconds=10)
PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the story is played.

    Args:
        world: The outside world.
        application: The daemon.
        narrator: Tells it.
        clock: Time.
    """

    world: DemoWorld
    application: Application
    narrator: Narrator
    clock: Clock

    async def until(self, wish: str, is_so: Callable[[], bool]) -> None:
        """Wait until ``is_so``, looking after each event and at least every tenth of a second.

        Raises:
            TemporaryError: It did not come true in time.
        """
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while not is_so():
                    await self.clock.sleep(0.1)
        except TimeoutError as error:
            raise TemporaryError(f"the demo waited {PATIENCE_SECONDS:g} s in vain for this: {wish}") from error

    def generation(self, credential: str) -> int:
        """Return the generation in use; 0 for none."""
        current = self.application.status(credential).current
        return current.generation if current is not None else 0

    def is_well(self) -> bool:
        """Return whether every credential is in use and confirmed everywhere."""
        return all(status.health is Health.OK for status in self.application.statuses())


async def run(*, once: bool, write: Callable[[str], None]) -> bool:
    """Play the demo in a directory of its own; for ever, or once through.

    Args:
        once: Stop after one full cycle.
        write: Prints a line.

    Returns:
        Whether every placement pulled every image each time that was tried.
    """
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rotator-demo-")))
        world = await stack.enter_async_context(open_world(directory, clock, LIFETIME_ONCE if once else LIFETIME))
        _log_to(world.log, stack)
        application = await stack.enter_async_context(Application.open(load(world.config_path, kinds()), clock))
        narrator = Narrator(clock, write)
        application.listen(narrator)
        stage = Stage(world, application, narrator, clock)
        _introduce(stage)
        return await _play(stage, _once if once else _forever)


def _log_to(path: Path, stack: AsyncExitStack) -> None:
    """Have the daemon's log lines go to a file, so that the story stays readable."""
    stream = stack.enter_context(path.open("w", encoding="utf-8"))
    handler = configure("info", "json", stream, Redactor())
    stack.callback(handler.close)


async def _play(stage: Stage, story: Callable[[Stage], Coroutine[Any, Any, bool]]) -> bool:
    """Run the daemon and ``story`` beside it; whichever ends first ends both."""
    outcome: list[bool] = []

    async def tell() -> None:
        outcome.append(await story(stage))

    await stage.application.run(lambda: serve(stage.application), tell)
    return all(outcome)


def _introduce(stage: Stage) -> None:
    world, config = stage.world, stage.application.config
    program = shlex.join([sys.executable, "-m", "rotator"])
    for line in (
        "The daemon runs against a sandbox on this machine: two private registries, AWS's ECR API, Vault, Kubernetes.",
        "Look at it from another terminal while it runs:",
        "",
        f"  {program} status --socket {world.socket}",
        f"  {program} rotate ecr --reason 'I try it' --socket {world.socket}",
        f"  curl http://{config.metrics.listen}/metrics",
        f"  cat {world.docker_config}        (the docker config that it keeps fresh)",
        f"  cat {world.config_path}               (its configuration)",
        f"  cat {world.log}                 (its log)",
        "",
        f"Or in a browser: http://{config.admin.listen} (log in with the token {world.tokens.read_text().split()[0]}).",
    ):
        stage.narrator.write(line)


async def _once(stage: Stage) -> bool:
    """One full cycle: first delivery, a token replaced at the source, a new namespace, a renewal; then troubles."""
    proved = all([await chapter(stage) for chapter in (_begin, _replace_token, _new_namespace, _renewal, _troubles)])
    stage.narrator.say("done: every chapter was proved from outside" if proved else "a proof failed; see above")
    return proved


async def _forever(stage: Stage) -> bool:
    """The cycle, then an outage, then whatever time brings."""
    proved = await _once(stage) and await _outage(stage)
    stage.narrator.chapter("Left alone, it goes on like this. Ctrl-C ends the demo")
    round_number = 1
    while True:
        await stage.clock.sleep(LIFETIME.total_seconds() / 2)
        round_number += 1
        stage.world.put_token(f"token-number-{round_number}-of-the-demo")
        stage.narrator.say(f"(somebody put token number {round_number} into Vault)")
        proved = stage.narrator.prove(await prove(stage.world)) and proved


async def _begin(stage: Stage) -> bool:
    stage.narrator.chapter("First start: every credential is issued, proved against its registry, then delivered")
    await stage.until("every placement holds both credentials", stage.is_well)
    return stage.narrator.prove(await prove(stage.world))


async def _replace_token(stage: Stage) -> bool:
    stage.narrator.chapter("Somebody replaces the token in Vault; the daemon notices by itself")
    before = stage.generation("service")
    stage.world.put_token("second-token-of-the-demo")
    await stage.until("the new token is in use", lambda: stage.generation("service") > before and stage.is_well())
    stage.world.hub.revoke(BOT, "first-token-of-the-demo")
    stage.narrator.say("the old token is revoked; nothing holds it any more:")
    return stage.narrator.prove(await prove(stage.world))


async def _new_namespace(stage: Stage) -> bool:
    stage.narrator.chapter("A namespace with the label team=demo appears; it gets its pull secret at once")
    stage.world.cluster.add_namespace("late", {"team": "demo"})
    await stage.until(
        "the new namespace has its secret",
        lambda: stage.world.cluster.secret("late", "regcred") is not None and stage.is_well(),
    )
    return stage.narrator.prove(await prove(stage.world))


async def _renewal(stage: Stage) -> bool:
    stage.narrator.chapter("The ECR password is short-lived; it is renewed at half of its life, before it expires")
    before = stage.generation("ecr")
    await stage.until("the next ECR password is in use", lambda: stage.generation("ecr") > before and stage.is_well())
    return stage.narrator.prove(await prove(stage.world))


async def _troubles(stage: Stage) -> bool:
    return await diagnose.play(stage.narrator, stage.clock)


async def _outage(stage: Stage) -> bool:
    stage.narrator.chapter("Vault is sealed for ten seconds: nothing is blanked, nothing is lost")
    stage.world.vault.seal()
    await stage.clock.sleep(10)
    proved = stage.narrator.prove(await prove(stage.world))
    stage.world.vault.unseal()
    stage.narrator.say("Vault is unsealed again")
    return proved
