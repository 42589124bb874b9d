"""The listeners: which start, who gets through them, and what they leave behind."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from structlog.testing import capture_logs

from rotator.admin.access import SocketAccess
from rotator.admin.alerts import AlertDesk
from rotator.admin.api import create_api
from rotator.admin.listener import bind_unix
from rotator.admin.protocol import UnixProtocol
from rotator.admin.server import Server
from rotator.config.root import AdminConfig, Config, MetricsConfig
from rotator.errors import ConfigError

NOBODY = 65534
ASK = """
import os, socket, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
with socket.socket(socket.AF_UNIX) as client:
    try:
        client.connect(sys.argv[1])
    except PermissionError:
        print("EACCES"); raise SystemExit
    client.sendall(b"GET /api/v1/status HTTP/1.1\\r\\nHost: localhost\\r\\nConnection: close\\r\\n\\r\\n")
    answer = b""
    while chunk := client.recv(65536):
        answer += chunk
print(answer.split(b" ")[1].decode())
"""

MakeServed = Callable[[Config], AbstractAsyncContextManager[Any]]


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """Return a directory that every user can pass through."""
    path = Path(tempfile.mkdtemp(prefix="rotator-test-"))
    path.chmod(0o711)
    yield path
    shutil.rmtree(path)


async def _ask_as_nobody(path: Path) -> str:
    """Return the HTTP status that another user gets, or EACCES when the kernel keeps them out."""
    command = [sys.executable, "-I", "-S", "-c", ASK, str(path)]
    asked = await asyncio.to_thread(subprocess.run, command, capture_output=True, text=True, check=True)
    return str(asked.stdout.strip())


async def test_the_socket_is_private(served: Any) -> None:
    """SR-15: the socket has mode 0600 in a directory of mode 0700, whatever the umask."""
    path = Path(served.addresses["admin.socket"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_allowed_users_open_the_socket(make_served: MakeServed, tmp_path: Path) -> None:
    """With allow_uids everybody may knock, and the directory that was made lets them pass."""
    admin = AdminConfig(socket=str(tmp_path / "run" / "admin.sock"), allow_uids=(1000,))
    async with make_served(Config(admin=admin, metrics=MetricsConfig(listen=None))):
        assert stat.S_IMODE((tmp_path / "run" / "admin.sock").stat().st_mode) == 0o666
        assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o711


async def test_another_user_is_refused(served: Any, make_served: MakeServed, public_directory: Path) -> None:
    """SR-15: a user who is not named gets 403 from an open socket, and the log says why."""
    path = public_directory / "admin.sock"
    if os.geteuid() == 0:
        admin = AdminConfig(socket=str(path), allow_uids=(1,))
        with capture_logs() as lines:
            async with make_served(Config(admin=admin, metrics=MetricsConfig(listen=None))):
                assert await _ask_as_nobody(path) == "403"
    else:  # without root nobody else can be played, so the daemon is told that it is somebody else
        with capture_logs() as lines:
            await _ask_a_stranger(path, served.daemon)
    refused = [line for line in lines if line["event"] == "admin_access_refused"]
    assert [line["code"] for line in refused] == ["caller_not_allowed"]


async def _ask_a_stranger(path: Path, daemon: Any) -> None:
    bound = bind_unix(path, 0o600)
    api = create_api(daemon, SocketAccess(os.geteuid() + 1, []), AlertDesk(daemon))
    server = Server("admin.socket", str(path), bound.socket, api, UnixProtocol)
    task = asyncio.create_task(server.serve())
    async with (
        aiohttp.ClientSession("http://localhost", connector=aiohttp.UnixConnector(str(path))) as session,
        session.get("/api/v1/status") as answer,
    ):
        assert answer.status == 403
    server.stop()
    await task
    bound.remove()


@pytest.mark.skipif(os.geteuid() != 0, reason="playing another user takes root; the 403 above is tested without")
async def test_the_kernel_keeps_another_user_out(make_served: MakeServed, public_directory: Path) -> None:
    """A private socket is not even opened by another user; one that is allowed gets an answer."""
    path = public_directory / "admin.sock"
    async with make_served(Config(admin=AdminConfig(socket=str(path)), metrics=MetricsConfig(listen=None))):
        assert await _ask_as_nobody(path) == "EACCES"
    allowed = AdminConfig(socket=str(path), allow_uids=(NOBODY,))
    async with make_served(Config(admin=allowed, metrics=MetricsConfig(listen=None))):
        assert await _ask_as_nobody(path) == "200"


@pytest.mark.parametrize(
    ("admin", "metrics", "keys"),
    [
        pytest.param({}, None, {"admin.socket"}, id="nothing but the socket"),
        pytest.param({}, "127.0.0.1:0", {"admin.socket", "metrics.listen"}, id="with metrics"),
        pytest.param({"listen": "127.0.0.1:0"}, None, {"admin.socket", "admin.listen"}, id="with TCP"),
        pytest.param({"listen": "localhost:0"}, None, {"admin.socket", "admin.listen"}, id="by name"),
    ],
)
async def test_only_what_is_asked_for_listens(
    make_served: MakeServed, config: Config, admin: dict[str, str], metrics: str | None, keys: set[str]
) -> None:
    """A listener exists exactly when the configuration has it."""
    asked = config.model_copy(
        update={
            "admin": config.admin.model_copy(update={"listen": None, **admin}),
            "metrics": MetricsConfig(listen=metrics),
        }
    )
    async with make_served(asked) as served:
        assert set(served.addresses) == keys


async def test_tcp_without_tokens_does_not_start(make_served: MakeServed, config: Config) -> None:
    """SR-15: the TCP listener refuses to start without tokens, even on loopback, and leaves no socket behind."""
    asked = config.model_copy(update={"admin": config.admin.model_copy(update={"tokens_file": None})})
    with pytest.raises(ConfigError, match=r"admin\.listen: needs admin\.tokens_file"):
        async with make_served(asked):
            pass
    assert not Path(config.admin.socket).exists()


async def test_tcp_needs_the_token(served: Any) -> None:
    """Over TCP a request without the token gets 401, with a wrong one 401, with the right one an answer."""
    statuses = []
    for token in (None, "wrong-token-wrong-token", "correct-horse-battery-staple-0123456789"):
        async with served.tcp(token) as session, session.get("/api/v1/status") as answer:
            statuses.append(answer.status)
    assert statuses == [401, 401, 200]


async def test_wrong_tokens_are_throttled(served: Any) -> None:
    """SR-17: wrong tokens end in 429 with a time to wait, each is counted, and the right one waits, too."""
    async with served.tcp("wrong-token-wrong-token") as session:
        for _ in range(15):
            async with session.get("/api/v1/status") as answer:
                last = answer
    async with served.tcp() as session, session.get("/api/v1/status") as right:
        assert right.status == 429
    assert last.status == 429
    assert int(last.headers["Retry-After"]) <= 60
    codes = Counter(event.code for event in served.daemon.told)
    assert codes == {"token_unknown": 11, "too_many_failures": 5}


async def test_a_forwarded_address_is_not_believed(served: Any) -> None:
    """A guesser cannot be somebody else each time by saying so: the proxy's own entry counts."""
    async with served.tcp("wrong-token-wrong-token") as session:
        for number in range(12):
            headers = {"X-Forwarded-For": f"192.0.2.{number}, 198.51.100.7"}
            async with session.get("/api/v1/status", headers=headers) as answer:
                last = answer.status
    assert last == 429


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "evil.example"}, 421, id="foreign host"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="cross-site"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="foreign origin"),
        pytest.param({"X-Requested-With": ""}, 403, id="without our header"),
    ],
)
async def test_a_web_page_gets_nowhere(served: Any, headers: dict[str, str], status: int) -> None:
    """SR-16: a rebound name is misdirected, a cross-site post or a form forbidden, and nothing is started."""
    url = "/api/v1/credentials/ecr-prod/rotations"
    async with served.tcp() as session, session.post(url, json={"reason": "x"}, headers=headers) as answer:
        assert answer.status == status
    assert served.daemon.requests == []


async def test_a_stale_socket_is_replaced(make_served: MakeServed, config: Config) -> None:
    """A socket that a crashed daemon left behind does not keep the next one from starting."""
    path = Path(config.admin.socket)
    path.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    async with make_served(config) as served, served.unix() as session, session.get("/api/v1/status") as answer:
        assert answer.status == 200
    assert not path.exists()


async def test_a_living_socket_is_left_alone(served: Any, make_served: MakeServed, config: Config) -> None:
    """A second daemon refuses to start, and the first still answers afterwards."""
    with pytest.raises(ConfigError, match="another program listens"):
        async with make_served(config):
            pass
    async with served.unix() as session, session.get("/api/v1/status") as answer:
        assert answer.status == 200


async def test_a_file_is_not_taken_for_a_socket(make_served: MakeServed, config: Config) -> None:
    """Something else at the socket's path is left alone, and named."""
    path = Path(config.admin.socket)
    path.parent.mkdir()
    path.write_text("precious")
    with pytest.raises(ConfigError, match="not a socket"):
        async with make_served(config):
            pass
    assert path.read_text() == "precious"


async def test_a_path_that_is_too_long_is_named(make_served: MakeServed, config: Config, tmp_path: Path) -> None:
    """The kernel's limit of 107 bytes is a mistake in the configuration, not a crash."""
    asked = config.model_copy(update={"admin": AdminConfig(socket=str(tmp_path / ("x" * 120)))})
    with pytest.raises(ConfigError, match=r"admin\.socket"):
        async with make_served(asked):
            pass


@pytest.mark.parametrize("section", ["admin", "metrics"])
async def test_a_port_in_use_is_named(make_served: MakeServed, config: Config, section: str) -> None:
    """A port that somebody else has is a mistake that names the key and the address."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        changed = getattr(config, section).model_copy(update={"listen": listen})
        with pytest.raises(ConfigError, match=rf"{section}\.listen: {listen} is in use"):
            async with make_served(config.model_copy(update={section: changed})):
                pass
    assert not Path(config.admin.socket).exists()


async def test_a_name_that_does_not_resolve_is_named(make_served: MakeServed, config: Config) -> None:
    """A host that nobody knows is a mistake that names the key."""
    changed = config.model_copy(update={"metrics": MetricsConfig(listen="no-such-host.invalid:9180")})
    with pytest.raises(ConfigError, match=r"metrics\.listen: no-such-host\.invalid does not resolve"):
        async with make_served(changed):
            pass


async def test_closing_waits_for_no_client(make_served: MakeServed, config: Config) -> None:
    """A client that follows a rotation without an end, and one that says nothing, do not keep it from closing."""
    async with make_served(config) as served:
        path = Path(served.addresses["admin.socket"])
        _, silent = await asyncio.open_unix_connection(str(path))
        async with served.unix() as session:
            url = "/api/v1/credentials/ecr-prod/rotations"
            async with session.post(url, json={"reason": "x"}) as answer:
                rotation = (await answer.json())["rotation"]
            follower = await session.get(f"/api/v1/rotations/{rotation}/events")
            served.task.cancel()
            await asyncio.gather(served.task, return_exceptions=True)
            follower.close()
        silent.close()
    assert not path.exists()


async def test_answers_hold_no_server_name(served: Any) -> None:
    """An answer does not say which software made it."""
    async with served.probes() as session, session.get("/healthz") as answer:
        assert "Server" not in answer.headers
        assert json.dumps(dict(answer.headers)).count("uvicorn") == 0
