"""A daemon that remembers what it was asked, and the real servers in front of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from rotator.admin.serve import serve
from rotator.admin.surface import AdminSurface
from rotator.clock import SystemClock
from rotator.config.credential import CredentialConfig
from rotator.config.root import AdminConfig, Config, MetricsConfig
from rotator.domain.audit import AuditRecord, AuditVerdict, ChainedRecord
from rotator.domain.configuration import Standing
from rotator.domain.declares import Concurrency, Declares, Effect, Proof
from rotator.domain.events import Event
from rotator.domain.headroom import Counted, Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.history import HeldAt, KnownVersion
from rotator.domain.image import ImageStatus
from rotator.domain.leak import LeakProgress, LeakStep, Waits
from rotator.domain.lint import Lint
from rotator.domain.model import Delivery, DeliveryState, Expiry, Login, Record, Stage, Version
from rotator.domain.place import Holding, PlaceStatus, judge_place
from rotator.domain.plan import CredentialPlan, Ending, Odd, TargetPlan, digest, lines
from rotator.domain.privilege import Privilege
from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.status import CredentialStatus, Health, TargetStatus
from rotator.domain.usage import Holder, Usage
from rotator.engine.handover import Acknowledged, Revealed
from rotator.engine.places import Trial
from rotator.engine.ticket import Ticket
from rotator.errors import ConflictError, NotFoundError
from rotator.ports import Clock, Hook
from rotator.secret import Secret

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SHOWN = "canary-shown-once-3b1c"
OURS = {"X-Requested-With": "rotator"}
TOKEN = "correct-horse-battery-staple-0123456789"


def make_status(name: str) -> CredentialStatus:
    """Return a credential that is ok, with one placement that is behind."""
    behind = Delivery("prod", "web/regcred", name, 2, DeliveryState.FAILED, NOW, "unavailable", "no answer", 3, 1)
    return CredentialStatus(
        name=name,
        provider="custom",
        registry="registry.example",
        strategy="ephemeral",
        health=Health.OK,
        message="in use, and confirmed by every required placement",
        record=Record(name, generation=2, last_success_at=NOW),
        current=make_version(name, 2),
        pending=None,
        renewal_at=NOW + timedelta(hours=5),
        running=None,
        last=None,
        images=(ImageStatus("app", "registry.example/app:1", is_pullable=True, told_at=NOW),),
        privilege=Privilege(is_excessive=True, lints=(Lint("over_privileged", "it may push; make a smaller one"),)),
        targets=(
            TargetStatus(
                "prod",
                "kubernetes",
                required=True,
                confirmed=2,
                placements=3,
                behind=(behind,),
                expires_at=None,
                confirmed_at=NOW,
            ),
        ),
    )


def make_delivery(state: DeliveryState) -> Delivery:
    """Return the delivery of generation 2 to the project of a target."""
    confirmed = 2 if state is DeliveryState.CONFIRMED else 1
    return Delivery("tago", "acme", "ghcr", 2, state, NOW, message="enter it", confirmed_generation=confirmed)


def make_place(name: str, state: DeliveryState) -> PlaceStatus:
    """Return a target with one placement in that state."""
    delivery = make_delivery(state)
    behind = () if state is DeliveryState.CONFIRMED else (delivery,)
    expires_at = NOW + timedelta(hours=3)
    confirmed = delivery.confirmed_generation
    holding = Holding("ghcr", 2, confirmed, 1, 1 - len(behind), expires_at, NOW, Proof.OPERATOR, behind)
    word, next_step = judge_place("", (holding,))
    declares = Declares(Proof.OPERATOR, Effect.CAUSES_REDEPLOY, Concurrency.SERIALISED, timedelta(hours=6))
    return PlaceStatus(name, "tagoio_deploy", True, declares, (holding,), word, next_step)  # noqa: FBT003


def make_version(name: str, generation: int) -> Version:
    """Return a version that lives for twelve hours."""
    return Version(
        credential=name,
        generation=generation,
        stage=Stage.CURRENT,
        fingerprint="00112233aabbccdd",
        username="robot-user-name",
        issued_at=NOW,
        expiry=Expiry(NOW + timedelta(hours=12)),
        scopes=frozenset({"write", "read"}),
        principal="acme",
    )


def make_rotation(name: str, number: int = 1) -> Rotation:
    """Return a rotation that runs, with its second generation."""
    return Rotation(
        id=f"20261123T120000.000000Z-{number:04x}",
        credential=name,
        reason="ManuallyTriggered",
        message="because",
        step=Step.ISSUE,
        state=State.RUNNING,
        started_at=NOW,
        generation=2,
        by="uid 0",
    )


def make_audit() -> list[ChainedRecord]:
    """Return three records."""
    names = ("ecr-prod", "ghcr", "ecr-prod")
    records = [AuditRecord(NOW, "uid 0", "rotate", name, "intent", "because", 2) for name in names]
    return [ChainedRecord(number, record, "ab12") for number, record in enumerate(records, start=1)]


class FakeMetrics:
    """Renders one line, once it is allowed to."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.allowed.set()
        self.begun = threading.Semaphore(0)
        self.padding = b""

    def render(self, _accept: str, /, *, statuses: Sequence[CredentialStatus]) -> tuple[bytes, str]:
        """Return one metric, whatever is accepted."""
        self.begun.release()
        self.allowed.wait(10)
        body = f"rotator_credentials {len(statuses)}\n".encode() + self.padding
        return body, "text/plain; version=0.0.4; charset=utf-8"


@dataclass
class FakePlanner:
    """Plans a rotation of whatever is asked for; applies the plan that it made last."""

    applied: list[tuple[tuple[str, ...], tuple[str, ...], str]] = field(default_factory=list)
    fingerprint: str = "00112233aabbccdd"

    async def plan(self, names: Sequence[str], asked: Sequence[str] = ()) -> Sequence[CredentialPlan]:
        """Return a plan in which ``asked`` are rotated."""
        if "nope" in names:
            raise NotFoundError("no credential is named nope", hint="Configured are: ecr-prod")
        return [
            CredentialPlan(
                name,
                rotates=name in asked,
                reason="ManuallyTriggered" if name in asked else "",
                message="planned",
                generation=2,
                fingerprint=self.fingerprint,
                targets=(TargetPlan("prod", "kubernetes", 2, odd=(Odd("web/pull", "holds something else"),)),),
                endings=(Ending(1, "aa", "wait", "in its grace"),),
            )
            for name in names or ("ecr-prod", "ghcr")
        ]

    async def apply(
        self, names: Sequence[str], asked: Sequence[str], expected: str, by: str
    ) -> Sequence[tuple[str, Ticket]]:
        """Remember it, when it is the plan of now."""
        if digest(lines(await self.plan(names, asked))) != expected:
            raise ConflictError("something has changed", hint="Make a new plan")
        self.applied.append((tuple(names), tuple(asked), by))
        return [(name, Ticket("r1", joined=False, finished=asyncio.create_task(_nothing()))) for name in asked]


@dataclass
class FakeDaemon:
    """Satisfies `AdminSurface` from memory."""

    config: Config
    clock: Clock = field(default_factory=SystemClock)
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    ready: str = ""
    alive: str = ""
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    acts: list[tuple[str, str, str]] = field(default_factory=list)
    kept: dict[str, Rotation] = field(default_factory=dict)
    told: list[Event] = field(default_factory=list)
    hooks: list[Hook] = field(default_factory=list)
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    broken: Exception | None = None
    planner: FakePlanner = field(default_factory=FakePlanner)

    @property
    def standing(self) -> Standing:
        """Return a configuration of two files, and one that was refused."""
        files = ("00-policy.yaml", "team.yaml")
        return Standing(NOW, "ab" * 32, "/etc/rotator", files, NOW + timedelta(hours=1), "team.yaml:3: is missing")

    def status(self, name: str) -> CredentialStatus:
        """Return the status of a configured credential."""
        if self.broken is not None:
            raise self.broken
        if name not in self.config.credentials:
            raise NotFoundError(f"no credential is named {name}", hint="Configured are: ecr-prod")
        return make_status(name)

    def limits(self) -> Sequence[LimitStatus]:
        """Return one limit that will be used up in an hour."""
        told = Headroom(HeadroomState.LIMITED, 200, 50, 21_600, source=Counted.ACCOUNT)
        return [LimitStatus(Sample("docker.io", "hub", NOW, told), NOW + timedelta(hours=1))]

    def places(self) -> Sequence[PlaceStatus]:
        """Return one target that waits for a person, and one that holds what it must."""
        return [make_place("prod", DeliveryState.CONFIRMED), make_place("tago", DeliveryState.AWAITING)]

    async def try_target(self, name: str) -> Sequence[Trial]:
        """Return one placement that could be read, and one that could not."""
        self._known(name)
        return [Trial("web", "", "readable"), Trial("api", "permission_denied", "may not read")]

    async def acknowledge(self, name: str, generation: int, by: str) -> Acknowledged:
        """Remember the word; only the second generation waits."""
        self._known(name)
        if generation != 2:
            raise ConflictError(f"generation 2 waits to be entered, not {generation}")
        self.acts.append(("acknowledged", name, by))
        return Acknowledged(make_delivery(DeliveryState.CONFIRMED), "the file is still there")

    async def reveal(self, name: str, by: str) -> Revealed:
        """Show the login and remember to whom."""
        self._known(name)
        self.acts.append(("revealed", name, by))
        return Revealed(make_delivery(DeliveryState.AWAITING), Login("robot", Secret(SHOWN)))

    def _known(self, name: str) -> None:
        if name != "tago":
            raise NotFoundError(f"no target that holds a credential is named {name}")

    async def request_rotation(self, name: str, message: str, by: str) -> Ticket:
        """Remember the request; the first starts a rotation, the others join it."""
        self.status(name)
        joined = bool(self.requests)
        self.requests.append((name, message, by))
        rotation = make_rotation(name)
        self.kept[rotation.id] = rotation
        return Ticket(rotation.id, joined, asyncio.create_task(_nothing()))

    def usage(self, name: str) -> Usage:
        """Return one target with two placements."""
        self.status(name)
        current = make_version(name, 2)
        holder = Holder("prod", "kubernetes", ("api", "web"), 1, NOW, (current.expiry,))
        return Usage(name, "registry.example", current, (), (holder,), ("pulls fail from now on",))

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Return what comes after a number."""
        return [one for one in make_audit() if one.number > after][:limit]

    async def newest_audit(self, limit: int, credential: str | None) -> Sequence[ChainedRecord]:
        """Return the newest of three."""
        return [one for one in reversed(make_audit()) if credential in {None, one.record.credential}][:limit]

    async def verify_audit(self) -> AuditVerdict:
        """Return that the third record is missing."""
        return AuditVerdict(2, 3, "record 3 is missing: the next one is 4")

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return what is kept."""
        return [one for one in self.kept.values() if credential in {None, one.credential}][:limit]

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one that is kept."""
        if rotation_id not in self.kept:
            raise NotFoundError(f"no rotation is named {rotation_id}")
        return self.kept[rotation_id]

    async def request_rollback(self, name: str, generation: int | None, message: str, by: str) -> Ticket:
        """Remember the request; only the first generation is kept."""
        self.status(name)
        if generation not in {None, 1}:
            raise NotFoundError(f"{name}: generation {generation} is not kept", hint="Kept besides the one in use: 1")
        self.acts.append((f"rolled back to {generation}", name, by))
        return await self.request_rotation(name, message, by)

    async def report_leak(self, name: str, reason: str, by: str, before: datetime | None = None) -> LeakProgress:
        """Remember the report."""
        self.status(name)
        self.acts.append((f"leak: {reason}{f' before {before}' if before else ''}", name, by))
        return await self.leak_progress(name)

    async def leak_progress(self, name: str) -> LeakProgress:
        """Return a response that waits for a person, where a leak was reported."""
        self.status(name)
        if name not in {credential for act, credential, _ in self.acts if act.startswith("leak")}:
            return LeakProgress(name, None, ())
        put = LeakStep("replaced", is_done=False, message="put it at vault: a#b", waits_for=Waits.PERSON)
        return LeakProgress(name, NOW, (put, LeakStep("dead", is_done=False, message="nobody has seen it refused")))

    async def open_leaks(self) -> Sequence[LeakProgress]:
        """Return the responses that are not over."""
        found = [await self.leak_progress(name) for name in sorted(self.config.credentials)]
        return [one for one in found if one.steps]

    async def older_than(self, since: datetime) -> Sequence[str]:
        """Return all, as long as the instant is later than when they were issued."""
        return list(self.config.credentials) if since > NOW else []

    async def versions(self, name: str) -> Sequence[KnownVersion]:
        """Return two versions; the older one is held at one placement still."""
        self.status(name)
        old = replace(make_version(name, 1), stage=Stage.PREVIOUS, superseded_at=NOW)
        return [
            KnownVersion(make_version(name, 2), (HeldAt("prod", 2),), "in use"),
            KnownVersion(old, (HeldAt("prod", 1),), "not dead yet: in its grace"),
        ]

    @contextmanager
    def listening(self, hook: Hook) -> Iterator[None]:
        """Have ``hook`` told of what `emit` is given."""
        self.hooks.append(hook)
        self.subscribed.set()
        try:
            yield
        finally:
            self.hooks.remove(hook)

    def emit(self, *events: Event) -> None:
        """Tell all who listen, and remember it."""
        self.told.extend(events)
        for event in events:
            for hook in self.hooks:
                hook(event)

    def liveness(self) -> str:
        """Return what the test says."""
        return self.alive

    def readiness(self) -> str:
        """Return what the test says."""
        return self.ready


async def _nothing() -> None:
    return None


@dataclass(frozen=True)
class Served:
    """Running servers.

    Args:
        daemon: What is behind them.
        addresses: By configuration key.
        task: Cancel it to close them.
    """

    daemon: FakeDaemon
    addresses: Mapping[str, str]
    task: asyncio.Task[None]

    @asynccontextmanager
    async def unix(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client on the UNIX socket."""
        connector = aiohttp.UnixConnector(self.addresses["admin.socket"])
        async with aiohttp.ClientSession("http://localhost", connector=connector, headers=OURS) as session:
            yield session

    @asynccontextmanager
    async def as_role(self, role: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Yield a client over TCP that shows the token of a role."""
        async with self.tcp(f"{TOKEN}-{role}") as session:
            yield session

    @asynccontextmanager
    async def tcp(self, token: str | None = TOKEN) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client on the admin listener; None sends no token."""
        headers = OURS if token is None else {**OURS, "Authorization": f"Bearer {token}"}
        async with aiohttp.ClientSession(self.addresses["admin.listen"], headers=headers) as session:
            yield session

    @asynccontextmanager
    async def probes(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client on the metrics listener."""
        async with aiohttp.ClientSession(self.addresses["metrics.listen"]) as session:
            yield session


@pytest.fixture
def tokens_file(tmp_path: Path) -> Path:
    """Return a file with one known token in its second line."""
    return _write_tokens(tmp_path)


def _write_tokens(directory: Path) -> Path:
    path = directory / "tokens"
    path.touch(mode=0o600)
    roles = "".join(f"{TOKEN}-{role} {role}\n" for role in ("viewer", "operator", "admin", "hook"))
    path.write_text(f"# for the tests\n{TOKEN}\n{roles}")
    return path


@pytest.fixture
def config(tmp_path: Path, tokens_file: Path) -> Config:
    """Return a configuration with every listener, on free ports."""
    return _configured(tmp_path, tokens_file)


def _configured(tmp_path: Path, tokens_file: Path) -> Config:
    return Config(
        admin=AdminConfig(
            socket=str(tmp_path / "run" / "admin.sock"),
            listen="127.0.0.1:0",
            tokens_file=str(tokens_file),
            behind_proxy=True,
        ),
        metrics=MetricsConfig(listen="127.0.0.1:0"),
        credentials={
            name: CredentialConfig(provider="custom", registry="registry.example") for name in ("ecr-prod", "ghcr")
        },
    )


@asynccontextmanager
async def running(daemon: FakeDaemon) -> AsyncIterator[Served]:
    """Serve ``daemon`` for as long as the block lasts."""
    listening: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
    surface: AdminSurface = daemon
    task = asyncio.create_task(serve(surface, listening.set_result))
    either: set[asyncio.Future[Any]] = {task, listening}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        yield Served(daemon, await listening, task)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture(scope="session")
def make_running() -> Callable[[Path], AbstractAsyncContextManager[Served]]:
    """Return what serves a daemon whose files are in a directory."""
    return lambda directory: running(FakeDaemon(_configured(directory, _write_tokens(directory))))


@pytest.fixture
async def served(config: Config) -> AsyncIterator[Served]:
    """Return running servers with every listener."""
    async with running(FakeDaemon(config)) as started:
        yield started


@pytest.fixture
def make_served() -> Callable[[Config], object]:
    """Return what serves a daemon with another configuration: an async context manager that yields `Served`."""
    return lambda config: running(FakeDaemon(config))
