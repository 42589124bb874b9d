"""``rotator config``: checks, shows and describes a configuration without a daemon."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

GOOD = """\
credentials:
  hub: {provider: dockerhub, username: acme, token: {env: TOKEN}, deliver_to: [docker]}
targets:
  docker: {type: docker_config, path: /home/deploy/.docker/config.json}
"""


async def test_a_good_file_is_counted_and_doubted(run: Any, tmp_path: Path) -> None:
    """A usable file gets a line of counts on standard output, and doubts on standard error."""
    path = tmp_path / "rotator.yaml"
    path.write_text(GOOD)
    ended = await run("config", "check", str(path))
    assert (ended.code, ended.out) == (0, "ok: 1 credential, 1 target\n")
    assert "warning: credentials.hub: has no images" in ended.err


async def test_every_mistake_is_named(run: Any, tmp_path: Path) -> None:
    """All mistakes of a file are listed with their lines, and the exit code is 2."""
    path = tmp_path / "rotator.yaml"
    path.write_text(GOOD.replace("dockerhub", "dockerhob") + "wat: 1\n")
    ended = await run("config", "check", str(path))
    assert (ended.code, ended.out) == (2, "")
    assert f"{path}:2: credentials.hub.provider" in ended.err
    assert f"{path}:5: wat" in ended.err


async def test_the_file_may_come_from_the_environment(run: Any, tmp_path: Path) -> None:
    """ROTATOR_CONFIG names the file where no argument does."""
    (tmp_path / "rotator.yaml").write_text(GOOD)
    assert (await run("config", "check", ROTATOR_CONFIG=str(tmp_path))).code == 0


async def test_the_effective_configuration_is_shown(run: Any, tmp_path: Path) -> None:
    """What is shown is YAML with the defaults in it."""
    (tmp_path / "rotator.yaml").write_text(GOOD)
    shown = yaml.safe_load((await run("config", "show", str(tmp_path))).out)
    assert shown["engine"]["max_rotations"] == 16
    assert shown["credentials"]["hub"]["token"] == {"env": "TOKEN"}


async def test_the_schema_is_json(run: Any) -> None:
    """The schema is JSON that knows the sections."""
    schema = json.loads((await run("config", "schema")).out)
    assert {"credentials", "targets", "admin"} <= set(schema["properties"])
