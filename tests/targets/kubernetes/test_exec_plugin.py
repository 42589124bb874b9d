"""Exec plugins run without a shell, in a clean environment, for a limited time; their output is in no message."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rotator.errors import AuthenticationError, UnavailableError
from rotator.targets.kubernetes.exec_plugin import API_VERSIONS, ExecSpec, parse_credential, run_plugin

SECRET = "canary-5d1f0c77ab93"
V1, V1BETA1 = API_VERSIONS


def spec(*args: str, command: str = sys.executable, **changes: Any) -> ExecSpec:
    """Return a plugin that is a Python program."""
    return ExecSpec("kc: context 'a'", command, args, changes.pop("env", {}), **changes)


def program(tmp_path: Path, text: str) -> str:
    """Return the path of a Python program."""
    path = tmp_path / "plugin.py"
    path.write_text(f"import json, os, sys, time\n{text}\n")
    return str(path)


def credential(version: str = V1, **status: Any) -> bytes:
    """Return what a plugin prints."""
    return json.dumps({"kind": "ExecCredential", "apiVersion": version, "status": status}).encode()


def is_running(pid_file: Path) -> bool:
    """Return whether the process that left its number there is alive."""
    return pid_file.exists() and Path(f"/proc/{pid_file.read_text()}").exists()


async def test_environment_is_clean(tmp_path: Path) -> None:
    """A plugin sees PATH and HOME, its configured variables and what it must know, nothing else of ours."""
    text = (
        "info = json.loads(os.environ['KUBERNETES_EXEC_INFO'])\n"
        "token = json.dumps([sorted(os.environ), info['apiVersion'], info['spec'], sys.argv[1:]])\n"
        "print(json.dumps({'kind': 'ExecCredential', 'apiVersion': info['apiVersion'], 'status': {'token': token}}))"
    )
    plugin = spec(program(tmp_path, text), "a b", "$HOME", env={"A": "b"}, api_version=V1BETA1, cluster={"server": "s"})
    environ = {"PATH": "/usr/bin", "HOME": "/root", "VAULT_TOKEN": SECRET, "LC_CTYPE": "C.UTF-8"}
    printed = await run_plugin(plugin, environ)
    assert printed.token is not None
    names, version, told, args = json.loads(printed.token.reveal())
    assert set(names) - {"LC_CTYPE"} == {"A", "HOME", "KUBERNETES_EXEC_INFO", "PATH"}
    assert (version, told, args) == (V1BETA1, {"interactive": False, "cluster": {"server": "s"}}, ["a b", "$HOME"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param(f"print('{SECRET}'); sys.exit(3)", "ended with status 3", id="fails"),
        pytest.param(f"print('{SECRET}')", "printed no ExecCredential", id="no JSON"),
        pytest.param(f"print('[\"{SECRET}\"]')", "printed no ExecCredential", id="no object"),
        pytest.param("while True: print('x' * 4096)", "more than 1048576 bytes", id="endless"),
        pytest.param(f"sys.stderr.write('{SECRET}'); os.abort()", "ended with status -6", id="crashes"),
    ],
)
async def test_useless_plugin(tmp_path: Path, text: str, message: str) -> None:
    """A plugin that fails is an authentication error that names file, context and command, not the output."""
    with pytest.raises(AuthenticationError, match=message) as caught:
        await run_plugin(spec(program(tmp_path, text)), {})
    assert SECRET not in str(caught.value)
    assert "kc: context 'a': exec plugin" in str(caught.value)


async def test_missing_plugin() -> None:
    """A command that does not exist cannot be started."""
    with pytest.raises(AuthenticationError, match="cannot be started"):
        await run_plugin(spec(command="/nonexistent/plugin"), {})


async def test_hanging_plugin(tmp_path: Path) -> None:
    """A plugin that does not end in time is killed."""
    pid_file = tmp_path / "pid"
    text = f"open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(UnavailableError, match=r"within 0\.5 s"):
        await run_plugin(spec(program(tmp_path, text)), {}, timeout=0.5)
    assert not is_running(pid_file)


def test_certificate_and_expiry() -> None:
    """A certificate with its key counts, and the time to ask again is aware."""
    parsed = parse_credential(
        credential(clientCertificateData="c", clientKeyData="k", expirationTimestamp="2026-11-23T12:00:00Z"), spec()
    )
    assert (parsed.certificate, parsed.token) == ("c", None)
    assert parsed.expires_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("output", "message"),
    [
        pytest.param(credential(V1BETA1, token=SECRET), "another API version", id="version"),
        pytest.param(credential(), "neither a token", id="nothing"),
        pytest.param(credential(token=7), "neither a token", id="number"),
        pytest.param(credential(clientCertificateData="c"), "neither a token", id="no key"),
        pytest.param(credential(token=SECRET, expirationTimestamp="soon"), "RFC 3339", id="no time"),
        pytest.param(credential(token=SECRET, expirationTimestamp="2026-11-23T12:00:00"), "RFC 3339", id="no zone"),
        pytest.param(b"[" * 100_000, "printed no ExecCredential", id="deep"),
    ],
)
def test_useless_output(output: bytes, message: str) -> None:
    """Output that holds no credential for us is refused without being quoted."""
    with pytest.raises(AuthenticationError, match=message) as caught:
        parse_credential(output, spec())
    assert SECRET not in str(caught.value)
