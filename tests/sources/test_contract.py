"""What every source promises, checked for each row of the table; a new source is tested by being registered."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import hvac
import hvac.exceptions
import pytest
import requests

from rotator.clock import SystemClock
from rotator.config.ref import SecretRef
from rotator.config.vault import VaultConfig
from rotator.errors import ConfigError, NotFoundError, RotatorError, ShapeError
from rotator.ports import Source
from rotator.sandbox.server import free_ports
from rotator.sandbox.vault import SandboxVault
from rotator.secret import Fingerprinter, Secret
from rotator.sources import SOURCES
from rotator.sources.env import EnvSource
from rotator.sources.file import FileSource
from rotator.sources.vault import VaultSource, VaultTools

CANARY = "canary-4f1d9a-secret"


@dataclass
class Place:
    """One source with a value that the test may change."""

    source: Source
    location: str
    absent: str
    broken: str
    write: Callable[[str], None]


@pytest.fixture
def env_place(fingerprint: Fingerprinter) -> Place:
    """Return an environment with one variable."""
    environ = {"TOKEN": CANARY}
    return Place(
        EnvSource(environ, fingerprint=fingerprint), "TOKEN", "ABSENT", "", lambda value: environ.update(TOKEN=value)
    )


@pytest.fixture
def file_place(tmp_path: Path) -> Place:
    """Return a folder with one private file."""
    path = tmp_path / "token"
    fresh = tmp_path / "fresh"

    def write(value: str) -> None:
        fresh.write_text(value)
        fresh.chmod(0o600)
        fresh.replace(path)

    write(CANARY)
    return Place(FileSource(), str(path), str(tmp_path / "absent"), "#key", write)


@pytest.fixture
async def vault_place(vault: SandboxVault, make_source: Callable[..., Awaitable[VaultSource]]) -> Place:
    """Return a version 2 engine with one secret."""
    vault.put("kv/a", {"token": CANARY})

    def write(value: str) -> None:
        vault.put("kv/a", {"token": value})

    return Place(await make_source(), "kv/a#token", "kv/absent#token", "no location", write)


@pytest.fixture
async def vault_plain_place(vault: SandboxVault, make_source: Callable[..., Awaitable[VaultSource]]) -> Place:
    """Return a version 1 engine with one secret."""
    vault.mount("old", version=1)
    vault.put("old/a", {"token": CANARY})

    def write(value: str) -> None:
        vault.put("old/a", {"token": value})

    return Place(await make_source(), "old/a#token", "old/absent#token", "no location", write)


@pytest.fixture
async def real_vault_place(tmp_path: Path, fingerprint: Fingerprinter) -> AsyncIterator[Place]:
    """Return a version 2 engine of a real server in development mode, where there is one to start."""
    binary = shutil.which("bao") or shutil.which("vault")
    if binary is None:
        pytest.skip("neither bao nor vault is on PATH; Debian packages none")
    [port] = free_ports(1)
    command = [binary, "server", "-dev", "-dev-root-token-id=root", f"-dev-listen-address=127.0.0.1:{port}"]
    home = {**os.environ, "HOME": str(tmp_path)}
    server = subprocess.Popen(command, cwd=tmp_path, env=home, stdout=subprocess.DEVNULL)
    client = hvac.Client(url=f"http://127.0.0.1:{port}", token="root")
    pool = ThreadPoolExecutor(2)
    try:
        await _wait_until_ready(client)

        def write(value: str) -> None:
            client.secrets.kv.v2.create_or_update_secret("a", {"token": value}, mount_point="secret")

        write(CANARY)
        source = VaultSource(_root_config(port), VaultTools(pool, SystemClock(), fingerprint, _root, lambda: 0.0))
        yield Place(source, "secret/a#token", "secret/absent#token", "no location", write)
        await source.close()
    finally:
        client.adapter.close()
        server.terminate()
        server.wait(10)
        pool.shutdown()


def _root_config(port: int) -> VaultConfig:
    auth = {"method": "token", "token": {"env": "ROOT"}}
    return VaultConfig.model_validate({"address": f"http://127.0.0.1:{port}", "insecure": True, "auth": auth})


async def _root(_: SecretRef) -> Secret:
    return Secret("root")


async def _wait_until_ready(client: hvac.Client) -> None:
    for _ in range(100):
        try:
            await asyncio.to_thread(client.secrets.kv.v2.read_configuration, mount_point="secret")
        except (requests.RequestException, hvac.exceptions.VaultError):
            await asyncio.sleep(0.1)
        else:
            return


HARNESSES = {
    "vault": ["vault_place", "vault_plain_place", "real_vault_place"],
    "file": ["file_place"],
    "env": ["env_place"],
}


@pytest.fixture(params=[name for names in HARNESSES.values() for name in names])
def place(request: pytest.FixtureRequest) -> Place:
    """Return each source in turn."""
    found: Place = request.getfixturevalue(request.param)
    return found


def test_every_registered_source_has_a_harness() -> None:
    """No source is registered without running this suite."""
    assert sorted(SOURCES) == sorted(HARNESSES)


@pytest.mark.parametrize("entry", SOURCES.values(), ids=SOURCES.keys())
def test_table_names_classes_that_exist(entry: str) -> None:
    """Each row of the table can be imported and has the three methods of a source."""
    module, name = entry.split(":")
    found = getattr(import_module(module), name)
    assert all(callable(getattr(found, method)) for method in ("read", "revision", "close"))


async def test_value_is_read(place: Place) -> None:
    """A source hands over exactly what was stored."""
    assert (await place.source.read(place.location)).secret == Secret(CANARY)


async def test_reading_again_gives_the_same(place: Place) -> None:
    """Reading changes nothing: value and revision stay."""
    first, second = await place.source.read(place.location), await place.source.read(place.location)
    assert (first.secret, first.revision) == (second.secret, second.revision)


async def test_revision_changes_with_the_value(place: Place) -> None:
    """Another value has another revision."""
    before = await place.source.read(place.location)
    place.write("another-value-of-it")
    after = await place.source.read(place.location)
    assert after.secret == Secret("another-value-of-it")
    assert after.revision != before.revision


async def test_revision_alone_equals_that_of_a_reading(place: Place) -> None:
    """Where a source tells the revision cheaply, it is the one a reading has."""
    revision = await place.source.revision(place.location)
    assert revision in {None, (await place.source.read(place.location)).revision}


async def test_revision_holds_nothing_of_the_value(place: Place) -> None:
    """A revision may be shown, so the value is not in it, nor in what a reading prints."""
    reading = await place.source.read(place.location)
    assert CANARY not in f"{reading.revision}{reading!r}"


async def test_absent_value_is_an_error(place: Place) -> None:
    """Nothing there is NotFoundError, never an empty value."""
    with pytest.raises(NotFoundError):
        await place.source.read(place.absent)


async def test_empty_value_is_refused(place: Place) -> None:
    """An empty value is taken for a mistake, not for a secret."""
    place.write("")
    with pytest.raises(ShapeError, match="is empty"):
        await place.source.read(place.location)


@pytest.mark.parametrize("ask", ["read", "revision"])
async def test_unusable_location_is_an_error_of_ours(place: Place, ask: str) -> None:
    """Whatever a location looks like, only our own errors come back."""
    with pytest.raises(RotatorError) as caught:
        await getattr(place.source, ask)(place.broken)
    assert isinstance(caught.value, ConfigError | NotFoundError)


async def test_concurrent_readings_agree(place: Place) -> None:
    """Many readers at once all get the value."""
    readings = await asyncio.gather(*(place.source.read(place.location) for _ in range(20)))
    assert {reading.secret for reading in readings} == {Secret(CANARY)}


async def test_closing_twice_is_harmless(place: Place) -> None:
    """`close` may be repeated."""
    await place.source.close()
    await place.source.close()


async def test_long_text_survives(place: Place) -> None:
    """A Google service account key, 2 kB of JSON over several lines, comes back to the letter."""
    key = json.dumps({"type": "service_account", "private_key": "-----BEGIN\n" + "A" * 2000}, indent=2)
    place.write(key)
    assert (await place.source.read(place.location)).secret == Secret(key)
