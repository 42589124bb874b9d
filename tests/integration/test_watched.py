"""A daemon that is watched as it is meant to be: real Prometheus and Alertmanager with what is shipped, sped up.

A minute of the shipped rules is a second here (`in_seconds`), so that what they wait for happens while somebody looks.
Nothing else about them is changed, and what they watch is the daemon as a process, in the world of the demo, whose
sources are cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml
from aiohttp import web

from rotator.clock import SystemClock
from rotator.demo.world import BOT, DemoWorld, open_world
from rotator.notify.bucket import BURST
from rotator.sandbox.server import Fault, SandboxServer, free_ports
from rotator.sandbox.slack import SandboxSlack

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "deploy" / "prometheus"
LIFETIME = timedelta(seconds=20)
LONG_SECONDS = 120.0
INTERVAL_SECONDS = 60.0
"""In which a destination gets one message more than its first few; what is configured where nothing is said."""
ASKED = "ManuallyTriggered"
"""Why a rotation is due that somebody asked for; here nobody but Alertmanager does."""
HOOK_TOKEN = "token-of-the-alertmanager-of-this-test"
ENDS = {"RotatorCredentialExpiryImminent", "RotatorCredentialExpired"}
"""Which of them comes first depends on how fast the machine is."""
SECONDS_OF = {"s": 1 / 60, "m": 1, "h": 60, "d": 1440}


def shorter(number: str, unit: str) -> str:
    """Return a duration at a sixtieth of its length, as Prometheus writes it."""
    return f"{max(1, round(int(number) * SECONDS_OF[unit] * 1000))}ms"


def in_seconds(rules: str) -> str:
    """Return the shipped rules with each minute made a second: ``for``, ranges, and numbers of seconds from 60 on."""
    document = yaml.safe_load(rules)
    for group in document["groups"]:
        for rule in group["rules"]:
            ranged = re.sub(r"\[(\d+)([smhd])\]", lambda found: f"[{shorter(*found.groups())}]", rule["expr"])
            rule["expr"] = re.sub(
                r"(?<![\w.\[])(\d{2,})(?![\w.%])",
                lambda found: str(int(found[1]) / 60) if int(found[1]) >= 60 else found[1],
                ranged,
            )
            if "for" in rule:
                rule["for"] = re.sub(r"(\d+)([smhd])", lambda found: shorter(*found.groups()), rule["for"])
    return yaml.safe_dump(document)


def test_a_minute_becomes_a_second() -> None:
    """The transformation touches durations and numbers of seconds, and leaves shares and counts as they are."""
    rule = {
        "alert": "A",
        "expr": "increase(a[15m]) > 3 and b - time() < 900 and c < 0.1 * d > 14.4 * 0.0005",
        "for": "5m",
    }
    [made] = yaml.safe_load(in_seconds(yaml.safe_dump({"groups": [{"name": "g", "rules": [rule]}]})))["groups"][0][
        "rules"
    ]

    assert made["expr"] == "increase(a[15000ms]) > 3 and b - time() < 15.0 and c < 0.1 * d > 14.4 * 0.0005"
    assert made["for"] == "5000ms"


class Receiver(SandboxServer):
    """Takes what Alertmanager sends: the alerts by receiver, as they come."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/{receiver}", self._take)
        super().__init__(app)
        self.alerts: list[tuple[str, dict[str, Any]]] = []

    async def _take(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.alerts += [(request.match_info["receiver"], alert) for alert in body["alerts"]]
        return web.Response()

    def firing(self, receiver: str, credential: str) -> dict[str, dict[str, Any]]:
        """Return the alerts about ``credential`` that reached ``receiver`` while they fired, by name."""
        return {
            alert["labels"]["alertname"]: alert
            for name, alert in self.alerts
            if name == receiver and alert["status"] == "firing" and alert["labels"].get("credential") == credential
        }


class Prometheus:
    """A real Prometheus that answers queries.

    Args:
        url: Where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url

    async def ask(self, query: str) -> list[Any]:
        """Return the result of an instant query; empty while it does not answer."""
        try:
            async with (
                aiohttp.ClientSession() as session,
                session.get(f"{self.url}/api/v1/query", params={"query": query}) as answer,
            ):
                body = await answer.json()
        except (aiohttp.ClientError, OSError):
            return []
        assert body["status"] == "success", (query, body)
        return list(body["data"]["result"])


async def until(wish: str, is_so: Callable[[], Any], log: Path, lacking: Callable[[], Any] = lambda: "") -> None:
    """Wait until ``is_so`` (a function or coroutine function) is true, else fail with what is lacking and the log."""
    deadline = time.monotonic() + LONG_SECONDS
    while time.monotonic() < deadline:
        answer = is_so()
        if await answer if isinstance(answer, Awaitable) else answer:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"waited in vain: {wish}\n{lacking()}\n{log.read_text()[-6000:] if log.exists() else ''}")


@contextlib.contextmanager
def running(*command: str, log: Path) -> Iterator[None]:
    """Run a program until the block ends."""
    with log.open("ab") as out, subprocess.Popen(command, stdout=out, stderr=out, cwd=log.parent) as process:
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()


class Watched:
    """The daemon, what watches it, and who is told.

    Args:
        world: Where its sources, registries and targets are.
        receiver: Whom Alertmanager tells.
        slack: Whom the daemon tells itself.
        admin: ``host:port`` of its admin API.
    """

    def __init__(self, world: DemoWorld, receiver: Receiver, slack: SandboxSlack, admin: str) -> None:
        self.world = world
        self.receiver = receiver
        self.slack = slack
        self.admin = admin
        self.metrics = configure(world, slack, admin)

    async def get(self, path: str) -> Any:
        """Return what the admin API says; nothing while it does not listen."""
        connector = aiohttp.UnixConnector(str(self.world.socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(f"http://localhost/api/v1{path}") as answer,
            ):
                return await answer.json()
        except (aiohttp.ClientError, OSError):
            return {}

    async def was_triggered(self, name: str) -> bool:
        """Return whether Alertmanager had ``name`` rotated."""
        listed = (await self.get(f"/rotations?credential={name}")).get("rotations", ())
        return any(
            "alert RotatorCredentialRejected fires" in one["message"] or one["reason"] == ASKED for one in listed
        )

    async def has_health(self, **wanted: str) -> bool:
        """Return whether each credential has the health that is wanted."""
        found = {one["name"]: one["health"] for one in (await self.get("/credentials")).get("credentials", ())}
        return all(found.get(name) == health for name, health in wanted.items())


def private(path: Path, text: str) -> Path:
    """Write ``text`` to ``path``, readable by us alone."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


def configure(world: DemoWorld, slack: SandboxSlack, admin: str) -> str:
    """Complete the demo's configuration: who is told, and what triggers a rotation; return where metrics are."""
    private(world.directory / "hook-token", HOOK_TOKEN)
    tokens = private(world.directory / "tokens", f"{HOOK_TOKEN} hook\n")
    document = yaml.safe_load(world.config_path.read_text())
    document["vault"]["poll_interval"] = "10m"
    document["engine"] = {"reconcile_interval": "1s", "headroom_interval": "2s", "image_interval": "2s"}
    document["credentials"]["service"]["rate_limit_url"] = f"{world.hub.url}/limit"
    document["admin"] |= {
        "listen": admin,
        "behind_proxy": True,
        "tokens_file": str(tokens),
        "alertmanager": {"alerts": {"RotatorCredentialRejected": {"label": "credential"}}, "cooldown": "100ms"},
    }
    document["notifications"] = {
        "chat": {
            "type": "slack",
            "url": {"file": str(private(world.directory / "slack-url", slack.webhook))},
            "insecure": True,
            "allow_addresses": ["127.0.0.0/8"],
        }
    }
    world.config_path.write_text(yaml.safe_dump(document))
    return str(document["metrics"]["listen"])


def tell_limit(_: web.Request) -> web.Response:
    """Tell that nothing is left of a limit, in the headers that Docker Hub has."""
    return web.Response(headers={"ratelimit-limit": "100;w=21600", "ratelimit-remaining": "0;w=21600"})


def alertmanager_config(daemon: Watched) -> str:
    """Return the shipped example with a minute made a second, its receivers and the trigger filled in."""
    receiver = daemon.receiver
    text = (SHIPPED / "alertmanager.yaml").read_text().replace("http://127.0.0.1:9095", receiver.url)
    text = text.replace("https://rotator.example:9181", f"http://{daemon.admin}")
    text = text.replace("/etc/alertmanager/rotator-token", str(daemon.world.directory / "hook-token"))
    text = text.replace("PullsOfAppFail|RegistryLoginFails", "RotatorCredentialRejected")
    waits = re.compile(r"(group_wait|group_interval|repeat_interval): (\d+)([smhd])")
    return waits.sub(lambda found: f"{found[1]}: {shorter(found[2], found[3])}", text)


def prometheus_config(metrics: str, alertmanager: str) -> str:
    """Return the shipped configuration, faster, with its addresses changed."""
    document = yaml.safe_load((SHIPPED / "prometheus.yaml").read_text())
    document["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms"}
    document["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"] = [alertmanager]
    document["scrape_configs"][0]["static_configs"][0]["targets"] = [metrics]
    return yaml.safe_dump(document)


@contextlib.contextmanager
def watching(directory: Path, daemon: Watched, program: Callable[[str], str]) -> Iterator[Prometheus]:
    """Run Prometheus and Alertmanager until the block ends."""
    directory.mkdir()
    alertmanager, prometheus = (f"127.0.0.1:{port}" for port in free_ports(2))
    (directory / "rotator.rules.yaml").write_text(in_seconds((SHIPPED / "rotator.rules.yaml").read_text()))
    (directory / "alertmanager.yaml").write_text(alertmanager_config(daemon))
    (directory / "prometheus.yaml").write_text(prometheus_config(daemon.metrics, alertmanager))
    with (
        running(
            program("prometheus-alertmanager"),
            "--config.file=alertmanager.yaml",
            f"--web.listen-address={alertmanager}",
            "--cluster.listen-address=",
            "--storage.path=am",
            log=directory / "alertmanager.log",
        ),
        running(
            program("prometheus"),
            "--config.file=prometheus.yaml",
            f"--web.listen-address={prometheus}",
            "--storage.tsdb.path=tsdb",
            log=directory / "prometheus.log",
        ),
    ):
        yield Prometheus(f"http://{prometheus}")


@contextlib.asynccontextmanager
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    """Run the daemon in the world of the demo until the block ends."""
    (tmp_path / "world").mkdir()
    async with (
        open_world(tmp_path / "world", SystemClock(), LIFETIME) as world,
        Receiver() as receiver,
        SandboxSlack("T") as slack,
    ):
        world.hub.faults.append(Fault(lambda request: request.path == "/limit", tell_limit))
        [port] = free_ports(1)
        made = Watched(world, receiver, slack, f"127.0.0.1:{port}")
        command = (sys.executable, "-m", "rotator", "run", "--config", str(world.config_path))
        with running(*command, log=world.log):
            await until("both are well", lambda: made.has_health(ecr="ok", service="ok"), world.log)
            yield made


def queries() -> dict[str, str]:
    """Return every query of the dashboard by panel and number, with everything chosen."""
    board = json.loads((ROOT / "deploy" / "grafana" / "rotator.json").read_text())
    values = {"$__rate_interval": "20s", "$__range": "20s", "$job": ".+", "$instance": ".+", "$credential": ".+"}
    found = {}
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            expr = target["expr"]
            for name, value in values.items():
                expr = expr.replace(name, value)
            found[f"{panel['title']} {target['refId']}"] = expr
    return found


async def empty_ones(prometheus: Prometheus) -> set[str]:
    """Return the queries of the dashboard that return nothing."""
    return {name for name, expr in queries().items() if not await prometheus.ask(expr)}


async def test_the_right_people_hear_of_a_source_that_was_cut(program: Callable[[str], str], tmp_path: Path) -> None:
    """A login that ends while its source is down pages, with its runbook, and so does one that is refused."""
    began = time.monotonic()
    async with watched(tmp_path) as daemon:
        log = daemon.world.log
        with watching(tmp_path / "watching", daemon, program) as prometheus:
            await until("it is scraped", lambda: prometheus.ask("rotator_build_info"), log)
            daemon.world.aws.fail(503)
            daemon.world.hub.revoke(BOT)

            await until("it pages", lambda: set(daemon.receiver.firing("pages", "ecr")) & ENDS, log)
            await until(
                "the refusal pages",
                lambda: "RotatorCredentialRejected" in daemon.receiver.firing("pages", "service"),
                log,
            )
            await until("an alert rotates", lambda: daemon.was_triggered("service"), log)
            found = {**daemon.receiver.firing("pages", "ecr"), **daemon.receiver.firing("pages", "service")}
            for name, alert in found.items():
                assert alert["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"
                assert (ROOT / alert["annotations"]["runbook_url"]).is_file()

            await until("people are told", lambda: any("service" in text for text in daemon.slack.texts), log)
            assert len(daemon.slack.texts) <= BURST + (time.monotonic() - began) / INTERVAL_SECONDS
            missing: set[str] = set()

            async def is_whole() -> bool:
                nonlocal missing
                missing = await empty_ones(prometheus)
                return not missing

            await until("every query returns data", is_whole, log, lambda: sorted(missing))
