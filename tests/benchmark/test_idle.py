"""What ten thousand credentials cost while nothing is due, and how a start with all of them goes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from rotator.clock import SystemClock
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.registry import SandboxRegistry

CREDENTIALS = 10_000
WATCHED_SECONDS = 60


def write_config(directory: Path, registry: SandboxRegistry, aws: SandboxAws, metrics: str) -> Path:
    """Write a configuration with ten thousand ECR credentials of one identity, delivered nowhere."""
    (directory / "key").touch(mode=0o600)
    (directory / "key").write_text("AKIDSANDBOX")
    options = (
        f'{{provider: ecr, registry: "{registry.host}", region: eu-west-1, insecure: true, endpoint_url: "{aws.url}", '
        f'access_key: {{id: {{file: "{directory}/key"}}, secret: {{file: "{directory}/key"}}}}}}'
    )
    path = directory / "config"
    path.mkdir()
    head = (
        f'version: 1\nstore: {{url: "sqlite:///{directory}/r.db"}}\nadmin: {{socket: "{directory}/admin.sock"}}\n'
        f'metrics: {{listen: "{metrics}"}}\nregistries: {{"{registry.host}": {{insecure: true}}}}\n'
    )
    (path / "head.yaml").write_text(head)
    for first in range(0, CREDENTIALS, 2000):
        lines = [f"  ecr-{number}: {options}" for number in range(first, first + 2000)]
        (path / f"credentials-{first}.yaml").write_text("credentials:\n" + "\n".join(lines) + "\n")
    return path


def in_use(log: Path) -> int:
    """Return how many credentials are in use, by the daemon's own word."""
    return log.read_bytes().count(b'"rotation_succeeded"')


@pytest.mark.benchmark
async def test_ten_thousand_idle(tmp_path: Path, unused_tcp_port: int, report: Callable[[str], None]) -> None:
    """CPU and memory of a daemon with 10,000 credentials in use and nothing due, beside an idle Python process."""
    clock = SystemClock()
    metrics = f"127.0.0.1:{unused_tcp_port}"
    async with SandboxRegistry(clock, auth="basic") as registry, SandboxAws(clock, registry) as aws:
        config = write_config(tmp_path, registry, aws, metrics)
        command = [sys.executable, "-m", "rotator", "run", "--config", str(config)]
        with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stderr=log, stdout=log) as process:
            try:
                started = time.monotonic()
                while in_use(tmp_path / "log") < CREDENTIALS:
                    assert process.poll() is None, (tmp_path / "log").read_text()[-3000:]
                    await asyncio.sleep(2)
                filled = time.monotonic() - started
                await asyncio.sleep(10)
                watched = psutil.Process(process.pid)
                registry.asked.clear()
                before = watched.cpu_times()
                await asyncio.sleep(WATCHED_SECONDS)
                after = watched.cpu_times()
                share = (after.user + after.system - before.user - before.system) / WATCHED_SECONDS
                memory = watched.memory_info().rss / 2**20
                requests = len(registry.asked) / WATCHED_SECONDS
            finally:
                process.terminate()

    report(
        f"{CREDENTIALS:,} credentials idle: {share:.2%} of one core, {memory:.0f} MB (budget: 1 %, 250 MB), "
        f"{requests:.1f} requests/s to the registry; issued and verified before that in {filled:.0f} s, "
        f"with {aws.calls} calls to AWS"
    )
    assert aws.calls >= 1
