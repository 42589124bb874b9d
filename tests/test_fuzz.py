"""Readers of what others write: no input of 100,000 makes one fail, hang, or say what it must not.

Inputs are made from the grammar and then mutated, by a seeded generator: the same ones each time in `make test`, which
takes a share of them, and all of them in `make soak`. Each reader is given the same work by one function here.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from rotator.domain import reference
from rotator.domain.headroom import HeadroomState
from rotator.providers.expiry import jwt_expiry, parse_instant
from rotator.registry import challenge
from rotator.registry.answer import MAX_EXCERPT_CHARS, Words, read_words
from rotator.registry.ratelimit import MAX_WAIT_SECONDS, limit_headers, read_headroom
from rotator.registry.realm import Realm, pin_realm
from rotator.transport.message import MAX_RETRY_AFTER, parse_retry_after

SHARE, WHOLE = 1_500, 100_000
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
JUNK = "\x00\t\n\r \x7f\u00a0\u00e9\u0130\u0661\u2028\u3002\uff0e\U0001f600\"'\\,;:=/@#%?&[](){}<>|^`~$!*+-._"
WORDS = ("localhost", "docker.io", "index.docker.io", "a", "library", "sha256", "latest", "Bearer", "realm", "0", "-1")

Dice = random.Random
Make = Callable[[Dice], str]
Check = Callable[[str, Dice], None]


def pick(dice: Dice, *parts: str | Make) -> str:
    """Return one of ``parts``, made where it is a recipe."""
    part = dice.choice(parts)
    return part if isinstance(part, str) else part(dice)


def some(dice: Dice, alphabet: str, least: int, most: int) -> str:
    """Return a text over ``alphabet`` of ``least`` to ``most`` characters."""
    return "".join(dice.choices(alphabet, k=dice.randint(least, most)))


def mutated(dice: Dice, text: str) -> str:
    """Return ``text``, two times in three with up to four edits: cut, doubled, swapped, or with junk in it."""
    for _ in range(dice.choice((0, 0, 1, 1, 2, 4))):
        at, to = sorted((dice.randint(0, len(text)), dice.randint(0, len(text))))
        edit = dice.randint(0, 5)
        if edit == 0:
            text = text[:at] + text[to:]
        elif edit == 1:
            text = text[:at] + text[at:to] * dice.choice((2, 2, 3, 50)) + text[to:]
        elif edit == 2:
            text = text[:at] + dice.choice(JUNK) + text[at:]
        elif edit == 3:
            text = text[:at] + dice.choice(WORDS) + text[to:]
        elif edit == 4:
            text = text[at:to].swapcase() + text[:at] + text[to:]
        else:
            text = text[:at] + chr(dice.randint(0, 0x2FFF)) + text[at:]
    return text[:20_000]


HEX, LOWER = "0123456789abcdef", "abcdefghijklmnopqrstuvwxyz0123456789"


def a_reference(dice: Dice) -> str:
    """Return an image reference by the grammar."""
    host = pick(dice, "", "docker.io/", "localhost/", "localhost:5000/", "[::1]:5000/", "GHCR.io/", a_host)
    path = "/".join(some(dice, LOWER, 1, 9) for _ in range(dice.randint(1, 4)))
    path = path.replace("m", pick(dice, ".", "_", "__", "-", "---", "m"), 1).strip("._-") or "a"
    tag = pick(dice, "", ":latest", ":1.4.2", ":" + "v" * 128, ":" + "v" * 129)
    digest = pick(dice, "", "", f"@sha256:{some(dice, HEX, 64, 64)}", f"@sha512:{some(dice, HEX, 127, 129)}")
    return host + path + tag + digest


def a_host(dice: Dice) -> str:
    """Return a registry's host, with the slash."""
    return f"{some(dice, LOWER, 1, 8)}.example{pick(dice, '', ':5000', ':99999')}/"


def check_reference(text: str, _dice: Dice) -> None:
    """A reference is refused, or read so that writing it and reading it again changes nothing."""
    with suppress(ValueError):
        reference.registry_host(text)
    try:
        found = reference.parse(text)
    except ValueError:
        return
    for form in (str(found), found.familiar):
        again = reference.parse(form)
        assert (again.domain, again.path, again.pull) == (found.domain, found.path, found.pull), form
    assert len(found.path) <= reference.MAX_PATH_CHARS
    assert found.path.isascii()
    assert not set(found.path + found.pull) & set(" \t\r\n\x00?#%@\\"), text


VALUES = (
    '"https://registry.example/token"',
    '"https://a.example/"',
    '"x,y=\\"z\\""',
    "bare",
    '""',
    '"repository:a/b:pull"',
)


def a_challenge(dice: Dice) -> str:
    """Return a header with up to four challenges."""
    found = []
    for _ in range(dice.randint(1, 4)):
        names = dice.sample(("realm", "service", "scope", "error", "Realm", "charset"), dice.randint(0, 4))
        values = (pick(dice, *VALUES) for _ in names)
        pairs = ",".join(f"{name}{pick(dice, '=', ' = ')}{value}" for name, value in zip(names, values, strict=True))
        found.append(f"{pick(dice, 'Bearer', 'Basic', 'bearer', 'Negotiate', 'Digest')} {pairs}")
    return ", ".join(found)


def check_challenge(text: str, dice: Dice) -> None:
    """What can be read of a header is bounded, is its own, and is read again when it is written."""
    found = challenge.parse([text, mutated(dice, text)])
    assert len(found) <= challenge.MAX_CHALLENGES
    for one in found:
        assert one.scheme == one.scheme.lower() != ""
        if any(one.parameters) or one.token68:
            assert challenge.find(challenge.parse([challenge.render(one)]), one.scheme) is not None
    bearer = challenge.find(found, "bearer")
    pinned = pin_realm("registry.example", bearer.get("realm") if bearer else text, insecure=False)
    if isinstance(pinned, Realm):
        assert (pinned.scheme, pinned.host) == ("https", "registry.example")
        assert pinned.url.isascii()
        assert pinned.url.isprintable()


def a_number(dice: Dice) -> str:
    """Return what stands where a number should."""
    return pick(dice, "0", "100", "-1", "1.5", "1e9", "9" * 40, "\u0661\u0662", "", "21600", "1790000000", "NaN")


def a_limit(dice: Dice) -> str:
    """Return rate-limit headers in some dialect, one a line."""
    n = a_number
    return pick(
        dice,
        f"ratelimit-limit: {n(dice)};w={n(dice)}\nratelimit-remaining: {n(dice)};w={n(dice)}\n"
        f"docker-ratelimit-source: {pick(dice, '192.0.2.1', '2001:db8::/64', '6ed4e0ad-9c4c', '')}",
        f"X-RateLimit-Limit: {n(dice)}\nX-RateLimit-Remaining: {n(dice)}\nX-RateLimit-Reset: {n(dice)}",
        f"RateLimit: limit={n(dice)}, remaining={n(dice)}, reset={n(dice)}",
        f'RateLimit-Policy: "a";q={n(dice)};w={n(dice)}, "b";q={n(dice)};qu="content-bytes"\n'
        f'RateLimit: "a";r={n(dice)};t={n(dice)}, "b";r={n(dice)}',
        f"RateLimit-Limit: {n(dice)}, {n(dice)};w={n(dice)}\nRateLimit-Remaining: {n(dice)}\nRetry-After: {n(dice)}",
    )


def headers_of(text: str) -> Mapping[str, str]:
    """Return the lines of ``text`` as headers."""
    pairs = (line.partition(":") for line in text.split("\n"))
    return {name.strip(): value.strip() for name, _, value in pairs}


def check_limit(text: str, _dice: Dice) -> None:
    """A limit is whole numbers that are not negative, a reset is ahead and believable, and no number is made up."""
    kept = limit_headers(headers_of(text))
    for absent in (HeadroomState.UNKNOWN, HeadroomState.UNLIMITED):
        found = read_headroom(kept, NOW, absent=absent)
        numbers = (found.limit, found.remaining, found.window_seconds)
        assert all(number is None or number >= 0 for number in numbers)
        assert found.state is not HeadroomState.LIMITED or found.remaining is not None
        assert found.reset_at is None or NOW <= found.reset_at <= NOW + timedelta(seconds=MAX_WAIT_SECONDS)
        if not any(character.isdigit() for character in "".join(kept.values())):
            assert numbers == (None, None, None)


def a_wait(dice: Dice) -> str:
    """Return a Retry-After."""
    return pick(
        dice,
        a_number,
        "Fri, 31 Dec 9999 23:59:59 GMT",
        "Tuesday, 24-Nov-26 08:00:00 GMT",
        "Tue Nov 24 08:00:00 2026",
        "Mon, 23 Nov 2026 12:00:30 +0000",
        "Mon, 23 Nov 2026 12:00:30 -9999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "Mon, 99 Foo 0000 99:99:99 XYZ",
    )


def check_wait(text: str, _dice: Dice) -> None:
    """A wait is ahead and at most a day, or none."""
    found = parse_retry_after(text, NOW)
    assert found is None or timedelta(0) < found <= MAX_RETRY_AFTER


def an_instant(dice: Dice) -> str:
    """Return when a token expires, as vendors write it."""
    date = f"{dice.randint(0, 9999):04}-{dice.randint(0, 14):02}-{dice.randint(0, 33):02}"
    clock = f"{dice.randint(0, 25):02}:{dice.randint(0, 61):02}:{dice.randint(0, 61):02}"
    zone = pick(dice, "UTC", "Z", "-0500", "+0100", "+05:30", "-14:00", "+9999", "PST", "")
    return pick(dice, date, f"{date} {clock} {zone}", f"{date}T{clock}{zone}", f"{date}T{clock}.123456789{zone}")


def check_instant(text: str, dice: Dice) -> None:
    """An expiry is an instant in UTC or unknown; no text means never, and a token's own word is bounded too."""
    found = parse_instant(text)
    assert found is None or found.utcoffset() == timedelta(0)
    payload = pick(dice, text, "eyJleHAiOjF9", "eyJleHAiOjFlOTk5fQ", some(dice, LOWER, 0, 40))
    assert not jwt_expiry(f"{some(dice, LOWER, 0, 9)}.{payload}.x").never


def a_body(dice: Dice) -> str:
    """Return an error body."""
    deep = dice.choice((1, 5, 2_000))
    return pick(
        dice,
        '{"errors":[{"code":"DENIED","message":"denied: denied"}]}',
        '{"details":"incorrect username or password"}',
        '{"errors":[{"code":7,"message":[]}]}',
        '{"errors":{"0":{"code":"DENIED"}}}',
        "[" * deep + "]" * deep,
        '{"errors":' * deep,
        "Your Authorization Token has expired. Please run 'aws ecr get-login'",
        "<html>toomanyrequests</html>",
        '{"errors":[{"code":"\\ud800","message":"\\u0000\\n"}]}',
    )


def check_body(text: str, dice: Dice) -> None:
    """Of a body a code, known words and a short printable line are kept."""
    raw = text.encode("utf-8", "surrogatepass")
    found = read_words(raw[: dice.randint(0, len(raw))] if dice.random() < 0.2 else raw)
    assert isinstance(found, Words)
    assert len(found.excerpt) <= MAX_EXCERPT_CHARS
    assert not found.excerpt or (found.excerpt.isascii() and found.excerpt.isprintable())
    assert not found.code or (found.code.isascii() and found.code.replace("_", "").isalnum())


READERS: dict[str, tuple[Make, Check]] = {
    "reference": (a_reference, check_reference),
    "challenge": (a_challenge, check_challenge),
    "rate-limit": (a_limit, check_limit),
    "retry-after": (a_wait, check_wait),
    "expiry": (an_instant, check_instant),
    "error-body": (a_body, check_body),
}


def run(name: str, count: int) -> set[str]:
    """Give ``count`` inputs to a reader; return how many different ones there were."""
    make, check = READERS[name]
    seen: set[str] = set()
    for seed in range(count):
        dice = Dice(f"{name}-{seed}")
        text = mutated(dice, make(dice))
        seen.add(text)
        try:
            check(text, dice)
        except Exception as error:
            error.add_note(f"input {seed} of {name}: {text[:500]!r}")
            raise
    return seen


@pytest.mark.parametrize("name", READERS)
def test_readers_are_total(name: str) -> None:
    """No input of a share of all makes the reader fail or say what it must not."""
    assert len(run(name, SHARE)) > SHARE // 4


@pytest.mark.soak
@pytest.mark.parametrize("name", READERS)
def test_readers_are_total_for_all(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """No input of 100,000 makes the reader fail or say what it must not."""
    started = time.thread_time()
    different = len(run(name, WHOLE))
    seconds = time.thread_time() - started
    with capsys.disabled():
        print(f"\n{name}: {WHOLE} inputs, {different} of them different, {seconds:.1f} s of processor time")
