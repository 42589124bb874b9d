"""One file per mistake, with the exact message beside it."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.errors import ConfigError

BAD = Path(__file__).parent / "bad"
FILES = sorted(BAD.glob("*.yaml"))


def _message(path: Path, kinds: Kinds) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path, kinds)
    return str(caught.value).replace(f"{path.parent}/", "") + "\n"


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_mistake_has_its_message(path: Path, kinds: Kinds) -> None:
    """The message says where the mistake is and what to write instead, and stays as it is."""
    assert _message(path, kinds) == path.with_suffix(".txt").read_text()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_message_repeats_a_secret(path: Path, kinds: Kinds) -> None:
    """Whatever stands in the file where a secret could be written is not in the message."""
    message = _message(path, kinds)
    assert "hunter2" not in message
    assert "0000" not in message
    assert "eyJ" not in message


def test_every_message_belongs_to_a_file() -> None:
    """No expectation is left over from a file that is gone."""
    assert [path.stem for path in sorted(BAD.glob("*.txt"))] == [path.stem for path in FILES]
