"""Every known answer means what the vendors' documents say, and an unknown one means nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.domain.verdict import Verdict
from rotator.registry.answer import MAX_EXCERPT_CHARS, Answer, Hint, Place, needs_body, read_words
from rotator.registry.challenge import parse
from rotator.registry.classify import classify

ACCEPTED, REJECTED, NO_ACCESS = Verdict.ACCEPTED, Verdict.REJECTED, Verdict.NO_ACCESS
MISSING, CANNOT_TELL = Verdict.MISSING, Verdict.CANNOT_TELL
TOKEN, BASE, MANIFEST = Place.TOKEN, Place.BASE, Place.MANIFEST
INSUFFICIENT = 'Bearer realm="r",error="insufficient_scope"'
INVALID = 'Bearer realm="r",error="invalid_token"'
PAGE = "<html><body>Sign in</body></html>"


def oci(code: str, message: str = "") -> str:
    """Return an OCI error body."""
    return json.dumps({"errors": [{"code": code, "message": message}]})


def answer(place: Place, status: int, scheme: str, body: str = "", **more: Any) -> Answer:
    """Return an answer as the client would make it."""
    words = read_words(body.encode())
    challenges = parse([more.pop("challenge", "")])
    return Answer(
        place, status, scheme, challenges, words.code, words.hint, html=body.startswith("<html"), excerpt=words.excerpt
    )


@pytest.mark.parametrize(
    ("given_answer", "verdict"),
    [
        pytest.param(answer(MANIFEST, 200, "bearer"), ACCEPTED, id="manifest"),
        pytest.param(answer(BASE, 200, "basic"), ACCEPTED, id="base"),
        pytest.param(answer(TOKEN, 200, "basic"), ACCEPTED, id="token"),
        pytest.param(
            answer(TOKEN, 401, "basic", '{"details":"incorrect username or password"}'), REJECTED, id="docker-hub-login"
        ),
        pytest.param(answer(TOKEN, 401, "basic"), REJECTED, id="token-401-without-body"),
        pytest.param(answer(TOKEN, 401, "basic", oci("UNAUTHORIZED", "Access denied")), REJECTED, id="gitlab"),
        pytest.param(answer(TOKEN, 403, "basic", oci("DENIED", "denied")), REJECTED, id="ghcr-token"),
        pytest.param(answer(BASE, 403, "bearer", oci("DENIED", "denied")), REJECTED, id="ghcr-base"),
        pytest.param(answer(MANIFEST, 403, "bearer", oci("DENIED", "denied")), NO_ACCESS, id="denied-manifest"),
        pytest.param(
            answer(MANIFEST, 403, "bearer", oci("DENIED", "permission_denied: read_package")),
            NO_ACCESS,
            id="ghcr",
        ),
        pytest.param(
            answer(TOKEN, 403, "basic", oci("DENIED", "requested access to the resource is denied")),
            NO_ACCESS,
            id="denied-at-token-server",
        ),
        pytest.param(
            answer(BASE, 403, "basic", "Your Authorization Token has expired. Please run login"), REJECTED, id="ecr-old"
        ),
        pytest.param(
            answer(MANIFEST, 403, "basic", oci("DENIED", "Your authorization token has expired. Reauthenticate")),
            REJECTED,
            id="ecr-new",
        ),
        pytest.param(answer(TOKEN, 400, "basic", "Your authorization token has expired."), REJECTED, id="ecr-public"),
        pytest.param(
            answer(MANIFEST, 403, "basic", oci("DENIED", "User: arn:x is not authorized to perform: y")),
            NO_ACCESS,
            id="ecr-not-authorised",
        ),
        pytest.param(
            answer(TOKEN, 403, "basic", oci("DENIED", "Unauthenticated request. Unauthenticated requests do not")),
            REJECTED,
            id="google-unauthenticated",
        ),
        pytest.param(
            answer(MANIFEST, 403, "bearer", oci("DENIED", 'Permission "x" denied on "y" (or it may not exist)')),
            NO_ACCESS,
            id="google-permission",
        ),
        pytest.param(answer(MANIFEST, 401, "bearer", challenge=INSUFFICIENT), NO_ACCESS, id="insufficient-scope"),
        pytest.param(
            answer(MANIFEST, 401, "bearer", oci("UNAUTHORIZED", "visit https://aka.ms/acr/authorization")),
            NO_ACCESS,
            id="acr-with-bearer",
        ),
        pytest.param(answer(MANIFEST, 401, "bearer", challenge=INVALID), CANNOT_TELL, id="invalid-token-again"),
        pytest.param(answer(MANIFEST, 401, "bearer"), CANNOT_TELL, id="bearer-401-without-word"),
        pytest.param(answer(BASE, 401, "basic", challenge='Basic realm="x"'), REJECTED, id="basic-401"),
        pytest.param(answer(BASE, 401, "basic", PAGE, challenge="Basic realm=x"), REJECTED, id="nginx"),
        pytest.param(answer(BASE, 401, "basic", PAGE), CANNOT_TELL, id="page-401-without-challenge"),
        pytest.param(answer(TOKEN, 401, "basic", PAGE), CANNOT_TELL, id="page-401-for-token-server"),
        pytest.param(answer(MANIFEST, 403, "bearer", PAGE), CANNOT_TELL, id="page-403"),
        pytest.param(answer(MANIFEST, 200, "bearer", PAGE), CANNOT_TELL, id="page-200"),
        pytest.param(answer(MANIFEST, 403, "basic"), CANNOT_TELL, id="403-without-word"),
        pytest.param(answer(BASE, 401, "", oci("UNAUTHORIZED")), CANNOT_TELL, id="no-login-shown-401"),
        pytest.param(answer(BASE, 403, "", oci("DENIED", "denied")), CANNOT_TELL, id="no-login-shown-403"),
        pytest.param(
            answer(BASE, 403, "", "authorization token has expired"), CANNOT_TELL, id="no-login-shown-expired"
        ),
        pytest.param(answer(MANIFEST, 404, "bearer", oci("MANIFEST_UNKNOWN", "unknown")), MISSING, id="no-tag"),
        pytest.param(answer(MANIFEST, 404, "basic", oci("NAME_UNKNOWN")), MISSING, id="no-repository"),
        pytest.param(answer(MANIFEST, 404, "bearer", oci("NOT_FOUND", "artifact x not found")), MISSING, id="harbor"),
        pytest.param(answer(MANIFEST, 404, "", oci("MANIFEST_UNKNOWN")), MISSING, id="no-tag-at-open-registry"),
        pytest.param(
            answer(MANIFEST, 404, "bearer", oci("MANIFEST_UNKNOWN", "but accept header does not support it")),
            CANNOT_TELL,
            id="our-accept-header",
        ),
        pytest.param(answer(MANIFEST, 404, "bearer"), CANNOT_TELL, id="404-without-word"),
        pytest.param(answer(BASE, 404, "", oci("NAME_UNKNOWN")), CANNOT_TELL, id="404-at-base"),
        pytest.param(answer(MANIFEST, 429, "bearer", oci("TOOMANYREQUESTS")), CANNOT_TELL, id="429"),
        pytest.param(answer(TOKEN, 429, "basic", oci("DENIED", "denied")), CANNOT_TELL, id="429-with-other-code"),
        pytest.param(
            answer(TOKEN, 403, "basic", "You have exceeded a secondary rate limit"), CANNOT_TELL, id="github-secondary"
        ),
        pytest.param(answer(MANIFEST, 401, "basic", oci("TOOMANYREQUESTS")), CANNOT_TELL, id="slow-down-as-401"),
        pytest.param(
            answer(MANIFEST, 403, "bearer", oci("DENIED", "client with IP '1.2.3.4' is not allowed access")),
            CANNOT_TELL,
            id="acr-firewall",
        ),
        pytest.param(answer(TOKEN, 400, "basic"), CANNOT_TELL, id="400"),
        pytest.param(answer(MANIFEST, 302, "bearer"), CANNOT_TELL, id="redirect"),
        pytest.param(answer(BASE, 407, "basic"), CANNOT_TELL, id="proxy-login"),
        pytest.param(answer(BASE, 451, "basic"), CANNOT_TELL, id="other-4xx"),
    ],
)
def test_answer_means(given_answer: Answer, verdict: Verdict) -> None:
    """Each answer has exactly this verdict, and a sentence that names the status."""
    found, evidence = classify(given_answer)
    assert found is verdict
    assert f"HTTP {given_answer.status}" in evidence


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
@pytest.mark.parametrize("place", list(Place))
@pytest.mark.parametrize("body", ["", PAGE, oci("DENIED", "denied"), "authorization token has expired"], ids=len)
def test_server_errors_never_blame_the_login(place: Place, status: int, body: str) -> None:
    """A 5xx says nothing, whatever its body claims."""
    assert classify(answer(place, status, "basic", body))[0] is CANNOT_TELL


_ANSWERS = st.builds(
    Answer,
    place=st.sampled_from(Place),
    status=st.integers(200, 599),
    scheme=st.sampled_from(["", "basic", "bearer"]),
    challenges=st.sampled_from([(), parse([INSUFFICIENT]), parse([INVALID]), parse(["Basic realm=x"])]),
    code=st.sampled_from(["", "DENIED", "UNAUTHORIZED", "MANIFEST_UNKNOWN", "TOOMANYREQUESTS", "OTHER"]),
    hint=st.none() | st.sampled_from(Hint),
    html=st.booleans(),
    excerpt=st.just("EXCERPT"),
)


@settings(deadline=None, max_examples=100)
@given(_ANSWERS)
def test_verdicts_keep_to_their_statuses(given_answer: Answer) -> None:
    """Only 2xx accepts, only 400, 401 and 403 to a login that was shown reject, only a 404 is missing."""
    verdict, evidence = classify(given_answer)
    if verdict is ACCEPTED:
        assert given_answer.status < 300
        assert not given_answer.html
    if verdict in {REJECTED, NO_ACCESS}:
        assert given_answer.status in {400, 401, 403}
        assert given_answer.scheme
    if verdict is MISSING:
        assert given_answer.status == 404
    assert "EXCERPT" not in evidence


_JSON = st.recursive(
    st.none() | st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300) | _JSON.map(lambda value: json.dumps({"errors": value}).encode()))
def test_any_body_is_read(body: bytes) -> None:
    """No body raises, and what is kept of it is short and printable."""
    words = read_words(body)
    assert len(words.excerpt) <= MAX_EXCERPT_CHARS
    assert words.excerpt.isprintable()
    assert words.code.isascii()


def test_deep_json_is_not_a_code() -> None:
    """A body nested thousands deep reads as no code instead of ending the process."""
    assert read_words(b'{"errors":' + b"[" * 16_000).code == ""
    assert read_words(b"[" * 16_000 + b"]" * 16_000).code == ""


def test_excerpt_is_in_no_repr() -> None:
    """What a server wrote is not in the text form of the answer."""
    assert "hunter2" not in repr(answer(TOKEN, 401, "basic", oci("DENIED", "no hunter2 here")))


@pytest.mark.parametrize(
    ("given_answer", "wanted"),
    [
        pytest.param(answer(MANIFEST, 200, "bearer"), False, id="success"),
        pytest.param(answer(MANIFEST, 401, "bearer", challenge=INSUFFICIENT), False, id="decided"),
        pytest.param(answer(MANIFEST, 401, "basic"), False, id="refused-login"),
        pytest.param(answer(MANIFEST, 401, "bearer"), True, id="bearer-401"),
        pytest.param(answer(MANIFEST, 400, "bearer"), True, id="400"),
        pytest.param(answer(MANIFEST, 403, "basic"), True, id="403"),
        pytest.param(answer(MANIFEST, 404, "bearer"), True, id="404"),
        pytest.param(answer(MANIFEST, 429, "bearer"), False, id="429"),
        pytest.param(answer(MANIFEST, 503, "bearer"), False, id="503"),
    ],
)
def test_get_follows_only_where_it_tells_more(given_answer: Answer, wanted: bool) -> None:  # noqa: FBT001
    """A GET follows a failed HEAD only where its error code decides, never after a success or a lock-out risk."""
    assert needs_body(given_answer) is wanted
