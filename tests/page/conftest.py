"""A daemon in every kind of trouble, the page in front of it, and a browser."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from rotator.admin.surface import AdminSurface
from rotator.clock import SystemClock
from rotator.config.credential import CredentialConfig
from rotator.config.root import AdminConfig, Config, MetricsConfig
from rotator.domain.audit import AuditVerdict, ChainedRecord
from rotator.domain.configuration import Standing
from rotator.domain.events import DeliveryFinished, Event, StepFinished
from rotator.domain.headroom import Counted, Headroom, HeadroomState, LimitStatus, Sample
from rotator.domain.history import HeldAt, KnownVersion
from rotator.domain.image import ImageStatus
from rotator.domain.leak import LeakProgress, LeakStep, Waits
from rotator.domain.model import NEVER, Delivery, DeliveryState, Expiry, Record, Stage, Version
from rotator.domain.place import PlaceStatus
from rotator.domain.plan import CredentialPlan, TargetPlan
from rotator.domain.rotation import Rotation, State, Step
from rotator.domain.status import CredentialStatus, Health, TargetStatus, health_of
from rotator.domain.usage import Holder, Usage
from rotator.engine.handover import Acknowledged, Revealed
from rotator.engine.places import Trial
from rotator.engine.ticket import Ticket
from rotator.errors import NotFoundError
from rotator.page.serve import serve
from rotator.ports import Clock, Hook

NOW = datetime(2026, 11, 23, 3, 12, 40, tzinfo=UTC)
TOKEN = "correct-horse-battery-staple-0123456789"
FINGERPRINT = "canary-fingerprint-9d1f"
USERNAME = "canary-username-77aa"
HOSTILE = "<script>alert('x')</script>\"'&"
TARGETS = ("build-hosts", "prod", "staging", "tago")


def make_version(name: str, generation: int, now: datetime, *, age: timedelta, left: timedelta | None) -> Version:
    """Return a version in use; without ``left`` it never expires."""
    expiry = NEVER if left is None else Expiry(now + left)
    return Version(
        credential=name,
        generation=generation,
        stage=Stage.CURRENT,
        fingerprint=FINGERPRINT,
        username=USERNAME,
        issued_at=now - age,
        expiry=expiry,
        verified_at=now - timedelta(minutes=3),
        scopes=frozenset({"pull"}),
        principal="acme-bot",
    )


def make_delivery(name: str, target: str, now: datetime, state: DeliveryState, message: str = "") -> Delivery:
    """Return a delivery that did not arrive."""
    error = "unavailable" if state is DeliveryState.FAILED else ""
    at = now - timedelta(minutes=2)
    return Delivery(target, "web/regcred", name, 12, state, at, error, message, 6, 11)


def make_target(
    name: str, now: datetime, *behind: Delivery, error: str = "", expires_at: datetime | None = None
) -> Any:
    """Return a target with twelve placements."""
    at = now - timedelta(minutes=41)
    expires_at = expires_at or now + timedelta(hours=4)
    return TargetStatus(
        name, "kubernetes", name != "staging", 12 - len(behind), 12, tuple(behind), expires_at, at, error
    )


def make_status(name: str, now: datetime, *targets: TargetStatus, **changes: Any) -> CredentialStatus:
    """Return a credential that is well, but for what ``changes`` say."""
    version = make_version(name, 12, now, age=timedelta(hours=6), left=timedelta(hours=6))
    status = CredentialStatus(
        name=name,
        provider="ecr",
        registry="123456789012.dkr.ecr.eu-central-1.amazonaws.com",
        strategy="ephemeral",
        health=Health.OK,
        message="",
        record=Record(name, generation=12, last_success_at=now - timedelta(hours=6)),
        current=version,
        pending=None,
        renewal_at=now + timedelta(hours=2, minutes=14),
        running=None,
        last=None,
        targets=targets or (make_target("build-hosts", now), make_target("prod", now), make_target("staging", now)),
    )
    status = replace(status, **changes)
    health, message = health_of(status.current, status.record, status.targets, now)
    return replace(status, health=health, message=message)


def make_rotation(name: str, number: int, now: datetime, **changes: Any) -> Rotation:
    """Return a rotation that went well."""
    started = now - timedelta(hours=number)
    rotation = Rotation(
        id=f"20261123T0{number % 10}0000.000000Z-{number:04x}",
        credential=name,
        reason="RenewalPointReached",
        message="in use; 36 of 36 placements confirmed it",
        step=Step.PROMOTE,
        state=State.SUCCEEDED,
        started_at=started,
        finished_at=started + timedelta(seconds=8),
        generation=12,
    )
    return replace(rotation, **changes)


def troubled(now: datetime) -> dict[str, CredentialStatus]:
    """Return credentials in every kind of state."""
    day = timedelta(days=1)
    failed = make_rotation("harbor", 1, now, state=State.FAILED, step=Step.ISSUE, error="unavailable", generation=0)
    failed = replace(failed, message="vault.internal: connection refused")
    ended = make_version("hub-ci", 12, now, age=90 * day, left=-timedelta(minutes=25))
    soon = make_version("ghcr", 12, now, age=83 * day, left=5 * day)
    lost = make_delivery("gar", "prod", now, DeliveryState.FAILED, "namespace web: forbidden")
    awaiting = "tago: enter generation 12 at acme/site. `rotator targets reveal tago` shows it once"
    by_hand = make_delivery("ghcr", "tago", now, DeliveryState.AWAITING, awaiting)
    quay = make_version("quay", 4, now, age=200 * day, left=None)
    found = [
        make_status("ecr-prod", now),
        make_status("ecr-staging", now, make_target("staging", now)),
        make_status(
            "ghcr", now, make_target("prod", now), make_target("tago", now, by_hand), current=soon, strategy="read"
        ),
        make_status("gar", now, make_target("prod", now, lost), make_target("staging", now)),
        make_status(
            "harbor",
            now,
            make_target("prod", now),
            make_target("staging", now, error="api.staging.internal: no answer within 10 s"),
            record=Record("harbor", 12, failures=2, next_attempt_at=now + timedelta(minutes=4)),
            last=failed,
        ),
        make_status("hub-ci", now, current=ended, strategy="read", renewal_at=None),
        make_status("jfrog", now, make_target("prod", now), current=None, record=Record("jfrog"), renewal_at=None),
        make_status(
            "quay",
            now,
            make_target("build-hosts", now),
            current=quay,
            renewal_at=None,
            strategy="read",
            images=(ImageStatus("site", "quay.io/acme/site:7", is_pullable=False, message="manifest unknown"),),
        ),
    ]
    return {one.name: one for one in found}


def quiet(now: datetime) -> dict[str, CredentialStatus]:
    """Return three credentials that are well."""
    return {name: make_status(name, now) for name in ("ecr-prod", "ecr-staging", "ghcr")}


@dataclass
class FakePlanner:
    """Plans a rotation of whatever is asked for."""

    broken: Exception | None = None

    async def plan(self, names: Sequence[str], asked: Sequence[str] = ()) -> Sequence[CredentialPlan]:  # noqa: ARG002
        """Return a plan."""
        if self.broken is not None:
            raise self.broken
        targets = (TargetPlan("prod", "kubernetes", 12, canaries=1, waves=(1, 2, 9), odd_count=1),)
        return [CredentialPlan(names[0], rotates=True, reason="ManuallyTriggered", message="", targets=targets)]

    async def apply(self, *_: Any) -> Sequence[tuple[str, Ticket]]:
        """Never asked by the page."""
        raise NotImplementedError


class FakeMetrics:
    """Renders nothing."""

    def render(self, _accept: str, /, *, statuses: Sequence[CredentialStatus]) -> tuple[bytes, str]:
        """Return how many there are."""
        return f"{len(statuses)}".encode(), "text/plain"


@dataclass
class FakeDaemon:
    """Satisfies `AdminSurface` from memory."""

    config: Config
    statuses: dict[str, CredentialStatus]
    clock: Clock = field(default_factory=SystemClock)
    standing: Standing = field(default_factory=lambda: Standing(NOW, "ab" * 32))
    metrics: FakeMetrics = field(default_factory=FakeMetrics)
    planner: FakePlanner = field(default_factory=FakePlanner)
    ready: str = ""
    alive: str = ""
    acts: list[tuple[str, str, str, str]] = field(default_factory=list)
    history: list[Rotation] = field(default_factory=list)
    limits_told: list[LimitStatus] = field(default_factory=list)
    old: list[KnownVersion] = field(default_factory=list)
    leaks: list[LeakProgress] = field(default_factory=list)
    broken: Exception | None = None
    hooks: list[Hook] = field(default_factory=list)

    def status(self, name: str) -> CredentialStatus:
        """Return one of those that there are."""
        if name not in self.statuses:
            raise NotFoundError(f"no credential is named {name}", hint="Configured are: ecr-prod")
        return self.statuses[name]

    def limits(self) -> Sequence[LimitStatus]:
        """Return what was told."""
        if self.broken is not None:
            raise self.broken
        return self.limits_told

    def places(self) -> Sequence[PlaceStatus]:
        """Never asked by the page."""
        raise NotImplementedError

    async def try_target(self, name: str) -> Sequence[Trial]:
        """Never asked by the page."""
        raise NotImplementedError(name)

    async def acknowledge(self, name: str, generation: int, by: str) -> Acknowledged:
        """Never asked by the page."""
        raise NotImplementedError(name, generation, by)

    async def reveal(self, name: str, by: str) -> Revealed:
        """Never asked by the page."""
        raise NotImplementedError(name, by)

    async def request_rotation(self, name: str, message: str, by: str) -> Ticket:
        """Begin a rotation."""
        return self._begin("rotate", name, message, by)

    async def request_rollback(self, name: str, generation: int | None, message: str, by: str) -> Ticket:
        """Begin one that puts a version back."""
        return self._begin(f"rollback to {generation}", name, message, by)

    def _begin(self, act: str, name: str, message: str, by: str) -> Ticket:
        now = self.clock.now()
        running = make_rotation(name, 0, now, state=State.RUNNING, step=Step.VERIFY, message=message, by=by)
        running = replace(running, id=f"asked-{len(self.acts)}", reason="ManuallyTriggered", finished_at=None)
        self.acts.append((act, name, message, by))
        self.history.insert(0, running)
        self.statuses[name] = replace(self.status(name), running=running)
        self.tell(name)
        return Ticket(running.id, joined=False, finished=asyncio.create_task(_nothing()))

    def tell(self, name: str) -> None:
        """Tell all who listen that something became of a credential."""
        self.emit(DeliveryFinished("prod", "kubernetes", "web/regcred", name, 12, "", "", changed=True, seconds=0.1))

    async def report_leak(self, name: str, reason: str, by: str, before: datetime | None = None) -> LeakProgress:
        """Remember the report."""
        assert before is None
        self.acts.append(("leak", name, reason, by))
        return await self.leak_progress(name)

    async def leak_progress(self, name: str) -> LeakProgress:
        """Return the response to a leak, where there is one."""
        self.status(name)
        return next((one for one in self.leaks if one.credential == name), LeakProgress(name, None, ()))

    async def open_leaks(self) -> Sequence[LeakProgress]:
        """Return those that there are."""
        return self.leaks

    async def older_than(self, since: datetime) -> Sequence[str]:
        """Never asked by the page."""
        raise NotImplementedError(since)

    def usage(self, name: str) -> Usage:
        """Return one target."""
        status = self.status(name)
        holder = Holder("prod", "kubernetes", ("batch/regcred", "web/regcred"), 1, status.record.last_success_at, ())
        told = ("If it dies now, whatever pulls acme/site fails from then on.",)
        return Usage(name, status.registry, status.current, status.images, (holder,), told)

    async def audit(self, after: int, limit: int) -> Sequence[ChainedRecord]:
        """Never asked by the page."""
        raise NotImplementedError(after, limit)

    async def newest_audit(self, limit: int, credential: str | None) -> Sequence[ChainedRecord]:
        """Never asked by the page."""
        raise NotImplementedError(limit, credential)

    async def verify_audit(self) -> AuditVerdict:
        """Never asked by the page."""
        raise NotImplementedError

    async def rotations(self, credential: str | None, limit: int) -> Sequence[Rotation]:
        """Return the newest."""
        return [one for one in self.history if credential in {None, one.credential}][:limit]

    async def rotation(self, rotation_id: str) -> Rotation:
        """Return one."""
        return next(one for one in self.history if one.id == rotation_id)

    async def versions(self, name: str) -> Sequence[KnownVersion]:
        """Return the one in use, and the older ones."""
        current = self.status(name).current
        in_use = [KnownVersion(current, (HeldAt("prod", 12),), "in use")] if current is not None else []
        return [*in_use, *(one for one in self.old if one.version.credential == name)]

    @contextmanager
    def listening(self, hook: Hook, /) -> Iterator[None]:
        """Have ``hook`` told of what `emit` is given."""
        self.hooks.append(hook)
        yield
        self.hooks.remove(hook)

    def emit(self, *events: Event) -> None:
        """Tell all who listen."""
        for event in events:
            for hook in tuple(self.hooks):
                hook(event)

    def liveness(self) -> str:
        """Return what the test says."""
        return self.alive

    def readiness(self) -> str:
        """Return what the test says."""
        return self.ready


async def _nothing() -> None:
    return None


def make_daemon(config: Config, statuses: Mapping[str, CredentialStatus], clock: Clock) -> FakeDaemon:
    """Return a daemon with limits, a history and an older version, at the time of ``clock``."""
    now = clock.now()
    credentials = {name: CredentialConfig(provider="custom", registry="registry.example") for name in statuses}
    daemon = FakeDaemon(config.model_copy(update={"credentials": credentials}), dict(statuses), clock)
    told = Headroom(HeadroomState.LIMITED, 200, 31, 21_600, source=Counted.ACCOUNT)
    more = Headroom(HeadroomState.LIMITED, 5000, 4112, 3600, source=Counted.ACCOUNT)
    daemon.limits_told = [
        LimitStatus(Sample("docker.io", "hub-ci", now - timedelta(minutes=2), told), now + timedelta(minutes=50)),
        LimitStatus(Sample("ghcr.io", "ghcr", now - timedelta(minutes=4), more)),
        LimitStatus(Sample("quay.io", "quay", now - timedelta(hours=1), Headroom(HeadroomState.UNLIMITED))),
    ]
    daemon.history = [make_rotation(name, number, now) for number, name in enumerate(statuses, start=1)]
    failed = {"state": State.FAILED, "step": Step.VERIFY, "error": "verification", "generation": 13}
    daemon.history.insert(1, make_rotation("ecr-prod", 2, now, message="the registry refuses it", **failed))
    first = next(iter(statuses))
    before = make_version(first, 11, now, age=timedelta(hours=12), left=timedelta(hours=1))
    before = replace(before, stage=Stage.PREVIOUS, superseded_at=now - timedelta(hours=6))
    daemon.old = [KnownVersion(before, (), "not dead yet: in its grace")]
    return daemon


def make_leak(name: str, now: datetime) -> LeakProgress:
    """Return a response that waits for a person."""
    put = LeakStep("replaced", is_done=False, message="put a new one at vault: a#b", waits_for=Waits.PERSON)
    dead = LeakStep("dead", is_done=False, message="nobody has seen generation 12 refused yet")
    return LeakProgress(name, now - timedelta(minutes=9), (put, dead))


@dataclass(frozen=True)
class Served:
    """A page that is served.

    Args:
        daemon: What is behind it.
        url: Where the TCP listener is.
        socket: The UNIX socket.
    """

    daemon: FakeDaemon
    url: str
    socket: str

    @asynccontextmanager
    async def nobody(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client that is not logged in, and keeps cookies."""
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=URL(self.url))
        async with aiohttp.ClientSession(self.url, cookie_jar=jar) as session:
            yield session

    @asynccontextmanager
    async def as_role(self, role: str) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client that is logged in as somebody with that role."""
        async with self.nobody() as session:
            form = {"token": f"{TOKEN}-{role}"}
            async with session.post("/login", data=form, headers={"Origin": self.url}) as answer:
                assert answer.status == 200
            yield session

    @asynccontextmanager
    async def unix(self) -> AsyncIterator[aiohttp.ClientSession]:
        """Open a client on the UNIX socket."""
        connector = aiohttp.UnixConnector(self.socket)
        async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
            yield session


@pytest.fixture(scope="session")
def make_config(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Config]:
    """Return what makes a configuration with a socket, a free port, and a token for each role."""

    def make(**admin: Any) -> Config:
        directory = tmp_path_factory.mktemp("page")
        tokens = directory / "tokens"
        tokens.touch(mode=0o600)
        tokens.write_text("".join(f"{TOKEN}-{role} {role}\n" for role in ("viewer", "operator", "admin", "hook")))
        options: dict[str, Any] = {"socket": str(directory / "s"), "listen": "127.0.0.1:0", "tokens_file": str(tokens)}
        options = {"behind_proxy": True, **options, **admin}
        return Config(admin=AdminConfig(**options), metrics=MetricsConfig(listen=None))

    return make


@asynccontextmanager
async def serving(daemon: FakeDaemon) -> AsyncIterator[Served]:
    """Serve ``daemon`` for as long as the block lasts."""
    listening: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
    surface: AdminSurface = daemon
    task = asyncio.create_task(serve(surface, listening.set_result))
    either: set[asyncio.Future[Any]] = {task, listening}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        task.result()
    try:
        addresses = await listening
        yield Served(daemon, addresses.get("admin.listen", ""), addresses["admin.socket"])
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
def serve_daemon() -> Callable[[FakeDaemon], Any]:
    """Return what serves a daemon: an async context manager that yields `Served`."""
    return serving


@dataclass
class Beside:
    """A page that is served by another thread, for a browser that this one drives.

    Args:
        served: The page.
        loop: Where it is served.
    """

    served: Served
    loop: asyncio.AbstractEventLoop

    def call(self, action: Callable[[], Any]) -> Any:
        """Do something where the page is served, and return what came of it."""
        done: Any = asyncio.run_coroutine_threadsafe(_called(action), self.loop)
        return done.result(60)


async def _called(action: Callable[[], Any]) -> Any:
    return action()


@contextmanager
def beside(daemon: FakeDaemon) -> Iterator[Beside]:
    """Serve ``daemon`` from another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    context = serving(daemon)
    try:
        started = asyncio.run_coroutine_threadsafe(context.__aenter__(), loop).result(60)
        yield Beside(started, loop)
        asyncio.run_coroutine_threadsafe(context.__aexit__(None, None, None), loop).result(60)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)
        loop.close()


@pytest.fixture(scope="session")
def page(make_config: Callable[..., Config]) -> Iterator[Beside]:
    """Serve one page for all tests that ask for it; what is behind it is put in order for each by `served`."""
    clock = SystemClock()
    with beside(make_daemon(make_config(), troubled(clock.now()), clock)) as started:
        yield started


@pytest.fixture
def served(page: Beside) -> Served:
    """Return the page of a daemon in every kind of trouble, as if nothing had been asked of it yet."""
    daemon = page.served.daemon
    fresh = make_daemon(daemon.config, troubled(daemon.clock.now()), daemon.clock)
    for name in ("config", "statuses", "planner", "ready", "alive", "history", "limits_told", "old", "leaks", "broken"):
        setattr(daemon, name, getattr(fresh, name))
    daemon.acts.clear()
    return page.served


@pytest.fixture
def screenshots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where pictures go: ``$ROTATOR_SCREENSHOTS``, else a directory of this run."""
    import os

    named = os.environ.get("ROTATOR_SCREENSHOTS")
    directory = Path(named) if named else tmp_path_factory.getbasetemp() / "screenshots"
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def step_finished() -> Callable[[str, str, float], Event]:
    """Return what makes the event of a step that ended."""
    return lambda rotation, step, seconds: StepFinished(rotation, "ecr", step, seconds)


@pytest.fixture
def hostile() -> str:
    """Return a text that is dangerous where it is taken for markup."""
    return HOSTILE


@pytest.fixture
def make_daemon_of() -> Callable[[Config, Clock], FakeDaemon]:
    """Return what makes a daemon in every kind of trouble."""
    return lambda config, clock: make_daemon(config, troubled(clock.now()), clock)
