"""``rotator check``: as its users run it, against registries in both modes, without a daemon or a configuration."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.sandbox.registry import SandboxRegistry


@pytest.fixture(params=["bearer", "basic"])
async def shop(request: pytest.FixtureRequest, secret: str) -> AsyncIterator[SandboxRegistry]:
    """Return a registry with a private image, and where anybody may pull a public one."""
    async with SandboxRegistry(SystemClock(), auth=request.param) as server:
        server.add_image("team/app:1")
        server.add_image("open/app:1", public=True)
        server.add_login("robot", secret, repositories="team/")
        yield server


@pytest.fixture
async def hub(secret: str) -> AsyncIterator[SandboxRegistry]:
    """Return a registry that lets anybody pull what is public."""
    async with SandboxRegistry(SystemClock()) as server:
        server.add_image("team/app:1")
        server.add_image("open/app:1", public=True)
        server.add_login("robot", secret, repositories="team/")
        yield server


def write_config(path: Path, host: str, password: str) -> str:
    """Write a docker configuration with one login, and return where."""
    auth = base64.b64encode(f"robot:{password}".encode()).decode()
    (path / "config.json").write_text(json.dumps({"auths": {host: {"auth": auth}}}))
    return str(path / "config.json")


@pytest.fixture
def stocked(shop: SandboxRegistry, tmp_path: Path, secret: str) -> tuple[SandboxRegistry, dict[str, list[str]], str]:
    """Return the registry, the options that give each kind of login, and the secret of the good one."""
    shop.add_image("other/app:1")
    options: dict[str, list[str]] = {"none": []}
    for kind, password in (("good", secret), ("wrong", "wrong")):
        (tmp_path / kind).mkdir()
        options[kind] = ["--docker-config", write_config(tmp_path / kind, shop.host, password)]
    return shop, options, secret


async def test_an_image_that_pulls(run: Any, shop: SandboxRegistry, tmp_path: Path, secret: str) -> None:
    """It is said to pull, with which entry, and what it is; the login is nowhere in the output."""
    config = write_config(tmp_path, shop.host, secret)
    ended = await run("check", f"{shop.host}/team/app:1", "--docker-config", config, "--insecure", shop.host)
    assert (ended.code, ended.err) == (0, "")
    for words in ("pulls", "linux/amd64, linux/arm64", "in 1 layer", f'"{shop.host}"', "image.index", "pin it"):
        assert words in ended.out
    assert all(len(line) <= 80 or len(line.split()) == 1 or "sha256:" in line for line in ended.out.splitlines())
    assert not any(line.endswith(" ") for line in ended.out.splitlines())
    assert secret not in ended.out
    assert base64.b64encode(f"robot:{secret}".encode()).decode() not in ended.out


async def test_json_says_it_all(run: Any, shop: SandboxRegistry, tmp_path: Path, secret: str) -> None:
    """Every fact is in the JSON, and no secret is."""
    config = write_config(tmp_path, shop.host, secret)
    options = ["--docker-config", config, "--insecure", shop.host, "--json"]
    ended = await run("check", f"{shop.host}/team/app:1", *options)
    (found,) = json.loads(ended.out)
    assert (ended.code, found["pulls"], found["public"], found["verdict"]) == (0, True, False, "ok")
    assert found["platforms"] == ["linux/amd64", "linux/arm64"]
    assert (found["size"]["platform"], found["size"]["layers"]) == ("linux/amd64", 1)
    assert found["size"]["bytes"] > 0
    assert found["latency_seconds"] >= 0
    assert found["credential"]["key"] == shop.host
    assert found["digest"].startswith("sha256:")
    assert secret not in ended.out


@pytest.mark.parametrize(
    ("image", "login", "verdicts"),
    [
        pytest.param("team/app:1", "wrong", {"auth_failed"}, id="wrong"),
        pytest.param("team/app:1", "none", {"auth_missing"}, id="nobody"),
        pytest.param("team/app:2", "good", {"not_found tag"}, id="tag"),
        pytest.param("team/none:1", "good", {"not_found repository"}, id="repository"),
        pytest.param("other/app:1", "good", {"no_access_or_not_found", "insufficient_scope"}, id="not granted"),
    ],
)
async def test_what_does_not_pull_has_its_verdict(
    run: Any, stocked: Any, image: str, login: str, verdicts: set[str]
) -> None:
    """Each cause is told from the others, with advice and exit code 1, and no secret."""
    shop, options, secret = stocked
    ended = await run("check", f"{shop.host}/{image}", *options[login], "--insecure", shop.host, "--json")
    (found,) = json.loads(ended.out)
    assert ended.code == 1
    assert f"{found['verdict']} {found['detail'] or ''}".strip() in verdicts
    assert found["pulls"] is False
    assert found["advice"]
    assert secret not in ended.out + ended.err


async def test_a_refused_login_is_shown_once(run: Any, hub: SandboxRegistry, tmp_path: Path) -> None:
    """However many images want it, a login that was refused is not tried again: that could lock the account."""
    config = write_config(tmp_path, hub.host, "wrong")
    images = [f"{hub.host}/team/app:1", f"{hub.host}/team/app:2", f"{hub.host}/open/app:1"]
    ended = await run("check", *images, "--docker-config", config, "--insecure", hub.host, "--json")
    assert [found["verdict"] for found in json.loads(ended.out)] == ["auth_failed"] * 3
    assert sum(asked.credential.startswith("Basic") for asked in hub.asked) == 1


async def test_a_public_image_is_blocked_by_a_bad_login(run: Any, hub: SandboxRegistry, tmp_path: Path) -> None:
    """What pulls for everybody and not with the matching login is said to be blocked by it."""
    config = write_config(tmp_path, hub.host, "wrong")
    ended = await run("check", f"{hub.host}/open/app:1", "--docker-config", config, "--insecure", hub.host, "--json")
    (found,) = json.loads(ended.out)
    assert (found["pulls"], found["public"]) == (False, True)
    assert "blocked_by_login" in {lint["code"] for lint in found["lints"]}


async def test_public_images_need_nothing(run: Any, hub: SandboxRegistry) -> None:
    """Without any login a public image pulls, and nothing is sent to log in."""
    ended = await run("check", f"{hub.host}/open/app:1", "--insecure", hub.host, "--json")
    (found,) = json.loads(ended.out)
    assert (ended.code, found["public"], found["credential"]["key"]) == (0, True, None)
    assert not any(asked.credential.startswith("Basic") for asked in hub.asked)


async def test_a_registry_out_of_reach(run: Any, hub: SandboxRegistry) -> None:
    """Nothing listening, and plain HTTP where TLS is expected, are told apart, and nothing is said of the image."""
    host = hub.host
    spoken = await run("check", f"{host}/open/app:1", "--json")
    await hub.stop()
    silent = await run("check", f"{host}/open/app:1", "--insecure", host, "--json")
    found = [json.loads(ended.out)[0] for ended in (spoken, silent)]
    assert [(one["verdict"], one["detail"], one["public"]) for one in found] == [
        ("unreachable", "tls", None),
        ("unreachable", "refused", None),
    ]
    assert (spoken.code, silent.code) == (1, 1)


async def test_what_a_registry_says_is_harmless(run: Any, hub: SandboxRegistry) -> None:
    """A registry's message reaches a terminal without its control characters."""
    body = json.dumps({"errors": [{"code": "DENIED", "message": "go \x1b[2J away"}]})
    hub.fail(403, path="/v2/open/", body=body)
    ended = await run("check", f"{hub.host}/open/app:1", "--insecure", hub.host)
    assert ended.code == 1
    assert "away" in ended.out
    assert "\x1b" not in ended.out


ECR = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
CONFIG = """\
version: 1
registries:
  "{host}": {{insecure: true}}
  {ecr}: {{proxy: "http://127.0.0.1:1"}}
credentials:
  mine:
    provider: custom
    registry: "{host}"
    username: robot
    password: {{file: {directory}/secret}}
    images: ["{host}/team/app:1", "{host}/open/app:1"]
    deliver_to: [here]
  minted: {{provider: ecr, registry: {ecr}, images: [{ecr}/app:1], deliver_to: [here]}}
targets:
  here: {{type: docker_config, path: {directory}/docker/config.json, region: us-east-1}}
"""


@pytest.fixture
def configured(hub: SandboxRegistry, tmp_path: Path, secret: str) -> str:
    """Return a configuration with a login that is read, and one that is minted."""
    (tmp_path / "secret").touch(mode=0o600)
    (tmp_path / "secret").write_text(secret)
    (tmp_path / "check.yaml").write_text(CONFIG.format(host=hub.host, directory=tmp_path, ecr=ECR))
    return str(tmp_path / "check.yaml")


async def test_logins_of_a_configuration(run: Any, hub: SandboxRegistry, configured: str, secret: str) -> None:
    """A login that is kept in a source is read and shown, as the registry is configured to be reached."""
    ended = await run("check", f"{hub.host}/team/app:1", "--config", configured, "--json")
    (found,) = json.loads(ended.out)
    assert (ended.code, found["pulls"], found["public"]) == (0, True, False)
    assert (found["credential"]["key"], found["credential"]["accepted"]) == ("mine", True)
    assert secret not in ended.out + ended.err


async def test_all_configured_images(run: Any, hub: SandboxRegistry, configured: str) -> None:
    """Every listed image is checked, and a registry far from the target is noted."""
    ended = await run("check", "--all", "--config", configured, "--json")
    found = json.loads(ended.out)
    assert [one["image"] for one in found] == [f"{hub.host}/team/app:1", f"{hub.host}/open/app:1", f"{ECR}/app:1"]
    assert [one["pulls"] for one in found] == [True, True, False]
    assert "far_registry" in {lint["code"] for lint in found[2]["lints"]}
    assert ended.code == 1


async def test_a_login_that_cannot_be_read(run: Any, hub: SandboxRegistry, configured: str, tmp_path: Path) -> None:
    """A source that fails is why a private image is not shown to pull; a public one pulls without it."""
    (tmp_path / "secret").unlink()
    ended = await run("check", "--config", configured, f"{hub.host}/team/app:1", f"{hub.host}/open/app:1", "--json")
    private, public = json.loads(ended.out)
    assert (private["verdict"], public["verdict"]) == ("not_tried", "ok")
    assert "the login of mine was not shown" in private["evidence"]
    assert private["advice"]


async def test_several_say_how_many_pull(run: Any, configured: str) -> None:
    """The last line of several reports counts them and says what next; a minted login is said to be left alone."""
    ended = await run("check", "--all", "--config", configured)
    assert ended.out.splitlines()[-1] == "2 of 3 pull. What to do stands beside `do`, then check again."
    assert "issued by the daemon" in ended.out


async def test_delivered_logins_can_be_tried(run: Any, hub: SandboxRegistry, configured: str, tmp_path: Path) -> None:
    """The images of a configuration are checked with the logins of a docker file, where both are given."""
    config = write_config(tmp_path, hub.host, "wrong")
    ended = await run("check", f"{hub.host}/team/app:1", "--config", configured, "--docker-config", config, "--json")
    (found,) = json.loads(ended.out)
    assert (found["verdict"], found["credential"]["key"]) == ("auth_failed", hub.host)


async def test_the_daemon_is_asked_about_what_it_issues(run: Any, shared: Any, tmp_path: Path) -> None:
    """What the running daemon knows of a minted login is told, and the login stays with it."""
    host = shared.registry.host
    path = tmp_path / "minted.yaml"
    path.write_text(
        f"""\
version: 1
registries: {{"{host}": {{insecure: true}}}}
credentials:
  mine:
    provider: quay
    registry: "{host}"
    mode: federated
    username: acme+robot
    token: {{file: {tmp_path}/none}}
    deliver_to: [here]
targets: {{here: {{type: docker_config, path: {tmp_path}/x/config.json}}}}
"""
    )
    options = ["--config", str(path), "--json"]
    ended = await run("check", f"{host}/team/app:1", *options, "--socket", shared.socket)
    (found,) = json.loads(ended.out)
    assert (ended.code, found["verdict"]) == (1, "not_tried")
    assert "the daemon says ok: in use" in found["evidence"]
    assert "generation 1, last proved 20" in found["evidence"]
    nobody = await run("check", f"{host}/team/app:1", *options, "--socket", str(tmp_path / "no.sock"))
    assert "the daemon could not be asked: there is no socket" in json.loads(nobody.out)[0]["evidence"]


async def test_without_a_network(run: Any) -> None:
    """A name that does not resolve (RFC 6761: .invalid) is a sentence for each image, exit code 1, and no traceback."""
    ended = await run("check", "a.invalid/app:1", "b.invalid/app:1")
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.count("verdict     unreachable (dns)") == 2
    assert "Traceback" not in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(["ghcr.io/acme/App:1"], "^ character 14", id="capital"),
        pytest.param(["acme//app"], "Did you mean acme/app ?", id="what was meant"),
        pytest.param(["https://hub.docker.com/r/acme/app"], "Did you mean docker.io/acme/app ?", id="page"),
        pytest.param(["--all", "--config", "/nonexistent.yaml"], "/nonexistent.yaml", id="no configuration"),
        pytest.param(["acme/app:"], "^ something is missing at the end", id="empty tag"),
        pytest.param(["https://me:hunter2@ghcr.io/app"], "no user name", id="password in a URL"),
        pytest.param(["hub.docker.com/acme/app"], "write docker.io", id="web site"),
        pytest.param(["acme/app", "--insecure", "http://x"], "--insecure:", id="insecure"),
        pytest.param(["acme/app", "--docker-config", "/nonexistent"], "/nonexistent: cannot be read", id="no file"),
        pytest.param([], "name an IMAGE, or say --all", id="no image"),
    ],
)
async def test_wrong_usage(run: Any, arguments: list[str], words: str) -> None:
    """What cannot be asked ends with 2 before anything is asked, and says what is wrong where."""
    ended = await run("check", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert "hunter2" not in ended.err


@pytest.mark.parametrize("text", ["[", "[]", '{"auths": []}', "\xff"], ids=["cut", "list", "auths", "bytes"])
async def test_a_broken_file_is_wrong_usage(run: Any, tmp_path: Path, text: str) -> None:
    """A file that is no docker configuration is refused by its name."""
    path = tmp_path / "config.json"
    path.write_bytes(text.encode("latin-1"))
    ended = await run("check", "acme/app", "--docker-config", str(path))
    assert ended.code == 2
    assert str(path) in ended.err
