"""What ships for compose: the least rights, and parts that fit the image, each other and the configuration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.cli.daemon import STOP_SECONDS
from rotator.config.load import load
from rotator.kinds import kinds

DEPLOY = Path(__file__).parents[2] / "deploy"
KEYS = {"name", "services", "secrets", "volumes"}
SERVICE_KEYS = {
    *("image", "build", "user", "read_only", "cap_drop", "security_opt", "init", "restart", "stop_grace_period"),
    *("mem_limit", "pids_limit", "tmpfs", "volumes", "secrets", "ports", "healthcheck", "logging"),
}
"""All of the Compose specification (github.com/compose-spec/compose-spec/blob/main/05-services.md, read 2026-11-28)."""


@pytest.fixture
def compose() -> dict[str, Any]:
    """Return the compose file."""
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


@pytest.fixture
def service(compose: dict[str, Any]) -> dict[str, Any]:
    """Return the one service in it."""
    ((_, service),) = compose["services"].items()
    return dict(service)


def test_only_keys_that_compose_knows(compose: dict[str, Any], service: dict[str, Any]) -> None:
    """Compose refuses an unknown key; there is none."""
    assert set(compose) == KEYS
    assert set(service) == SERVICE_KEYS


def test_the_container_has_no_right_that_it_does_not_need(service: dict[str, Any]) -> None:
    """SR-39: not root, nothing to write but volumes and memory, no capability and none to be had, no docker socket."""
    assert service["user"] == "10001:10001"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "docker.sock" not in str(service)


def test_nothing_listens_to_the_world(service: dict[str, Any]) -> None:
    """The metrics are published to the host itself."""
    assert [port for port in service["ports"] if not port.startswith("127.0.0.1:")] == []


def test_the_health_check_is_the_images(service: dict[str, Any]) -> None:
    """The same question as in the Dockerfile, by a program and not a shell."""
    (line,) = (line for line in (DEPLOY.parent / "Dockerfile").read_text().splitlines() if "HEALTHCHECK" in line)
    assert service["healthcheck"]["test"] == ["CMD", *json.loads(line.partition("CMD ")[2])]


def test_the_daemon_has_time_to_stop(service: dict[str, Any]) -> None:
    """Docker waits longer than the daemon takes at most."""
    assert int(service["stop_grace_period"].removesuffix("s")) > STOP_SECONDS


def test_no_secret_is_in_the_environment(compose: dict[str, Any], service: dict[str, Any]) -> None:
    """Secrets are files, and each that is used is defined."""
    assert "environment" not in service
    assert set(service["secrets"]) == set(compose["secrets"])
    assert all(set(secret) == {"file"} for secret in compose["secrets"].values())


def test_the_configuration_names_what_is_mounted(compose: dict[str, Any], service: dict[str, Any]) -> None:
    """The example loads; its secrets, its target and the state are at places that the container has."""
    config: Any = load(DEPLOY / "compose/config/rotator.yaml", kinds())
    volumes = dict(volume.split(":")[:2] for volume in service["volumes"])
    assert config.credentials["ghcr"].token.location.removeprefix("/run/secrets/") in service["secrets"]
    assert str(Path(config.targets["host"].path).parent) in volumes.values()
    assert str(Path(config.store.url.removeprefix("sqlite:///")).parent) == volumes["state"]
    assert (DEPLOY / volumes_source(volumes, "/etc/rotator")).is_dir()
    assert set(compose["volumes"]) == {"state"}
    assert config.metrics.listen.rpartition(":")[2] == service["ports"][0].rpartition(":")[2]


def volumes_source(volumes: dict[str, str], place: str) -> str:
    """Return what of the host is mounted at ``place``."""
    return next(source for source, inside in volumes.items() if inside == place)
