"""What docs/notifications.md shows works: the configuration, the signature check, the list of kinds."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.clock import SystemClock
from rotator.config.load import load
from rotator.domain.attention import Kind
from rotator.kinds import kinds
from rotator.secret import Secret
from rotator.transport.standard_webhook import parse_key, signed_headers

PAGE = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text()
SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
BODY = b'{"type":"attention.test"}'


@pytest.fixture
def is_genuine() -> Any:
    """Return the function that the page shows."""
    names: dict[str, Any] = {}
    [code] = re.findall(r"^```python\n# verify.py\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    exec(compile(code, "verify.py", "exec"), names)
    return names["is_genuine"]


def signed(at: datetime, body: bytes = BODY) -> dict[str, str]:
    """Return the headers of a message as it is sent."""
    return signed_headers([parse_key(Secret(SECRET), "test")], "msg_1", at, body)


def test_a_receiver_who_copies_the_page_takes_what_is_sent(is_genuine: Any) -> None:
    """The shown check takes what we sign."""
    assert is_genuine(signed(SystemClock().now()), BODY, SECRET)


@pytest.mark.parametrize(
    ("age", "headers", "body", "secret"),
    [
        (timedelta(), {}, BODY + b" ", SECRET),
        (timedelta(minutes=6), {}, BODY, SECRET),
        (timedelta(), {}, BODY, SECRET.replace("MDEy", "MDEz")),
        (timedelta(), {"webhook-id": "msg_2"}, BODY, SECRET),
    ],
    ids=["changed", "replayed", "another secret", "another id"],
)
def test_it_refuses_what_is_not_ours(
    is_genuine: Any, age: timedelta, headers: dict[str, str], body: bytes, secret: str
) -> None:
    """The shown check refuses what was changed, is old, or was signed by somebody else."""
    sent = signed(SystemClock().now() - age)
    assert is_genuine(sent, BODY, SECRET) == (not age)
    assert not is_genuine({**sent, **headers}, body, secret)


def test_the_configuration_loads(tmp_path: Path) -> None:
    """The shown section is valid."""
    [text] = re.findall(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    (tmp_path / "rotator.yaml").write_text(text)

    assert set(load(tmp_path / "rotator.yaml", kinds()).notifications) == {"ops", "chat"}


def test_every_kind_is_described() -> None:
    """The table has each kind of need once, and no other."""
    rows = re.findall(r"^\| `([a-z]+)` \| (?:critical|warning|as)", PAGE, re.MULTILINE)

    assert rows == [kind.value for kind in Kind]
