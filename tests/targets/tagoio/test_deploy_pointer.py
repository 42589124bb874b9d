"""Pointers into the answers of an API."""

from __future__ import annotations

from typing import Any

import pytest

from rotator.targets.tagoio_deploy.pointer import at, check_pointer

DOCUMENT = {"result": [{"a/b": 1, "m~n": 2, "": 3}], "status": True}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        pytest.param("/status", True, id="key"),
        pytest.param("/result/0/a~1b", 1, id="slash"),
        pytest.param("/result/0/m~0n", 2, id="tilde"),
        pytest.param("/result/0/", 3, id="empty key"),
    ],
)
def test_a_pointer_leads_there(pointer: str, value: Any) -> None:
    """Pointers lead through objects and lists as RFC 6901 says."""
    check_pointer(pointer)
    assert at(DOCUMENT, pointer) == value


@pytest.mark.parametrize(
    "pointer", ["/none", "/result/1", "/result/-", "/result/00", "/result/a", "/status/x", "/result/0/a"]
)
def test_a_pointer_to_nothing_is_an_error(pointer: str) -> None:
    """Where nothing stands there is an error that names the pointer and nothing of the document."""
    with pytest.raises(LookupError, match=f"nothing at {pointer}"):
        at(DOCUMENT, pointer)


@pytest.mark.parametrize("pointer", ["", "result", "/a~2", "/a~"])
def test_what_is_no_pointer(pointer: str) -> None:
    """A pointer begins with a slash, and a tilde escapes something."""
    with pytest.raises(ValueError, match="is not a JSON pointer"):
        check_pointer(pointer)
