"""A secret shows itself nowhere, and is found wherever it was put into a text all the same."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gc
import json
import pickle
import pprint
import string
import threading
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from rotator.domain.model import Login
from rotator.secret import MASK, Fingerprinter, Redactor, Secret

CANARY = "cAnArY-3f9a/7b+2c=="
PRINTABLE = st.text(alphabet=string.ascii_letters + string.digits + "+/=_-.~ \"'\\\n\té€", min_size=8, max_size=120)
KEY = b"0123456789abcdef"


@pytest.fixture
def redactor() -> Redactor:
    """Return a redactor of this test's own."""
    return Redactor()


RENDERINGS: dict[str, Callable[[Secret], str]] = {
    "str": str,
    "repr": repr,
    "ascii": ascii,
    "format": lambda secret: f"{secret}",
    "format spec": lambda secret: f"{secret:>40}",
    "format method": "{0!s} {0!r} {0}".format,
    "percent": lambda secret: f"{'%s %r'}" % (secret, secret),
    "in a list": lambda secret: str([secret]),
    "in a dataclass": lambda secret: repr(Login("user", secret)),
    "asdict": lambda secret: str(dataclasses.asdict(Login("user", secret))),
    "json with default": lambda secret: json.dumps({"secret": secret}, default=str),
    "pprint": lambda secret: pprint.pformat({"secret": secret}),
    "error": lambda secret: repr(ValueError(secret)),
    "copy": lambda secret: repr(copy.copy(secret)),
    "deepcopy": lambda secret: repr(copy.deepcopy({"a": secret})),
}


@pytest.mark.parametrize("render", RENDERINGS.values(), ids=RENDERINGS.keys())
@settings(deadline=None, max_examples=25)
@given(value=st.text(alphabet=st.characters(exclude_characters="*"), min_size=8))
def test_no_rendering_shows_the_value(render: Callable[[Secret], str], value: str) -> None:
    """However a secret is turned into text, its value is not in it."""
    canary = f"canary{value}"

    shown = render(Secret(canary))

    assert canary not in shown
    assert MASK in shown


def test_a_copy_is_the_secret_itself() -> None:
    """Copying, also deeply and inside a value, returns the same object."""
    secret = Secret(CANARY)
    login = Login("user", secret)

    assert copy.copy(secret) is secret
    assert copy.deepcopy(secret) is secret
    assert copy.deepcopy(login).secret is secret
    assert dataclasses.replace(login, username="other").secret is secret
    assert dataclasses.asdict(login)["secret"] is secret


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_is_not_pickled(protocol: int) -> None:
    """Pickling a secret, or a value that holds one, fails without its text."""
    for value in (Secret(CANARY), Login("user", Secret(CANARY))):
        with pytest.raises(TypeError) as caught:
            pickle.dumps(value, protocol)
        assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "attempt",
    [json.dumps, bytes, iter, vars, lambda secret: secret.__getstate__(), lambda secret: secret + "text"],
    ids=["json", "bytes", "iter", "vars", "getstate", "plus"],
)
def test_nothing_takes_a_secret_for_something_else(attempt: Callable[[Secret], object]) -> None:
    """What would need the value refuses the secret, without its text."""
    with pytest.raises(TypeError) as caught:
        attempt(Secret(CANARY))

    assert CANARY not in str(caught.value)


def test_a_secret_is_no_configuration_value() -> None:
    """A pydantic model cannot have a field of it."""
    with pytest.raises(TypeError, match="model field"):
        type("Model", (BaseModel,), {"__annotations__": {"token": Secret}})


def test_equality_is_by_value_and_never_with_a_plain_string() -> None:
    """Equal values make equal secrets and hashes; a plain string equals none."""
    assert Secret("one") == Secret("one")
    assert hash(Secret("one")) == hash(Secret("one"))
    assert Secret("one") != Secret("two")
    assert Secret("one").__eq__("one") is NotImplemented


def test_length_and_truth_are_known() -> None:
    """Length and emptiness may be asked without revealing."""
    assert len(Secret("abc")) == 3
    assert not Secret("")
    assert Secret("a")


FORMS: dict[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    "percent-encoded": lambda value: quote(value, safe=""),
    "percent-encoded path": quote,
    "form-encoded": quote_plus,
    "json": json.dumps,
    "json utf-8": lambda value: json.dumps(value, ensure_ascii=False),
    "json in json": lambda value: json.dumps({"body": json.dumps({"token": value})}),
    "repr": lambda value: repr({"token": value}),
    "repr in json": lambda value: json.dumps(repr(value)),
    "error in json": lambda value: json.dumps(repr(ValueError(value))),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
@settings(deadline=None, max_examples=60)
@given(value=PRINTABLE)
def test_every_form_of_a_live_secret_is_masked(form: Callable[[str], str], value: str) -> None:
    """The text around a secret stays, the secret goes, whichever way it was written."""
    secret, redactor = Secret(f"{value}#end"), Redactor()
    text = form(secret.reveal())

    shown = redactor(f"before {text} after")

    assert secret.reveal() not in shown
    assert text.strip("\"'") not in shown
    assert MASK in shown
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert redactor.hits >= 1


@pytest.mark.parametrize("user", ["", "u", "us", "use", "AWS", "0123456789", "ünïcode"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode], ids=["standard", "urlsafe"])
def test_base64_of_user_and_secret_is_masked_in_every_alignment(
    user: str, encode: Callable[[bytes], bytes], redactor: Redactor
) -> None:
    """Whatever stands before and after the secret in an encoded text, at most two characters of it remain."""
    secret = Secret("\xff\xfe" + CANARY)
    plain = encode(secret.reveal().encode()).decode()
    for tail in ("", "x", "xy", '"}'):
        whole = encode(f"{user}:{secret.reveal()}{tail}".encode()).decode()

        shown = redactor(f"Basic: {whole}")

        assert MASK in shown
        assert plain[4:-4] not in shown
        assert len(shown) <= len("Basic: ") + len(MASK) + 4 * (len(user.encode()) // 3 + 1) + 4 + 8


def test_base64_inside_base64_is_masked(redactor: Redactor) -> None:
    """The data of a Kubernetes Secret, which holds base64 of ``user:secret`` once more encoded, is masked."""
    secret = Secret(CANARY)
    auth = base64.b64encode(f"AWS:{secret.reveal()}".encode()).decode()
    data = base64.b64encode(json.dumps({"auths": {"ghcr.io": {"auth": auth}}}).encode()).decode()

    shown = redactor(data)

    assert MASK in shown
    assert auth[6:-4] not in base64.b64decode(shown.split(MASK)[0] + "====").decode(errors="replace")


def test_a_long_secret_that_was_cut_short_is_masked(redactor: Redactor) -> None:
    """Libraries shorten what they quote: 40 leading characters of a long secret are enough to be found."""
    secret = Secret(f"token-{'0123456789abcdef' * 20}")

    assert redactor(f"input_value='{secret.reveal()[:40]}...'") == f"input_value='{MASK}...'"


def test_overlapping_secrets_leave_nothing_between_them(redactor: Redactor) -> None:
    """Where one secret ends inside another, both are masked whole."""
    secrets = [Secret("abcdefgh"), Secret("efghijklmnop"), Secret("abcdefghij")]

    assert redactor("<abcdefghijklmnop>") == f"<{MASK}>"
    assert len(secrets) == 3
    assert redactor.hits == 1


def test_two_secrets_with_one_beginning_are_told_apart(redactor: Redactor) -> None:
    """Vendors' tokens begin alike: each is masked whole, and nothing beyond it."""
    begin = "x" * 40
    secrets = [Secret(f"{begin}{end}") for end in ("first", "second, longer")]

    assert redactor(f"{secrets[0].reveal()} {secrets[1].reveal()}!") == f"{MASK} {MASK}!"


@pytest.mark.parametrize("value", ["", "abc", "12345", "*" * 20], ids=["empty", "short", "five", "a mask"])
def test_values_that_would_match_everywhere_are_not_searched(value: str, redactor: Redactor) -> None:
    """A very short value, or one that looks like the mask, changes no line."""
    secret = Secret(value)
    text = f"abc 12345 {'*' * 30} {value}"

    assert redactor(text) == text
    assert secret is not None
    assert redactor.hits == 0


@pytest.mark.parametrize(
    "token",
    [
        "ghp_" + "a1B2" * 9,
        "github_pat_" + "a1B2" * 9,
        "dckr_pat_" + "a1B2" * 6,
        "glpat-" + "a1B2" * 5,
        "hvs." + "a1B2" * 6,
        "AKIA" + "A1B2" * 4,
        "eyJwYXlsb2FkIjoi" + "a1B2" * 9,
        base64.b64encode(b"AWS:eyJwYXlsb2FkIjoi" + b"a1B2" * 9).decode(),
        "eyJ" + "a1B2" * 5 + ".eyJ" + "a1B2" * 5 + "." + "a1B2" * 5,
        "-----BEGIN RSA PRIVATE KEY-----\\nMIIE" + "a1B2" * 5 + "\n",
        "Basic " + base64.b64encode(b"user:a secret of theirs").decode(),
        "Bearer " + "a1B2" * 8,
    ],
    ids=["ghp", "pat", "dckr", "glpat", "vault", "aws", "ecr", "ecr auth", "jwt", "pem", "basic", "bearer"],
)
@pytest.mark.parametrize(
    "before", ["", " ", '"', ":", "\\n", "\n"], ids=["start", "space", "quote", "colon", "n", "nl"]
)
def test_values_that_announce_themselves_are_masked(token: str, before: str, redactor: Redactor) -> None:
    """A vendor's prefix is enough, also right after an escaped line end, even when it was no secret of ours."""
    shown = redactor(f"{before}{token} rest")

    assert token not in shown
    assert "a1B2a1B2" not in shown.replace("A1B2", "a1B2")
    assert MASK in shown
    assert redactor.hits == 1


@pytest.mark.parametrize(
    "text",
    [
        "rotation of ghcr finished in 3.2 s",
        'WWW-Authenticate: Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
        "Basic authentication is required",
        "sha256:9b2cf8e6e4d7f6c1a0b3d5e7f9a1c3e5d7f9b1a3c5e7d9f1b3a5c7e9d1f3a5b7",
        "hvs. and ghp_short are prefixes",
    ],
)
def test_ordinary_lines_are_left_alone(text: str, redactor: Redactor) -> None:
    """A line without a secret is not changed and counts as no hit."""
    assert redactor(text) == text
    assert redactor.hits == 0


def test_a_dead_secret_leaves_the_index(redactor: Redactor) -> None:
    """A value is searched for as long as any secret with it is alive, and no longer."""
    first, second = Secret(CANARY), Secret(CANARY)
    assert redactor(CANARY) == MASK
    del first
    gc.collect()
    assert redactor(CANARY) == MASK
    assert second
    del second
    gc.collect()

    assert redactor(CANARY) == CANARY


def test_a_lone_surrogate_breaks_nothing(redactor: Redactor) -> None:
    """JSON may smuggle half a character in: it is compared, fingerprinted, searched for and masked all the same."""
    value = json.loads('"before\\ud800after"')
    secret = Secret(value)

    assert secret == Secret(value)
    assert len(Fingerprinter(KEY)(secret)) == 16
    assert redactor(f"<{value}>") == f"<{MASK}>"
    assert redactor(json.dumps(value)) == f'"{MASK}"'
    assert redactor("harmless") == "harmless"


def test_lines_are_redacted_while_secrets_come_and_go_in_other_threads(redactor: Redactor) -> None:
    """Many threads make, drop and search for secrets at once; each finds its own."""
    lost: list[str] = []

    def work(number: int) -> None:
        for turn in range(200):
            secret = Secret(f"secret of thread {number} turn {turn}")
            if secret.reveal() in redactor(f"<{secret.reveal()}>"):
                lost.append(secret.reveal())

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert lost == []
    assert redactor.hits == 1600


def test_equal_secrets_have_equal_fingerprints_under_one_key_only() -> None:
    """A fingerprint depends on the value and on the key, and holds nothing of either."""
    ours, theirs = Fingerprinter(KEY), Fingerprinter(b"another key here")

    assert ours(Secret(CANARY)) == ours(Secret(CANARY))
    assert ours(Secret(CANARY)) != ours(Secret(CANARY + "x"))
    assert ours(Secret(CANARY)) != theirs(Secret(CANARY))
    assert len(ours(Secret(CANARY))) == 16


def test_a_short_fingerprint_key_is_refused() -> None:
    """A key that could be guessed is no key."""
    with pytest.raises(ValueError, match="at least 16 bytes"):
        Fingerprinter(b"short")
