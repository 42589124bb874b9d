"""The real world of the main job: docker-registry, AWS as moto serves it, and the daemon as a process."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime as dt
import hashlib
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import aiohttp
import bcrypt
import pytest
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from rotator.sandbox.server import SandboxServer, free_ports

LAYER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + b"\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"


def write_private(path: Path, text: str) -> Path:
    """Write ``text`` to ``path``, readable by us alone."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path


@dataclass
class DockerRegistry:
    """Debian's docker-registry as a process, with one image in it.

    Args:
        host: ``host:port``.
        users: The htpasswd file; None with token authentication.
    """

    host: str
    users: Path | None = None
    passwords: dict[str, str] = field(default_factory=dict)

    def set_password(self, user: str, password: str) -> None:
        """Let ``user`` in with ``password`` and no other; the registry notices by the file's time."""
        assert self.users is not None
        self.passwords[user] = password
        lines = [
            f"{name}:{bcrypt.hashpw(word.encode(), bcrypt.gensalt(4)).decode()}"
            for name, word in self.passwords.items()
        ]
        before = self.users.stat().st_mtime_ns if self.users.exists() else 0
        self.users.write_text("\n".join(lines) + "\n")
        os.utime(self.users, ns=(before + 10**9, before + 10**9))


def write_image(directory: Path) -> None:
    """Write the smallest OCI image layout that a registry accepts."""
    blobs = directory / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def blob(data: bytes, media_type: str) -> dict[str, Any]:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}, "config": {}}
    manifest = {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(json.dumps(config).encode(), "application/vnd.oci.image.config.v1+json"),
        "layers": [],
    }
    entry = blob(json.dumps(manifest).encode(), "application/vnd.oci.image.manifest.v1+json")
    index = {"schemaVersion": 2, "manifests": [{**entry, "annotations": {"org.opencontainers.image.ref.name": "1"}}]}
    (directory / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (directory / "index.json").write_text(json.dumps(index))


@contextlib.contextmanager
def serving(program: str, config: Path, host: str) -> Iterator[None]:
    """Run docker-registry until the block ends."""
    log = config.with_suffix(".log").open("wb")
    with log, subprocess.Popen([program, "serve", str(config)], stdout=log, stderr=log) as process:
        try:
            wait_for_port(host, process)
            yield
        finally:
            process.terminate()


def wait_for_port(host: str, process: subprocess.Popen[Any]) -> None:
    """Return once ``host`` accepts connections."""
    name, port = host.split(":")
    for _ in range(300):
        assert process.poll() is None, "the server ended by itself"
        with contextlib.suppress(OSError), socket.create_connection((name, int(port)), 1):
            return
        threading.Event().wait(0.05)
    raise AssertionError(f"{host} does not listen")


def push_image(skopeo: str, source: Path, host: str, user: str, password: str) -> None:
    """Push the image layout in ``source`` as ``team/app:1``."""
    auth = base64.b64encode(f"{user}:{password}".encode()).decode()
    authfile = write_private(source / "push.json", json.dumps({"auths": {host: {"auth": auth}}}))
    command = [skopeo, "copy", "--dest-tls-verify=false", "--insecure-policy", f"--authfile={authfile}"]
    subprocess.run([*command, f"oci:{source}:1", f"docker://{host}/team/app:1"], check=True, capture_output=True)


@pytest.fixture
def docker_registry(tmp_path: Path, program: Callable[[str], str]) -> Iterator[DockerRegistry]:
    """Serve a real registry that lets nobody in without a password."""
    binary, skopeo = program("docker-registry"), program("skopeo")
    directory = tmp_path / "registry"
    directory.mkdir()
    registry = DockerRegistry(f"127.0.0.1:{free_ports(1)[0]}", directory / "htpasswd")
    registry.set_password("pusher", "the-pushers-password")
    config = directory / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}\n"
        f"http: {{addr: '{registry.host}'}}\n"
        f"auth: {{htpasswd: {{realm: private, path: {registry.users}}}}}\n"
    )
    with serving(binary, config, registry.host):
        write_image(directory / "image")
        push_image(skopeo, directory / "image", registry.host, "pusher", "the-pushers-password")
        yield registry


class TokenServer(SandboxServer):
    """Mints the signed tokens that docker-registry wants; knows users and their passwords.

    ``reaches`` holds by user what a repository's name must begin with, ``seconds`` how long a token lives.

    Source: https://distribution.github.io/distribution/spec/auth/jwt/ (read 2026-11-23).
    """

    def __init__(self, directory: Path) -> None:
        app = web.Application()
        app.router.add_get("/token", self._token)
        super().__init__(app)
        self.users: dict[str, str] = {}
        self.reaches: dict[str, str] = {}
        self.seconds = 300
        self._key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "token server")])
        now = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
        builder = x509.CertificateBuilder(name, name, self._key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now.replace(year=2099))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        certificate = builder.sign(self._key, hashes.SHA256())
        self.bundle = directory / "bundle.pem"
        self.bundle.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        self._x5c = base64.b64encode(certificate.public_bytes(serialization.Encoding.DER)).decode()

    async def _token(self, request: web.Request) -> web.Response:
        encoded = request.headers.get("Authorization", "").removeprefix("Basic ")
        user, _, password = base64.b64decode(encoded).decode().partition(":")
        if self.users.get(user) != password:
            return web.json_response({"details": "incorrect username or password"}, status=401)
        access = []
        for scope in request.query.getall("scope", []):
            kind, _, rest = scope.partition(":")
            path, _, actions = rest.rpartition(":")
            if path.startswith(self.reaches.get(user, "")):
                access.append({"type": kind, "name": path, "actions": actions.split(",")})
        now = int(time.time())
        claims = {
            "iss": "test-issuer", "sub": user, "aud": request.query.get("service", ""),
            "exp": now + self.seconds, "nbf": now - 10, "iat": now, "jti": "1", "access": access,
        }  # fmt: skip
        return web.json_response({"token": self._sign(claims), "expires_in": self.seconds})

    def _sign(self, claims: dict[str, Any]) -> str:
        def encode(data: bytes) -> str:
            return base64.urlsafe_b64encode(data).decode().rstrip("=")

        head = {"alg": "ES256", "typ": "JWT", "x5c": [self._x5c]}
        text = f"{encode(json.dumps(head).encode())}.{encode(json.dumps(claims).encode())}"
        r, s = decode_dss_signature(self._key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return f"{text}.{encode(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


@dataclass
class TokenRegistry:
    """A real registry that wants bearer tokens, and the server that mints them."""

    host: str
    tokens: TokenServer


@pytest.fixture
async def token_registry(tmp_path: Path, program: Callable[[str], str]) -> AsyncIterator[TokenRegistry]:
    """Serve a real registry with token authentication, its token server on another port."""
    binary, skopeo = program("docker-registry"), program("skopeo")
    directory = tmp_path / "token-registry"
    directory.mkdir()
    host = f"127.0.0.1:{free_ports(1)[0]}"
    async with TokenServer(directory) as tokens:
        tokens.users = {"pusher": "the-pushers-password"}
        config = directory / "config.yml"
        config.write_text(
            f"version: 0.1\nlog: {{level: warn, accesslog: {{disabled: true}}}}\n"
            f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}\n"
            f"http: {{addr: '{host}'}}\n"
            f"auth: {{token: {{realm: '{tokens.url}/token', service: test, issuer: test-issuer, "
            f"rootcertbundle: {tokens.bundle}}}}}\n"
        )
        with serving(binary, config, host):
            write_image(directory / "image")
            await asyncio.to_thread(push_image, skopeo, directory / "image", host, "pusher", "the-pushers-password")
            yield TokenRegistry(host, tokens)


class Moto:
    """AWS as moto serves it, over HTTP.

    moto answers every ECR token with an expiry in January 2015; AWS with one in twelve hours. A filter in front of it
    puts ``lifetime`` in the place of the former, and leaves everything else as moto says it.
    """

    def __init__(self) -> None:
        self.lifetime: dt.timedelta | None = dt.timedelta(hours=12)
        self.calls = 0
        self._server = make_server("127.0.0.1", 0, self._filter, threaded=True)
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        """Return its base URL."""
        return f"http://127.0.0.1:{self._server.port}"

    def _filter(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        said: list[Any] = []

        def take_head(*head: Any) -> Callable[[bytes], int]:
            said.append(head)
            return io.BytesIO().write

        body = b"".join(self._moto(environ, take_head))
        status, headers = said[0][0], said[0][1]
        if b"expiresAt" in body:
            self.calls += 1
            if self.lifetime is not None:
                answer = json.loads(body)
                for one in answer["authorizationData"]:
                    one["expiresAt"] = time.time() + self.lifetime.total_seconds()
                body = json.dumps(answer).encode()
        headers = [(name, value) for name, value in headers if name.lower() != "content-length"]
        start_response(status, [*headers, ("Content-Length", str(len(body)))])
        return [body]

    def __enter__(self) -> Self:
        """Serve."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def moto() -> Iterator[Moto]:
    """Serve AWS."""
    with Moto() as server:
        yield server


class Daemon:
    """`rotator run` as a process.

    Args:
        directory: Holds its configuration, state and socket.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.config = directory / "rotator.yaml"
        self.socket = directory / "admin.sock"
        self.metrics = f"127.0.0.1:{free_ports(1)[0]}"
        self.log = directory / "daemon.log"
        self.process: subprocess.Popen[bytes] | None = None

    def configure(self, text: str) -> None:
        """Write the configuration: ``text`` below the sections that every daemon here needs."""
        head = (
            f'version: 1\nstore: {{url: "sqlite:///{self.directory}/rotator.db"}}\n'
            f'admin: {{socket: "{self.socket}"}}\nmetrics: {{listen: "{self.metrics}"}}\n'
            "log: {level: debug, format: json}\n"
        )
        self.config.write_text(head + text)

    def start(self) -> None:
        """Start it; `wait_ready` tells when it has looked at everything once."""
        command = [sys.executable, "-m", "rotator", "run", "--config", str(self.config)]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, cwd=self.directory)

    async def cli(self, *words: str) -> tuple[int, str]:
        """Run one command of the CLI against it; return its exit code and what it printed."""
        command = [sys.executable, "-m", "rotator", *words]
        if words[0] != "config":
            command += ["--socket", str(self.socket)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
        )
        output, _ = await process.communicate()
        return process.returncode or 0, output.decode()

    async def status(self, name: str) -> dict[str, Any]:
        """Return how ``name`` stands, by the admin API's word; empty while the daemon cannot be reached."""
        connector = aiohttp.UnixConnector(str(self.socket))
        try:
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.get(f"http://localhost/api/v1/credentials/{name}") as answer,
            ):
                found: dict[str, Any] = (await answer.json())["credential"]
                return found
        except (aiohttp.ClientError, OSError):
            return {}

    async def until(self, wish: str, is_so: Callable[[], Any], seconds: float = 120) -> None:
        """Wait until ``is_so`` (a function or coroutine function) is true; fail with the daemon's log."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            answer = is_so()
            if await answer if asyncio.iscoroutine(answer) else answer:
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s in vain: {wish}\n{self.log.read_text()[-6000:]}")

    async def scrape(self, path: str = "/metrics") -> str:
        """Return what Prometheus would see; empty while nothing listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"http://{self.metrics}{path}") as answer:
                return await answer.text()
        except aiohttp.ClientError:
            return ""

    def stop(self) -> int:
        """Ask it to end as a supervisor does; return its exit code."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(15)

    def kill(self) -> None:
        """End it as a crash does."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    """Return a daemon that is not configured yet; it is killed at the end if it still runs."""
    directory = tmp_path / "daemon"
    directory.mkdir()
    daemon = Daemon(directory)
    yield daemon
    if daemon.process is not None and daemon.process.poll() is None:
        daemon.kill()
