"""The parser of WWW-Authenticate reads what servers send and survives the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.registry.challenge import MAX_CHALLENGES, MAX_CHARS, Challenge, find, parse, render

A_AND_B = Challenge("bearer", {"realm": "a", "service": "b"})
SLOW = settings(deadline=None, max_examples=100)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            'Bearer realm="https://auth.docker.io/token",service="registry.docker.io"',
            [Challenge("bearer", {"realm": "https://auth.docker.io/token", "service": "registry.docker.io"})],
            id="docker-hub",
        ),
        pytest.param(
            'Bearer realm="https://r/t",service="s",scope="repository:a/b:pull,push",error="insufficient_scope"',
            [
                Challenge(
                    "bearer",
                    {
                        "realm": "https://r/t",
                        "service": "s",
                        "scope": "repository:a/b:pull,push",
                        "error": "insufficient_scope",
                    },
                )
            ],
            id="comma-inside-quotes",
        ),
        pytest.param(
            'Basic realm="a", Bearer realm="b",service=c',
            [Challenge("basic", {"realm": "a"}), Challenge("bearer", {"realm": "b", "service": "c"})],
            id="two-in-one-header",
        ),
        pytest.param("Negotiate", [Challenge("negotiate")], id="scheme-alone"),
        pytest.param(
            "Negotiate, NTLM, Basic realm=x",
            [Challenge("negotiate"), Challenge("ntlm"), Challenge("basic", {"realm": "x"})],
            id="schemes-alone-then-parameters",
        ),
        pytest.param("Negotiate YWJj==", [Challenge("negotiate", {}, "YWJj==")], id="token68"),
        pytest.param(
            'Negotiate YWJj , Basic realm="x"',
            [Challenge("negotiate", {}, "YWJj"), Challenge("basic", {"realm": "x"})],
            id="token68-then-another",
        ),
        pytest.param(
            r'Basic realm="say \"hi\" \\ there"', [Challenge("basic", {"realm": 'say "hi" \\ there'})], id="escapes"
        ),
        pytest.param(
            'Bearer realm="",service=""', [Challenge("bearer", {"realm": "", "service": ""})], id="empty-quoted"
        ),
        pytest.param('Bearer service="s",realm=', [Challenge("bearer", {"service": "s", "realm": ""})], id="bare"),
        pytest.param('BEARER REALM="X"', [Challenge("bearer", {"realm": "X"})], id="case-of-names-only"),
        pytest.param('Bearer realm = "a" , service = b', [A_AND_B], id="ws"),
        pytest.param('Bearer realm="a",,, ,service="b"', [A_AND_B], id="commas"),
        pytest.param('Bearer realm="a",realm="b"', [Challenge("bearer", {"realm": "a"})], id="repeated"),
        pytest.param('Bearer service="s",realm="open', [Challenge("bearer", {"service": "s"})], id="unterminated"),
        pytest.param('Bearer realm="', [Challenge("bearer")], id="unterminated-at-once"),
        pytest.param('Bearer realm="a\\', [Challenge("bearer")], id="unterminated-escape"),
        pytest.param('Bearer realm="a"service="b"', [A_AND_B], id="no-comma"),
        pytest.param('realm="a",Bearer realm="b"', [Challenge("bearer", {"realm": "b"})], id="parameter-before-scheme"),
        pytest.param('@@@, Bearer realm="b"', [Challenge("bearer", {"realm": "b"})], id="junk-first"),
        pytest.param("", [], id="empty"),
        pytest.param(" , ,", [], id="separators-only"),
        pytest.param('"quoted"', [], id="quoted-only"),
    ],
)
def test_header_reads_as(header: str, expected: list[Challenge]) -> None:
    """Each header, right or sloppy, gives exactly the challenges that can be read from it."""
    assert parse([header]) == tuple(expected)


def test_several_headers_are_read_in_order() -> None:
    """Challenges of several headers follow each other, and a parameter never crosses from one header to the next."""
    assert parse(["Basic", 'realm="x"', "Bearer service=s"]) == (
        Challenge("basic"),
        Challenge("bearer", {"service": "s"}),
    )


def test_long_header_is_ignored_and_others_are_kept() -> None:
    """A header over the cap gives nothing, and does not hide the next one."""
    long = f'Bearer realm="{"x" * MAX_CHARS}"'
    assert parse([long, "Basic realm=a"]) == (Challenge("basic", {"realm": "a"}),)


def test_challenges_are_capped() -> None:
    """No more than the cap of challenges is returned."""
    assert len(parse(["A," * 100, "B," * 100])) == MAX_CHALLENGES


def test_find_takes_the_first_of_a_scheme() -> None:
    """`find` gives the first challenge of a scheme, and None when it is not offered."""
    challenges = parse(['Basic realm=a, Bearer realm=b, Bearer realm="c"'])
    assert find(challenges, "bearer") == Challenge("bearer", {"realm": "b"})
    assert find(challenges, "digest") is None


@pytest.mark.parametrize(
    "text", ['"' * MAX_CHARS, "a=" * (MAX_CHARS // 2), "a " * (MAX_CHARS // 2), '\\"' * 4000 + '"']
)
def test_hostile_header_is_read_to_its_end(text: str) -> None:
    """A header made to be slow is read; a reader that tries every way to divide it would not come back."""
    found = parse([f'Bearer realm="{text}'[:MAX_CHARS], text[:MAX_CHARS]])
    assert find(found, "bearer") is not None
    assert len(found) <= MAX_CHALLENGES


@SLOW
@given(st.lists(st.text(max_size=200) | st.text(alphabet='Bearer realm="\\,= \t/:', max_size=80), max_size=4))
def test_no_text_raises(values: list[str]) -> None:
    """Whatever the text, parsing ends with challenges whose scheme and names are lower case."""
    for challenge in parse(values):
        assert challenge.scheme == challenge.scheme.lower()
        assert all(name == name.lower() for name in challenge.parameters)


_NAME = st.from_regex(r"[a-z][a-z0-9_-]{0,10}", fullmatch=True)
_CHALLENGE = st.builds(Challenge, _NAME, st.dictionaries(_NAME, st.text(max_size=40), max_size=4)) | st.builds(
    Challenge, _NAME, st.just({}), st.from_regex(r"[A-Za-z0-9+/]{1,20}={0,2}", fullmatch=True)
)


@SLOW
@given(st.lists(_CHALLENGE, min_size=1, max_size=4))
def test_rendered_challenges_read_back(challenges: list[Challenge]) -> None:
    """Whatever was rendered reads back equal, from one header and from several."""
    texts = [render(challenge) for challenge in challenges]
    assert parse(texts) == tuple(challenges)
    assert parse([", ".join(texts)]) == tuple(challenges)
