"""What a broken source hands over is refused, with a reason and without the value."""

from __future__ import annotations

import base64
import traceback

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.model import Login
from rotator.domain.shape import check_shape
from rotator.errors import ShapeError
from rotator.secret import Secret

CANARY = "c4n4ry-v4lue"
KEY = '{\n  "type": "service_account",\n\t"private_key": "-----BEGIN PRIVATE KEY-----\\nAAAA\\n"\n}'


def encoded(text: str) -> str:
    """Return base64 of ``text``."""
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("username", "secret"),
    [
        ("AWS", encoded("x" * 2000)),
        ("acme", "dckr_pat_" + "a" * 27),
        ("oauth2accesstoken", "ya29." + "c" * 900),
        ("00000000-0000-0000-0000-000000000000", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln"),
        ("robot$acme+ci", "Pässwört with spaces: and {braces} $dollar"),
        ("_json_key", KEY),
        ("_json_key_base64", encoded(KEY)),
        ("acme", "x"),
    ],
    ids=["ecr", "dockerhub", "google", "azure", "robot", "json-key", "json-key-base64", "short"],
)
def test_real_logins_pass(username: str, secret: str) -> None:
    """What registries really issue is accepted."""
    check_shape(Login(username, Secret(secret)))


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        ("", "is empty"),
        ("null", "word for nothing"),
        ("Undefined", "word for nothing"),
        ("<no value>", "template"),
        (f"{CANARY}<no value>", "template"),
        ("${" + CANARY + "}", "template"),
        ("{{ .Values." + CANARY + " }}", "template"),
        (f"{CANARY}\n", "white space"),
        (f" {CANARY}", "white space"),
        (f"{CANARY}\u00a0", "white space"),
        (f"{CANARY}\nx", "control character"),
        (f"{CANARY}\rx", "control character"),
        (f"{CANARY}\0x", "control character"),
        (f"{CANARY}\tx", "control character"),
        (f"\ufeff{CANARY}", "invisible"),
        (f"{CANARY}\u200bx", "invisible"),
        (f"{CANARY}\ud800", "UTF-8"),
        (CANARY * 10000, "at most 65536"),
        ("ü" * 32769, "at most 65536"),
        (f"<!DOCTYPE html><title>{CANARY}</title>", "web page"),
        (f"<html>{CANARY}</html>", "web page"),
        ('{"auths": {"ghcr.io": {"auth": "' + CANARY + '"}}}', "docker configuration"),
        ('{ "auth":"' + CANARY + '"}', "docker configuration"),
        (f"Bearer {CANARY}", "HTTP header"),
        (f"Basic {CANARY}", "HTTP header"),
        ("********", "asterisks"),
        ("Cg==", "base64 of nothing"),
        ("Og==", "base64 of nothing"),
        (encoded("  \n"), "base64 of nothing"),
        (encoded(f"acme:{CANARY}"), "user name and password together"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_broken_secrets_are_refused(secret: str, reason: str) -> None:
    """Each kind of broken secret is refused for its own reason, and the value is nowhere in the error."""
    with pytest.raises(ShapeError) as caught:
        check_shape(Login("acme", Secret(secret)))
    assert reason in str(caught.value)
    text = "".join(traceback.format_exception(caught.value))
    assert CANARY not in text
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("username", "reason"),
    [
        ("", "is empty"),
        (f"{CANARY}:x", "contains ':'"),
        (f"{CANARY}\n", "control character"),
        (f"{CANARY} ", "white space"),
        ("null", "word for nothing"),
        ("{{ " + CANARY + " }}", "template"),
        (CANARY * 100, "longer than 512"),
    ],
    ids=lambda value: repr(value[:24]),
)
def test_broken_user_names_are_refused(username: str, reason: str) -> None:
    """Each kind of broken user name is refused for its own reason, without being repeated."""
    with pytest.raises(ShapeError) as caught:
        check_shape(Login(username, Secret("good")))
    assert reason in str(caught.value)
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "secret",
    ["not json", "[]", "{}", "{" + CANARY, "[" * 50_000, KEY + "\n", KEY.replace("type", "ty\0pe")],
    ids=["text", "array", "empty", "torn", "deep", "line-end", "nul"],
)
def test_a_json_key_must_be_one(secret: str) -> None:
    """The user name that stands for a key document is not accepted with anything else."""
    with pytest.raises(ShapeError) as caught:
        check_shape(Login("_json_key", Secret(secret)))
    assert CANARY not in str(caught.value)
    assert caught.value.__context__ is None


def test_the_limit_is_the_callers() -> None:
    """A registry with shorter secrets may say so."""
    check_shape(Login("acme", Secret("x" * 16)), max_bytes=16)
    with pytest.raises(ShapeError, match="17 bytes; at most 16"):
        check_shape(Login("acme", Secret("x" * 17)), max_bytes=16)


@settings(deadline=None, max_examples=100)
@given(st.text(), st.text())
def test_any_login_is_accepted_or_refused(username: str, secret: str) -> None:
    """Whatever is handed over, nothing but a ShapeError comes out, and what passes can be sent in a header."""
    try:
        check_shape(Login(username, Secret(secret)))
    except ShapeError:
        return
    header = base64.b64encode(f"{username}:{secret}".encode()).decode()
    assert base64.b64decode(header).decode().partition(":") == (username, ":", secret)
