"""Exec credential plugins: a command that prints a token or a client certificate.

Source: https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins and
``client.authentication.k8s.io`` v1 and v1beta1 (reference documentation of Kubernetes).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rotator.errors import AuthenticationError, UnavailableError
from rotator.secret import Secret

API_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
TIMEOUT_SECONDS = 30.0
MAX_OUTPUT_BYTES = 1 << 20
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""The only variables a plugin gets from the daemon's environment; everything else is configured."""


@dataclass(frozen=True, slots=True)
class ExecSpec:
    """A plugin as a kubeconfig describes it.

    Args:
        words: Which file and context it is from, for messages.
        command: Program; searched in PATH unless it has a slash.
        args: Arguments, passed as they are, never through a shell.
        env: Variables for it beside `INHERITED`. May be secret.
        api_version: One of `API_VERSIONS`.
        cluster: What ``provideClusterInfo`` asks to be told; None when it does not ask.
    """

    words: str
    command: str
    args: tuple[str, ...] = field(repr=False)
    env: Mapping[str, str] = field(repr=False)
    api_version: str = API_VERSIONS[0]
    cluster: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class ExecCredential:
    """What a plugin printed: a token, a client certificate with its key, or both.

    Args:
        token: Bearer token; None for none.
        certificate: PEM of the client certificate; empty for none.
        key: PEM of its key; None for none.
        expires_at: When to ask again, aware; None for until it is refused.
    """

    token: Secret | None
    certificate: str
    key: Secret | None
    expires_at: datetime | None


async def run_plugin(spec: ExecSpec, environ: Mapping[str, str], timeout: float = TIMEOUT_SECONDS) -> ExecCredential:  # noqa: ASYNC109 (the process has to be killed, too)
    """Run the plugin and return what it printed.

    Args:
        spec: The plugin.
        environ: The daemon's environment; only `INHERITED` is passed on.
        timeout: Seconds until the plugin is killed.

    Raises:
        AuthenticationError: It cannot be started, failed, or printed no credential.
        UnavailableError: It did not end in time.
    """
    return parse_credential(await _output(spec, _environment(spec, environ), timeout), spec)


def parse_credential(output: bytes, spec: ExecSpec) -> ExecCredential:
    """Return the credential in a plugin's output.

    Raises:
        AuthenticationError: There is none, or it is for another API version. Nothing of the output is in the text.
    """
    body = _parsed(output)
    if not isinstance(body, dict) or body.get("kind") != "ExecCredential":
        raise _useless(spec, "it printed no ExecCredential")
    if body.get("apiVersion") != spec.api_version:
        raise _useless(spec, f"it answered for another API version than {spec.api_version}")
    status = body.get("status")
    status = status if isinstance(status, dict) else {}
    token, key = _text(status, "token"), _text(status, "clientKeyData")
    certificate = _text(status, "clientCertificateData")
    if bool(certificate) != bool(key) or not (token or certificate):
        raise _useless(spec, "its status has neither a token nor a certificate with its key")
    return ExecCredential(
        Secret(token) if token else None,
        certificate,
        Secret(key) if key else None,
        _expiry(status.get("expirationTimestamp"), spec),
    )


def _environment(spec: ExecSpec, environ: Mapping[str, str]) -> dict[str, str]:
    wanted: dict[str, Any] = {"interactive": False, **({"cluster": spec.cluster} if spec.cluster else {})}
    info = json.dumps({"apiVersion": spec.api_version, "kind": "ExecCredential", "spec": wanted})
    inherited = {name: environ[name] for name in INHERITED if name in environ}
    return {**inherited, **spec.env, "KUBERNETES_EXEC_INFO": info}


async def _output(spec: ExecSpec, env: Mapping[str, str], timeout: float) -> bytes:  # noqa: ASYNC109 (as above)
    try:
        process = await asyncio.create_subprocess_exec(
            spec.command,
            *spec.args,
            env=env,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
    except (OSError, ValueError) as error:
        raise _useless(spec, "it cannot be started") from error
    try:
        async with asyncio.timeout(timeout):
            output = await _read_all(process, spec)
            code = await process.wait()
    except TimeoutError as error:
        raise UnavailableError(
            f"{spec.words}: exec plugin {spec.command}: no answer within {timeout:g} s", cause="timeout"
        ) from error
    finally:
        await _end(process)
    if code != 0:
        raise _useless(spec, f"it ended with status {code}")
    return output


async def _read_all(process: asyncio.subprocess.Process, spec: ExecSpec) -> bytes:
    output = b""
    while process.stdout and (chunk := await process.stdout.read(65_536)):
        output += chunk
        if len(output) > MAX_OUTPUT_BYTES:
            raise _useless(spec, f"it printed more than {MAX_OUTPUT_BYTES} bytes")
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
        await process.wait()


def _parsed(output: bytes) -> Any:
    try:
        return json.loads(output)
    except (ValueError, RecursionError):
        return None


def _text(status: Mapping[str, Any], key: str) -> str:
    value = status.get(key)
    return value if isinstance(value, str) else ""


def _expiry(value: object, spec: ExecSpec) -> datetime | None:
    if value is None:
        return None
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _useless(spec, "its expirationTimestamp is no RFC 3339 time")
    return at


def _useless(spec: ExecSpec, reason: str) -> AuthenticationError:
    return AuthenticationError(
        f"{spec.words}: exec plugin {spec.command}: {reason}",
        hint="Run it by hand as the daemon's user; it gets PATH, HOME and the env of the kubeconfig, nothing else",
    )
