"""``rotator check`` against Debian's docker-registry."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.integration


def check(*arguments: str) -> tuple[int, Any]:
    """Run the command and return its exit code and its first report."""
    command = [sys.executable, "-m", "rotator", "check", "--json", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, json.loads(done.stdout)[0]


@pytest.mark.parametrize(
    ("image", "password", "verdict"),
    [
        ("team/app:1", "the-pushers-password", "ok"),
        ("team/app:2", "the-pushers-password", "not_found"),
        ("team/none:1", "the-pushers-password", "not_found"),
        ("team/app:1", "wrong", "auth_failed"),
        ("team/app:1", None, "auth_missing"),
    ],
    ids=["pulls", "no tag", "no repository", "wrong", "nobody"],
)
def test_a_real_registry_is_understood(
    docker_registry: Any, tmp_path: Path, image: str, password: str | None, verdict: str
) -> None:
    """What a real registry answers has its verdict, and the image it holds is read."""
    host, path = docker_registry.host, tmp_path / "config.json"
    auth = base64.b64encode(f"pusher:{password}".encode()).decode()
    path.write_text(json.dumps({"auths": {host: {"auth": auth}} if password else {}}))
    code, found = check(f"{host}/{image}", "--insecure", host, "--docker-config", str(path))
    assert (found["verdict"], found["public"]) == (verdict, False)
    assert code == (0 if verdict == "ok" else 1)
    if verdict == "ok":
        assert (found["size"]["layers"], found["platforms"]) == (0, [])
        assert found["media_type"] == "application/vnd.oci.image.manifest.v1+json"


@pytest.mark.parametrize(
    ("image", "user", "seconds", "verdict"),
    [
        pytest.param("team/app:1", "pusher:the-pushers-password", 300, "ok", id="pulls"),
        pytest.param("team/app:2", "pusher:the-pushers-password", 300, "not_found tag", id="no tag"),
        pytest.param("team/app:1", "pusher:wrong", 300, "auth_failed", id="wrong"),
        pytest.param("team/app:1", "narrow:narrow", 300, "no_access_or_not_found", id="narrow"),
        pytest.param("team/app:1", "pusher:the-pushers-password", -600, "unclear clock", id="stale tokens"),
        pytest.param("team/app:1", "", 300, "auth_missing", id="nobody"),
    ],
)
async def test_a_real_registry_with_tokens_is_understood(
    token_registry: Any, tmp_path: Path, image: str, user: str, seconds: int, verdict: str
) -> None:
    """What a real registry says of bearer tokens has its verdict: one that grants less, and one that is over, too."""
    tokens, host, path = token_registry.tokens, token_registry.host, tmp_path / "config.json"
    tokens.users["narrow"], tokens.reaches["narrow"], tokens.seconds = "narrow", "other/", seconds
    auths = {host: {"auth": base64.b64encode(user.encode()).decode()}} if user else {}
    path.write_text(json.dumps({"auths": auths}))
    options = ("--insecure", host, "--docker-config", str(path), "--realm-host", tokens.host)
    _, found = await asyncio.to_thread(check, f"{host}/{image}", *options)
    assert " ".join(filter(None, (found["verdict"], found["detail"]))) == verdict
