"""Reading logins whole."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.config.ref import SecretRef
from rotator.domain.model import NEVER, UNKNOWN, Expiry
from rotator.errors import ConflictError, UnavailableError
from rotator.providers.from_source import SourceLogin

HeldSource = Any  # the class is in conftest, which tests do not import
NAME = SecretRef(source="vault", location="registries/ghcr#username")
TOKEN = SecretRef(source="vault", location="registries/ghcr#token")
ELSEWHERE = SecretRef(source="vault", location="people/mona#name")


def put(source: HeldSource, name: str, token: str, revision: str) -> None:
    """Save both fields of one document."""
    source.put(NAME.location, name, revision=revision)
    source.put(TOKEN.location, token, revision=revision)


@pytest.fixture
def login(held_source: HeldSource) -> SourceLogin:
    """Return a login whose halves are two fields of one document."""
    put(held_source, "mona", "token-1", "1")
    return SourceLogin(NAME, TOKEN, {"vault": held_source})


async def test_a_configured_user_name_is_kept_to_the_letter(held_source: HeldSource) -> None:
    """Only the secret is read, and its revision is the login's."""
    held_source.put(TOKEN.location, "token-1", revision="7")
    kept = await SourceLogin("_json_key", TOKEN, {"vault": held_source}).read()
    assert (kept.login.username, kept.login.secret.reveal(), kept.revision) == ("_json_key", "token-1", "7")
    assert held_source.reads == [TOKEN.location]


async def test_two_fields_of_one_document_share_its_revision(login: SourceLogin) -> None:
    """Both halves are read, and the document's revision is the login's."""
    kept = await login.read()
    assert (kept.login.username, kept.login.secret.reveal(), kept.revision) == ("mona", "token-1", "1")
    assert await login.revision() == "1"


async def test_halves_from_two_places_have_two_revisions(held_source: HeldSource) -> None:
    """A change of either half is a change of the login."""
    login = SourceLogin(ELSEWHERE, TOKEN, {"vault": held_source})
    held_source.put(ELSEWHERE.location, "mona", revision="3")
    held_source.put(TOKEN.location, "token-1", revision="5")
    assert (await login.read()).revision == await login.revision() == "3+5"
    held_source.put(ELSEWHERE.location, "lisa", revision="4")
    assert await login.revision() == "4+5"


async def test_a_source_that_cannot_tell_cheaply_gives_no_revision(held_source: HeldSource) -> None:
    """None from either half is None for the login."""
    blind = type(held_source)(cheap=False)
    put(blind, "mona", "token-1", "1")
    held_source.put(TOKEN.location, "token-1")
    assert await SourceLogin(NAME, TOKEN, {"vault": blind}).revision() is None
    assert await SourceLogin("mona", TOKEN, {"vault": blind}).revision() is None
    name_in_file = SecretRef(source="file", location="/x#username")
    blind.put("/x#username", "mona")
    assert await SourceLogin(name_in_file, TOKEN, {"vault": held_source, "file": blind}).revision() is None


async def test_a_document_saved_between_the_reads_is_read_again(login: SourceLogin, held_source: HeldSource) -> None:
    """The old user name is never paired with the new token."""

    def save() -> None:
        held_source.after_read = lambda: None
        put(held_source, "lisa", "token-2", "2")

    held_source.after_read = save
    kept = await login.read()
    assert (kept.login.username, kept.login.secret.reveal(), kept.revision) == ("lisa", "token-2", "2")


async def test_a_document_that_keeps_changing_is_a_conflict(login: SourceLogin, held_source: HeldSource) -> None:
    """After a few tries the reading is given up for now."""
    count = iter(range(2, 100))

    def save() -> None:
        put(held_source, "lisa", "token", str(next(count)))

    held_source.after_read = save
    with pytest.raises(ConflictError):
        await login.read()
    assert len(held_source.reads) < 10


async def test_fields_with_revisions_of_their_own_are_no_conflict(login: SourceLogin, held_source: HeldSource) -> None:
    """Where each field has its own revision, a second look at the first one settles it."""
    held_source.put(NAME.location, "mona", revision="digest-a")
    held_source.put(TOKEN.location, "token-1", revision="digest-b")
    assert (await login.read()).revision == "digest-a+digest-b"
    assert await login.revision() == "digest-a+digest-b"


async def test_the_earlier_expiry_is_the_logins(login: SourceLogin, held_source: HeldSource) -> None:
    """The login stops working when its first half does."""
    soon = Expiry(datetime(2027, 1, 1, tzinfo=UTC))
    held_source.put(NAME.location, "mona", expiry=NEVER)
    held_source.put(TOKEN.location, "token-1", expiry=soon)
    assert (await login.read()).expiry == soon
    held_source.put(TOKEN.location, "token-1", expiry=UNKNOWN)
    assert (await login.read()).expiry == NEVER


async def test_an_outage_of_the_source_is_passed_on(login: SourceLogin, held_source: HeldSource) -> None:
    """The source's own error reaches the caller."""
    held_source.error = UnavailableError("vault is sealed")
    with pytest.raises(UnavailableError, match="sealed"):
        await login.read()


def test_its_text_shows_places_only(login: SourceLogin) -> None:
    """Text and representation name where the login is kept, not what it is."""
    assert str(login) == "vault:registries/ghcr#username with vault:registries/ghcr#token"
    assert "token-1" not in repr(login)
