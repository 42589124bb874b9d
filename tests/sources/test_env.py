"""Secrets in the environment."""

from __future__ import annotations

import pytest

from rotator.errors import NotFoundError, ShapeError
from rotator.secret import Fingerprinter, Secret
from rotator.sources.env import EnvSource


async def test_unset_variable_is_named(fingerprint: Fingerprinter) -> None:
    """The error names the variable and says what to do."""
    with pytest.raises(NotFoundError, match="environment variable GHCR_TOKEN is not set"):
        await EnvSource({}, fingerprint=fingerprint).read("GHCR_TOKEN")


@pytest.mark.parametrize("ask", ["read", "revision"])
async def test_bytes_that_are_no_text_are_refused(fingerprint: Fingerprinter, ask: str) -> None:
    """Python keeps undecodable bytes of the environment as lone surrogates; those are no secret."""
    source = EnvSource({"TOKEN": "abc\udcff"}, fingerprint=fingerprint)
    with pytest.raises(ShapeError, match="not valid UTF-8"):
        await getattr(source, ask)("TOKEN")


async def test_revision_is_the_keyed_fingerprint(fingerprint: Fingerprinter) -> None:
    """Two installations with different keys show different revisions of one value."""
    environ = {"TOKEN": "value"}
    ours = await EnvSource(environ, fingerprint=fingerprint).revision("TOKEN")
    theirs = await EnvSource(environ, fingerprint=Fingerprinter(b"another key here")).revision("TOKEN")
    assert ours == fingerprint(Secret("value"))
    assert ours != theirs


async def test_whitespace_is_kept(fingerprint: Fingerprinter) -> None:
    """A variable is taken to the letter."""
    reading = await EnvSource({"TOKEN": " a \n"}, fingerprint=fingerprint).read("TOKEN")
    assert reading.secret == Secret(" a \n")
