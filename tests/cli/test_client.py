"""The daemon's client: how it connects, what it sends, and how it reads a stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rotator.cli.client import Door, parse_events, segment
from rotator.cli.failure import UsageError


async def _lines(text: str) -> AsyncIterator[bytes]:
    for line in text.encode().split(b"\n"):
        yield line


@pytest.mark.parametrize(
    ("text", "events"),
    [
        pytest.param('event: a\ndata: {"x":1}\n\n', [("a", {"x": 1})], id="one"),
        pytest.param(": beat\n\nevent: a\ndata: {}\n\nevent: b\ndata: {}\n\n", [("a", {}), ("b", {})], id="comment"),
        pytest.param('event: a\r\ndata: {"x":\r\ndata: 1}\r\n\r\n', [("a", {"x": 1})], id="CR LF, two data lines"),
        pytest.param("event: a\ndata: nonsense\n\n", [], id="not JSON"),
        pytest.param("event: a\ndata: [1]\n\n", [], id="not an object"),
        pytest.param('event: a\ndata: {"x":1}', [], id="cut off"),
        pytest.param("data\n\nid: 3\nretry: 5\n\n", [], id="other fields"),
        pytest.param("\xff\xfe\n\n", [], id="not UTF-8"),
    ],
)
async def test_a_stream_is_read(text: str, events: list[tuple[str, object]]) -> None:
    """Events are read as the standard says; what is none is passed over."""
    assert [event async for event in parse_events(_lines(text))] == events


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://x.example"])
def test_a_token_travels_safely(url: str) -> None:
    """Plain HTTP is for this machine only; elsewhere it is https, verified."""
    assert Door(Path("/x"), url).peer().insecure == url.startswith("http://")


@pytest.mark.parametrize(
    "url", ["http://x.example", "ftp://x", "x", "http://", "http://[", "http://127.0.0.1.x.example"]
)
def test_an_unsafe_url_is_refused(url: str) -> None:
    """A URL that would show the token, or is none, is a usage error."""
    with pytest.raises(UsageError):
        Door(Path("/x"), url).peer()


def test_the_socket_is_the_default() -> None:
    """Without a URL the socket is used, and no token is sent."""
    door = Door(Path("/run/x.sock"))
    assert (door.peer().unix_socket, door.base(), door.headers()) == ("/run/x.sock", "http://localhost/api/v1", {})


def test_a_token_file_is_read(tmp_path: Path) -> None:
    """The first line that is not a comment is the token."""
    path = tmp_path / "token"
    path.touch(mode=0o600)
    path.write_text("# mine\n\ncanary-token\n")
    assert Door(Path("/x"), "http://127.0.0.1:1", path).headers() == {"Authorization": "Bearer canary-token"}


@pytest.mark.parametrize(
    ("content", "mode"),
    [
        pytest.param("canary-token", 0o640, id="others may read"),
        pytest.param("", 0o600, id="empty"),
        pytest.param("canary\x01token", 0o600, id="control character"),
        pytest.param("canary-t\xf6ken", 0o600, id="not ASCII"),
        pytest.param(None, 0o600, id="absent"),
    ],
)
def test_a_bad_token_file_is_refused(tmp_path: Path, content: str | None, mode: int) -> None:
    """A token file that is not private, or holds no token, is a usage error that repeats nothing of it."""
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(UsageError) as caught:
        Door(Path("/x"), "http://127.0.0.1:1", path).headers()
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("text", ["a/b", "..", ".", "", "/"])
def test_a_path_is_not_a_name(text: str) -> None:
    """A name that would lead to another path is refused before it is sent."""
    with pytest.raises(UsageError):
        segment(text)


def test_a_name_is_encoded() -> None:
    """What a URL would take for its own is encoded."""
    assert segment("a?b#c%d e") == "a%3Fb%23c%25d%20e"
