"""The client shows one token in one header, and tells what came of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.errors import (
    AuthenticationError,
    NotFoundError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
)
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.tagoio import SandboxTagoio
from rotator.sources.file import FileRules, FileSource
from rotator.targets.context import TargetContext
from rotator.targets.tagoio.client import ApiConfig, Question, TagoioClient
from rotator.transport import Transport

TOKEN = "p-canary-7be1"


@pytest.fixture
async def context(clock: ManualClock) -> AsyncIterator[TargetContext]:
    """Return the world of a target that reads files."""
    transport = Transport(clock=clock)
    yield TargetContext(transport, clock, lambda: 0.5, {"file": FileSource(FileRules())})
    await transport.close()


def made(url: str, folder: Path, context: TargetContext, token: str = TOKEN, **options: Any) -> TagoioClient:
    """Return a client whose token is in a file."""
    path = folder / "token"
    path.touch(mode=0o600)
    path.write_text(token)
    given = {"url": url, "token": {"file": str(path)}, "insecure": True, **options}
    return TagoioClient("tago", ApiConfig.model_validate(given), context)


@pytest.mark.parametrize("header", [pytest.param("token", id="default"), pytest.param("Profile-Token", id="another")])
async def test_the_token_is_in_its_header(
    clock: ManualClock, context: TargetContext, tmp_path: Path, header: str
) -> None:
    """The token is sent in the configured header."""
    async with SandboxTagoio(clock, token=TOKEN, header=header) as server:
        client = made(server.url, tmp_path, context, header=header)
        assert await client.result(Question("GET", "/secrets")) == []


async def test_a_scheme_before_the_token(clock: ManualClock, context: TargetContext, tmp_path: Path) -> None:
    """Where a scheme is configured the token follows it, after a space."""
    async with SandboxTagoio(clock, token=f"Bearer {TOKEN}", header="Authorization") as server:
        client = made(server.url, tmp_path, context, header="Authorization", scheme="Bearer")
        assert await client.result(Question("GET", "/secrets")) == []


async def test_an_api_without_envelope(clock: ManualClock, context: TargetContext, tmp_path: Path) -> None:
    """Asked plainly, the status decides and the whole answer comes back; an empty one counts as an empty object."""
    async with SandboxTagoio(clock, token=TOKEN) as server:
        client = made(server.url, tmp_path, context)
        assert await client.ask_plainly(Question("GET", "/secrets")) == {"status": True, "result": []}
        with pytest.raises(NotFoundError):
            await client.ask_plainly(Question("GET", "/secrets/none"))
        server.fail(204, path="/secrets")
        assert await client.ask_plainly(Question("GET", "/secrets")) == {}


async def test_a_new_token_is_used_at_once(clock: ManualClock, context: TargetContext, tmp_path: Path) -> None:
    """The token is read anew at each call, white space at its end aside."""
    async with SandboxTagoio(clock, token=TOKEN) as server:
        client = made(server.url, tmp_path, context, "p-expired")
        with pytest.raises(AuthenticationError):
            await client.result(Question("GET", "/secrets"))
        (tmp_path / "token").write_text(f"{TOKEN}\n")
        assert await client.result(Question("GET", "/secrets")) == []


@pytest.mark.parametrize(
    "token",
    [pytest.param("a b", id="space"), pytest.param("a\r\nHost: x", id="header"), pytest.param("tökèn", id="not ASCII")],
)
async def test_a_token_that_is_none(context: TargetContext, tmp_path: Path, token: str) -> None:
    """What cannot be a header's value is not sent, and not shown."""
    with pytest.raises(ShapeError) as caught:
        await made("http://127.0.0.1:9", tmp_path, context, token).result(Question("GET", "/"))
    assert token not in str(caught.value)


async def test_errors_name_the_request(clock: ManualClock, context: TargetContext, tmp_path: Path) -> None:
    """An error says which target asked what, without the query and without the token."""
    async with SandboxTagoio(clock, token=TOKEN) as server:
        client = made(server.url, tmp_path, context)
        with pytest.raises(NotFoundError, match=r"^tago: GET /secrets/none: HTTP 404$") as caught:
            await client.result(Question("GET", "/secrets/none?a=b"))
        server.limit = 0
        with pytest.raises(RateLimitedError):
            await client.result(Question("GET", "/secrets"))
    assert TOKEN not in f"{caught.value!r}{client!r}{vars(client)!r}"


async def test_nobody_there(context: TargetContext, tmp_path: Path) -> None:
    """An API that does not answer is unavailable."""
    with pytest.raises(UnavailableError):
        await made("http://127.0.0.1:9", tmp_path, context).result(Question("GET", "/"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"url": "http://api.tago.io"}, "https://", id="plain HTTP"),
        pytest.param({"header": "Host"}, "something else", id="a header that means something else"),
        pytest.param({"header": "to ken"}, "pattern", id="not a header"),
        pytest.param({"token": "p-secret"}, "never written here", id="the token itself"),
    ],
)
def test_options_are_checked(options: dict[str, Any], reason: str) -> None:
    """A configuration that would send the token astray is refused."""
    with pytest.raises(ValidationError, match=reason):
        ApiConfig.model_validate({"token": {"env": "TAGO_TOKEN"}, **options})


async def test_a_source_that_fails(clock: ManualClock, context: TargetContext, tmp_path: Path) -> None:
    """Without a token nothing is asked."""
    async with SandboxTagoio(clock, token=TOKEN) as server:
        client = made(server.url, tmp_path, context)
        (tmp_path / "token").unlink()
        with pytest.raises(RotatorError):
            await client.result(Question("GET", "/secrets"))
        assert server.count("GET", "/") == 0
