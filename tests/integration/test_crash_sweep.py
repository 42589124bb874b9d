"""The daemon's process is killed at the system calls of a whole rotation, each in turn, and started again."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from os import kill, killpg
from pathlib import Path
from typing import IO

import pytest

from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry

PROGRAM = str(Path(__file__).with_name("rotate_once.py"))
CHANGING = "write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,unlink,unlinkat,sendto,connect"
IDLE = (
    "!futex,mmap,munmap,mremap,mprotect,madvise,brk,epoll_wait,epoll_pwait,epoll_pwait2,epoll_ctl,poll,ppoll,select,"
    "clock_gettime,clock_nanosleep,nanosleep,sched_yield,sched_getaffinity,getpid,gettid,getrandom,rt_sigaction,"
    "rt_sigprocmask,rt_sigreturn,sigaltstack,rseq,set_robust_list,exit,exit_group,restart_syscall"
)
"""Calls that change nothing anybody else could see: dying at one of them is dying at the next other one."""

SHARE = 12
"""At so many of the calls that change something, evenly spread, `make test` kills; `make soak` kills at every call."""

LONG_SECONDS = 120.0
"""One start takes two at most; what takes longer hangs, and is killed with all that belongs to it."""

MOST_REQUESTS = 16
"""Of the registry, for a rotation that is killed and one that follows."""

OLD, NEW = "the-old-password", "the-new-password"
OTHERS = {"auths": {"other.example": {"auth": "eDp5"}}}


@dataclass
class Place:
    """A daemon's directory: its state and configuration, its source, and the file that it keeps.

    Args:
        directory: Where everything is.
        registry: What the file is for.
    """

    directory: Path
    registry: SandboxRegistry
    points: int = 0
    killed: int = 0
    missed: int = 0
    broken: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.live, self.kept = self.directory / "live", self.directory / "kept"
        self.docker = self.live / "docker" / "config.json"
        self.docker.parent.mkdir(parents=True)
        self.docker.write_text(json.dumps(OTHERS))
        self.docker.chmod(0o600)
        self.put(OLD)
        self.config = self.directory / "rotator.yaml"
        self.config.write_text(
            f'version: 1\nstore: {{url: "sqlite:///{self.live}/rotator.db"}}\n'
            f'admin: {{socket: "{self.live}/admin.sock"}}\nmetrics: {{listen: null}}\n'
            f'registries: {{"{self.registry.host}": {{insecure: true}}}}\n'
            "credentials:\n"
            f'  registry: {{provider: custom, registry: "{self.registry.host}", username: puller,\n'
            f"    password: {{file: {self.live}/password}}, images: ['{self.registry.host}/team/app:1'],\n"
            "    deliver_to: [host]}\n"
            f"targets: {{host: {{type: docker_config, path: {self.docker}}}}}\n"
        )

    def __str__(self) -> str:
        """Return the counts."""
        found = f"{len(self.broken)} violations"
        return f"{self.killed} kills at {self.points} calls of a rotation, {self.missed} not met again, {found}"

    def put(self, password: str) -> None:
        """Put a password at the source."""
        (self.live / "password").write_text(password)
        (self.live / "password").chmod(0o600)

    def keep(self) -> None:
        """Remember everything as it is, with the new password at the source."""
        self.put(NEW)
        shutil.copytree(self.live, self.kept)

    def reset(self) -> None:
        """Put everything back as it was kept."""
        shutil.rmtree(self.live)
        shutil.copytree(self.kept, self.live)
        self.registry.asked.clear()

    def password(self) -> str:
        """Return the password that the file holds now; everything else there must be as it was."""
        document = json.loads(self.docker.read_text())
        entry = document["auths"].pop(self.registry.host)
        assert document == OTHERS
        return base64.b64decode(entry["auth"]).decode().partition(":")[2]

    def was_accepted(self, password: str) -> bool:
        """Return whether the registry was shown ``password`` and takes it."""
        basic = base64.b64encode(f"puller:{password}".encode()).decode()
        shown = any(basic in one.credential for one in self.registry.asked)
        return shown and self.registry.accepts("puller", password)

    def journal(self) -> tuple[int, int, int, set[str]]:
        """Return the generation meant for the file, the one confirmed there, the one in use; how rotations stand."""
        with closing(sqlite3.connect(f"file:{self.live}/rotator.db?mode=ro", uri=True)) as state:
            ((meant, confirmed),) = state.execute("SELECT generation, confirmed_generation FROM deliveries").fetchall()
            ((current,),) = state.execute("SELECT generation FROM versions WHERE stage = 'current'").fetchall()
            states = {one for (one,) in state.execute("SELECT state FROM rotations").fetchall()}
        return meant, confirmed, current, states

    def check_killed(self) -> None:
        """See that nothing is worse than before, right after a kill."""
        password = self.password()
        meant, confirmed, current, _ = self.journal()
        assert password in {OLD, NEW}
        if password == NEW:
            assert self.was_accepted(NEW), "I2: delivered before the registry accepted it"
            assert meant == 2, "I10: delivered before it was journalled"
        else:
            assert (confirmed, current) == (1, 1), "I7: said to be there, and is not"

    def check_restarted(self) -> None:
        """See that the start after a kill has brought everything to its end."""
        meant, confirmed, current, states = self.journal()
        assert self.password() == NEW, "I1: the daemon does not go on"
        assert (meant, confirmed, current) == (2, 2, 2), "I3: one value, one generation"
        assert "running" not in states
        assert len(self.registry.asked) <= MOST_REQUESTS, "I5"
        strangers = [one.name for one in self.docker.parent.iterdir() if one.name.endswith((".tmp", ".backup"))]
        assert strangers == []
        assert [one.name for one in self.live.rglob("*") if one.is_file() and one.stat().st_mode & 0o077] == []


class Starter:
    """Starts daemons by `rotate_once.py`."""

    def __init__(self, process: subprocess.Popen[str], out: IO[str], told: IO[str]) -> None:
        self._process, self._out, self._in = process, out, told

    def hear(self, expected: str = "") -> str:
        """Return the next line."""
        line = self._out.readline().strip()
        assert line, "the program ended"
        assert not expected or line == expected
        return line

    def say(self, how: str) -> int:
        """Start one; return its process id."""
        self._in.write(f"{how}\n")
        self._in.flush()
        return int(self.hear())

    def free(self) -> int:
        """Let one run; return how it ended."""
        with self._watched():
            self.say("free")
            return int(self.hear())

    def traced(self, *options: str) -> tuple[int, str]:
        """Let one run under strace from its first step on; return how it ended, and its trace."""
        with self._watched():
            pid = self.say("held")
            command, group = ["strace", "-f", "-p", str(pid), *options], self._process.pid
            with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=group) as tracer:
                assert tracer.stderr is not None
                first = tracer.stderr.readline()
                assert "attached" in first, first
                kill(pid, signal.SIGCONT)
                trace = tracer.stderr.read()
            return int(self.hear()), trace

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Kill the starter, what it started and who traces it where the block does not end, so that no read waits."""
        timer = threading.Timer(LONG_SECONDS, self.kill)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def kill(self) -> None:
        """Kill the starter and all that belongs to it. May be repeated."""
        with suppress(ProcessLookupError):
            killpg(self._process.pid, signal.SIGKILL)


@contextmanager
def starting(config: Path) -> Iterator[Starter]:
    """Have a starter until the block ends; it has made the first version."""
    command = [sys.executable, PROGRAM, str(config)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, process_group=0) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        starter = Starter(process, process.stdout, process.stdin)
        try:
            starter.hear("ready")
            yield starter
        finally:
            starter.kill()


def most_per_thread(trace: str) -> dict[str, int]:
    """Return the largest number of calls of each kind that one thread made: strace counts per thread."""
    counts: dict[str, int] = {}
    calls = re.findall(r"^(?:\[pid +(\d+)\] )?(\w+)\(", trace, re.MULTILINE)
    for (_, call), count in Counter(calls).items():
        counts[call] = max(count, counts.get(call, 0))
    return counts


def sweep(place: Place, calls: str, kills: int) -> None:
    """Kill a rotation at ``kills`` of its ``calls``, evenly spread, and start again; all is noted in ``place``."""
    with starting(place.config) as starter:
        place.keep()
        place.reset()
        code, trace = starter.traced("-e", f"trace={calls}")
        assert code == 0, trace[-2000:]
        place.check_restarted()
        counts = most_per_thread(trace)
        points = [(call, number) for call, count in sorted(counts.items()) for number in range(1, count + 1)]
        place.points = len(points)
        for call, number in points[:: max(len(points) // kills, 1)]:
            place.reset()
            code, _ = starter.traced("-e", f"trace={call}", "-e", f"inject={call}:signal=SIGKILL:when={number}")
            place.killed += code == -signal.SIGKILL
            place.missed += code == 0  # another thread made that call this time
            try:
                place.check_killed()
                assert starter.free() == 0
                place.check_restarted()
            except AssertionError as error:
                place.broken.append(f"{call} {number}: {error}")


@pytest.fixture
async def place(tmp_path: Path, program: Callable[[str], str]) -> AsyncIterator[Place]:
    """Return a daemon's directory, with a registry that takes the old password and the new one."""
    program("strace")
    registry = SandboxRegistry(SystemClock(), auth="bearer")
    registry.add_image("team/app:1")
    registry.add_login("puller", OLD)
    registry.add_login("puller", NEW)
    async with registry:
        yield Place(tmp_path, registry)


async def test_a_kill_during_a_rotation_is_survived(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """I1, I2, I3, I5, I7, I10: SIGKILL at a share of the calls that change something, and a start after each."""
    await asyncio.to_thread(sweep, place, CHANGING, SHARE)
    with capsys.disabled():
        print(f"\n{place}")
    assert place.broken == []
    assert place.killed >= SHARE / 2


@pytest.mark.soak
async def test_a_kill_at_any_call_of_a_rotation(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    """I1, I2, I3, I5, I7, I10: SIGKILL at every call of a rotation, and a start after each."""
    await asyncio.to_thread(sweep, place, IDLE, 10_000)
    with capsys.disabled():
        print(f"\n{place}")
    assert place.broken == []
    assert place.killed >= 100
