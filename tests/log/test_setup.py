"""Lines of ours and of everybody else's come out in one shape, and without secrets."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable
from typing import Any, Protocol, cast

import botocore.loaders
import botocore.model
import botocore.parsers
import pytest
import structlog

from rotator.errors import ConfigError
from rotator.log import configure
from rotator.log.setup import PINNED
from rotator.secret import MASK, Redactor, Secret

CANARY = 'cAnArY-"3f9a/7b+2c"=='


class Written(Protocol):
    """A log and what it wrote; see `conftest.Log`."""

    redactor: Redactor
    text: str
    lines: list[dict[str, Any]]


def _ours() -> Any:
    return structlog.get_logger("rotator.somewhere")


def test_a_line_says_when_what_where_and_how_bad(json_log: Written) -> None:
    """A line is one JSON object with an ISO 8601 time in UTC, a level, a logger, the event and its keys."""
    _ours().info("rotation_succeeded", credential="ghcr", generation=3)

    (line,) = json_log.lines

    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", line.pop("timestamp"))
    assert line == {
        "event": "rotation_succeeded",
        "level": "info",
        "logger": "rotator.somewhere",
        "credential": "ghcr",
        "generation": 3,
    }


def test_the_standard_library_s_lines_have_the_same_shape(json_log: Written) -> None:
    """A warning of a library that knows nothing of structlog is a JSON object with the same keys."""
    logging.getLogger("some.library").warning("cannot reach %s", "them")

    (line,) = json_log.lines

    assert (line["event"], line["level"], line["logger"]) == ("cannot reach them", "warning", "some.library")
    assert line["timestamp"].endswith("Z")


def _fail(value: str) -> None:
    raise ValueError(f"invalid header value {value}")


def _fail_wrapped(value: str) -> None:
    try:
        _fail(value)
    except ValueError as error:
        raise RuntimeError("wrapped") from error


def _log_error(value: str) -> None:
    try:
        _fail(value)
    except ValueError:
        _ours().exception("broke")


def _log_chained(value: str) -> None:
    try:
        _fail_wrapped(value)
    except RuntimeError as error:
        _ours().error("broke", exc_info=error)


def _log_plainly(value: str) -> None:
    try:
        _fail(value)
    except ValueError:
        logging.getLogger("some.library").exception("broke")


def _log_noted(value: str) -> None:
    error = ValueError("broke")
    error.add_note(f"while sending {value}")
    _ours().error("broke", exc_info=error)


SECRETIVE: dict[str, Callable[[str], None]] = {
    "value": lambda value: _ours().warning("seen", token=value),
    "value in a dict": lambda value: _ours().warning("seen", body={"auths": [{"password": value}]}),
    "value in an object": lambda value: _ours().warning("seen", error=ValueError(value)),
    "event": lambda value: _ours().warning(f"seen {value}"),
    "key": lambda value: _ours().warning("seen", **{value: 1}),
    "stdlib argument": lambda value: logging.getLogger("some.library").warning("got %s", value),
    "stdlib dict": lambda value: logging.getLogger("some.library").warning({"token": value}),
    "error text": _log_error,
    "chained error text": _log_chained,
    "stdlib error text": _log_plainly,
    "error group": lambda value: _ours().error("broke", exc_info=ExceptionGroup("two", [ValueError(value)])),
    "note": _log_noted,
    "line ends": lambda value: _ours().warning("seen", token=f"first\r\n{value}\n"),
}


@pytest.mark.parametrize("write", SECRETIVE.values(), ids=SECRETIVE.keys())
@pytest.mark.parametrize("value", [CANARY, "cAnArY with\r\na line end\\"], ids=["one line", "two lines"])
def test_a_live_secret_is_masked_wherever_it_stands(write: Callable[[str], None], value: str, log: Written) -> None:
    """Whatever part of a line holds the value of a living secret, the line shows a mask and the hit is counted."""
    secret = Secret(value)

    write(secret.reveal())

    assert MASK in log.text
    assert "cAnArY" not in log.text
    assert log.redactor.hits >= 1


def test_a_secret_itself_needs_no_masking(log: Written) -> None:
    """A `Secret` given as a value is shown as a mask by itself, and is no hit."""
    _ours().warning("seen", token=Secret(CANARY), nested={"token": Secret(CANARY)})

    assert MASK in log.text
    assert "cAnArY" not in log.text
    assert log.redactor.hits == 0


def test_a_traceback_shows_no_local_variables(log: Written) -> None:
    """A value that only a local variable holds is in no traceback, although nobody masks it."""

    def fail() -> None:
        canary = "cAnArY".swapcase()
        raise ValueError(len(canary))

    try:
        fail()
    except ValueError as error:
        _ours().error("broke", exc_info=error)
        logging.getLogger("some.library").exception("broke")

    assert "fail" in log.text
    assert "CaNaRy" not in log.text
    assert log.redactor.hits == 0


@pytest.mark.parametrize("name", [*PINNED, "botocore.parsers", "urllib3.connectionpool", "some.library", "rotatory"])
@pytest.mark.parametrize("level", [logging.DEBUG, logging.INFO], ids=["debug", "info"])
def test_other_people_s_details_are_never_shown(name: str, level: int, json_log: Written) -> None:
    """Whatever our level is, and whatever level their logger is set to, no line below WARNING comes through."""
    logging.getLogger(name).log(level, "as configured")
    logging.getLogger(name).setLevel(logging.DEBUG)
    logging.getLogger().setLevel(logging.DEBUG)
    logging.getLogger(name).log(level, "as changed afterwards")

    assert json_log.text == ""


def test_botocore_s_debug_lines_do_not_show_a_token(json_log: Written) -> None:
    """Botocore's parser logs the whole body of an ECR answer at DEBUG; none of it is written."""
    model = botocore.model.ServiceModel(botocore.loaders.Loader().load_service_model("ecr", "service-2"), "ecr")
    shape = model.operation_model("GetAuthorizationToken").output_shape
    body = json.dumps({"authorizationData": [{"authorizationToken": CANARY}]}).encode()
    logging.getLogger("botocore.parsers").setLevel(logging.DEBUG)
    seen: list[str] = []
    probe = logging.Handler()
    probe.emit = lambda record: seen.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger("botocore.parsers").addHandler(probe)

    parser = botocore.parsers.create_parser("json")
    parsed = parser.parse({"status_code": 200, "headers": {}, "body": body}, shape)

    logging.getLogger("botocore.parsers").removeHandler(probe)
    assert parsed["authorizationData"][0]["authorizationToken"] == CANARY
    assert any("cAnArY" in message for message in seen)
    assert json_log.text == ""


@pytest.mark.parametrize(
    ("level", "shown"),
    [
        ("debug", ["debug", "info", "warning", "error", "critical"]),
        ("INFO", ["info", "warning", "error", "critical"]),
        ("warning", ["warning", "error", "critical"]),
        ("error", ["error", "critical"]),
        ("critical", ["critical"]),
    ],
)
def test_our_level_is_as_configured(level: str, shown: list[str]) -> None:
    """Our own lines come from the configured level upwards, of structlog and the standard library alike."""
    stream = io.StringIO()
    handler = configure(level, "json", stream, Redactor())
    for name in ("debug", "info", "warning", "error", "critical"):
        getattr(_ours(), name)(name)
        getattr(logging.getLogger("rotator.plain"), name)(name)
    handler.flush()

    levels = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]

    assert levels[::2] == shown
    assert levels[1::2] == shown


HOSTILE = ["one\ntwo", "one\rtwo", "one\x1b[31mtwo", "one\u2028two", "one\x85two", "one\u202etwo", "one\x00two"]


@pytest.mark.parametrize("value", HOSTILE, ids=["lf", "cr", "escape", "u2028", "nel", "bidi", "nul"])
def test_a_value_cannot_end_its_line_or_steer_the_terminal(value: str, log: Written) -> None:
    """Control characters in the event, a value, a nested value or a foreign message are escaped."""
    _ours().warning(value, key=value, nested=[value], odd=_Odd(value))
    logging.getLogger("some.library").warning("%s", value)

    assert len(log.text.splitlines()) == 2
    assert log.text.replace("\n", "").isprintable()


class _Odd:
    """Shows itself as it was told."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def test_a_forged_line_in_an_error_is_indented(log: Written) -> None:
    """On the console a traceback is indented, so that nothing in it begins like a line of its own."""
    _ours().error("broke", exc_info=ValueError("x\n2026-01-01T00:00:00Z [info     ] rotation_succeeded\r\x1b[2K"))

    lines = log.text.splitlines()

    assert not any(line.startswith("2026-01-01") for line in lines)
    assert "\x1b" not in log.text
    assert "\r" not in log.text


class _Unshowable:
    """Cannot be shown at all."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_a_value_that_cannot_be_shown_breaks_nobody(json_log: Written) -> None:
    """A value whose ``repr`` fails, or a message with wrong arguments, becomes a line that says so."""
    _ours().warning("seen", value=_Unshowable())
    logging.getLogger("some.library").warning("%d", "text")

    assert [line["event"] for line in json_log.lines] == ["log_line_unrenderable"] * 2
    assert json_log.lines[1]["logger"] == "some.library"


def test_characters_that_the_stream_cannot_hold_are_escaped() -> None:
    """A stream in ASCII gets an escape instead of an error; so does half a character."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    handler = configure("info", "console", stream, Redactor())

    _ours().info("seen", name="ünï \ud800")
    handler.flush()

    assert b"\\xfcn\\xef" in raw.getvalue()
    stream.detach()


class _Terminal(io.StringIO):
    """Says that it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "is_json"), [(io.StringIO(), True), (_Terminal(), False)], ids=["pipe", "terminal"])
def test_auto_is_for_people_on_a_terminal_only(stream: io.StringIO, is_json: bool) -> None:  # noqa: FBT001 (a parametrized fact)
    """The format ``auto`` is JSON unless the stream is a terminal."""
    handler = configure("info", "auto", stream, Redactor())
    _ours().info("seen")
    handler.flush()

    assert stream.getvalue().startswith("{") == is_json


@pytest.mark.parametrize(("level", "style"), [("loud", "json"), ("info", "xml"), ("", "json")])
def test_an_unknown_level_or_format_is_refused(level: str, style: Any) -> None:
    """A word that is none of ours is a configuration error that names those that are."""
    with pytest.raises(ConfigError, match="debug, info"):
        configure(level, style, io.StringIO(), Redactor())


def test_configuring_again_replaces_what_was_before(json_log: Written) -> None:
    """The last configuration alone is written to; handlers that do not redact are removed."""
    logging.getLogger().addHandler(logging.StreamHandler(cast("Any", io.StringIO())))
    stream = io.StringIO()

    handler = configure("info", "json", stream, Redactor())
    _ours().info("seen")
    handler.flush()

    assert json_log.text == ""
    assert len(stream.getvalue().splitlines()) == 1
    assert logging.getLogger().handlers == [handler]
