"""The daemon starts anew on a configuration that says something else under the same name."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from rotator.app import Application
from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.kinds import kinds
from rotator.sandbox.registry import SandboxRegistry
from rotator.sandbox.vault import SandboxVault

pytestmark = pytest.mark.integration

LONG_SECONDS = 60.0
CONFIG = """\
version: 1
store: {{url: "sqlite:///{directory}/rotator.db"}}
admin: {{socket: "{directory}/admin.sock"}}
metrics: {{listen: null}}
vault:
  address: {vault}
  insecure: true
  poll_interval: 1s
  auth: {{method: approle, role_id: {{file: "{directory}/role"}}, secret_id: {{file: "{directory}/sid"}}}}
registries: {{"{registry}": {{insecure: true}}}}
credentials:
  one:
    provider: custom
    registry: "{registry}"
    username: bot
    password: {{vault: "{place}#token"}}
    deliver_to: [file]
targets:
  file: {{type: docker_config, path: "{directory}/docker/config.json"}}
"""


class Scene:
    """Two registries, a Vault, and one file."""

    def __init__(self, directory: Path, vault: SandboxVault, *registries: SandboxRegistry) -> None:
        self.directory = directory
        self.vault = vault
        self.registries = registries
        for name, text in (("role", "r"), ("sid", "s")):
            self.private(name, text)
        (directory / "docker").mkdir()
        vault.mount("kv", version=2)
        vault.add_approle("r", "s")

    def private(self, name: str, text: str) -> None:
        """Write a file that we alone may read."""
        path = self.directory / name
        path.touch(mode=0o600)
        path.write_text(text)

    def held(self) -> dict[str, str]:
        """Return the logins in the file, by registry."""
        auths = json.loads((self.directory / "docker/config.json").read_text())["auths"]
        return {host: base64.b64decode(one["auth"]).decode() for host, one in auths.items()}

    @asynccontextmanager
    async def running(self, registry: SandboxRegistry, place: str) -> AsyncIterator[Application]:
        """Run the daemon for one credential at ``registry``, whose token is at ``place``."""
        known = {"directory": self.directory, "vault": self.vault.url, "registry": registry.host, "place": place}
        self.private("rotator.yaml", CONFIG.format(**known))
        config = load(self.directory / "rotator.yaml", kinds())
        async with Application.open(config, SystemClock()) as application:
            running = asyncio.create_task(application.run())
            try:
                yield application
            finally:
                application.stop()
                await running


async def until(is_so: Callable[[], Any]) -> None:
    """Wait until ``is_so`` is true."""
    async with asyncio.timeout(LONG_SECONDS):
        while not is_so():
            await asyncio.sleep(0.05)


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    """Return two registries that know one login each, and a Vault that holds both."""
    clock = SystemClock()
    async with (
        SandboxVault() as vault,
        SandboxRegistry(clock, auth="basic") as first,
        SandboxRegistry(clock, auth="basic") as second,
    ):
        made = Scene(tmp_path, vault, first, second)
        for number, registry in enumerate((first, second)):
            vault.put(f"kv/{number}", {"token": f"token-{number}"})
            registry.add_login("bot", f"token-{number}")
        yield made


async def test_the_login_of_one_registry_is_never_put_in_the_place_of_anothers(scene: Scene) -> None:
    """With another registry, and a token that it refuses, what works there stays; with the right one it is replaced."""
    first, second = scene.registries
    async with scene.running(first, "kv/0") as application:
        await until(lambda: application.status("one").health == "ok")
    second.add_login("bot", "works-here")
    config = json.loads((scene.directory / "docker/config.json").read_text())
    config["auths"][second.host] = {"auth": base64.b64encode(b"bot:works-here").decode()}
    (scene.directory / "docker/config.json").write_text(json.dumps(config))

    async with scene.running(second, "kv/0") as application:
        await until(lambda: application.status("one").record.failures)
        status = application.status("one")
        for target in application._parts.targets.values():
            await application._parts.drift.look(target)
        assert (status.health == "ok", status.current) == (False, None)
    assert scene.held() == {first.host: "bot:token-0", second.host: "bot:works-here"}
    assert not [one for one in first.asked if "works-here" in one.credential]

    async with scene.running(second, "kv/1") as application:
        await until(lambda: application.status("one").health == "ok")
    assert scene.held()[second.host] == "bot:token-1"


async def test_another_place_at_the_source_is_read(scene: Scene) -> None:
    """A place in Vault whose version has the same number as the one before is read all the same."""
    first, _ = scene.registries
    first.add_login("bot", "token-1")
    async with scene.running(first, "kv/0") as application:
        await until(lambda: application.status("one").health == "ok")

    async with scene.running(first, "kv/1"):
        await until(lambda: scene.held() == {first.host: "bot:token-1"})
