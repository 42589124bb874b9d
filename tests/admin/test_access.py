"""Who is let in: by the kernel's word, by a token, and never by way of a foreign web page."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from rotator.admin.access import (
    Caller,
    Knock,
    Line,
    Refusal,
    Role,
    SocketAccess,
    TokenAccess,
    Tokens,
    forwarded_address,
    host_of,
    read_tokens,
)
from rotator.admin.throttle import MAX_ADDRESSES, MAX_FAILURES, Throttle
from rotator.errors import ConfigError
from rotator.sandbox.clock import ManualClock

TOKEN = "correct-horse-battery-staple"
GOOD = {"host": "127.0.0.1:9181", "authorization": f"Bearer {TOKEN}"}


def _knock(method: str = "GET", address: str = "192.0.2.1", **headers: str) -> Knock:
    return Knock(method, {**GOOD, **{name.replace("_", "-"): value for name, value in headers.items()}}, address)


def _access(clock: ManualClock, host: str = "127.0.0.1") -> TokenAccess:
    return TokenAccess(Tokens([(Line(3), TOKEN)]), host, clock)


def _code(answer: Caller | Refusal) -> str:
    return answer.code if isinstance(answer, Refusal) else "in"


@pytest.mark.parametrize(
    ("uid", "admitted"),
    [
        pytest.param(0, True, id="root"),
        pytest.param(900, True, id="the daemon's own"),
        pytest.param(1000, True, id="configured"),
        pytest.param(1001, False, id="another"),
        pytest.param(None, False, id="nobody said who"),
    ],
)
def test_a_socket_goes_by_user_id(uid: int | None, admitted: bool) -> None:  # noqa: FBT001 (a test parameter)
    """Root, the daemon's own user and the configured ones are let in, nobody else."""
    answer = SocketAccess(900, [1000]).admit(Knock("GET", {"host": "localhost"}, uid=uid))
    assert _code(answer) == ("in" if admitted else "caller_not_allowed")


@pytest.mark.parametrize("host", ["evil.example:9181", "169.254.1.1", ""], ids=["name", "address", "none"])
def test_a_socket_answers_to_local_names_alone(host: str) -> None:
    """A foreign name that was pointed at a forwarded socket is refused, whoever forwards it."""
    answer = SocketAccess(0, []).admit(Knock("GET", {"host": host}, uid=0))
    assert _code(answer) == "wrong_host"


def test_a_token_names_its_line(clock: ManualClock) -> None:
    """A known token lets in, and the caller is called after its line."""
    assert _access(clock).admit(_knock()) == Caller("token 3", "tcp")


@pytest.mark.parametrize(
    ("authorization", "code"),
    [
        pytest.param("", "token_required", id="none"),
        pytest.param("Bearer", "token_required", id="scheme alone"),
        pytest.param(f"Basic {TOKEN}", "token_required", id="another scheme"),
        pytest.param(f"Bearer {TOKEN}x", "token_unknown", id="longer"),
        pytest.param(f"Bearer {TOKEN[:-1]}", "token_unknown", id="shorter"),
        pytest.param("Bearer \xe9\xff", "token_unknown", id="not ASCII"),
        pytest.param(f"bearer   {TOKEN} ", "in", id="case and spaces"),
    ],
)
def test_only_the_token_itself_counts(clock: ManualClock, authorization: str, code: str) -> None:
    """Whatever is not the token of a line is refused."""
    assert _code(_access(clock).admit(_knock(authorization=authorization))) == code


@pytest.mark.parametrize(
    ("listen", "host", "code"),
    [
        pytest.param("127.0.0.1", "evil.example", "wrong_host", id="foreign name"),
        pytest.param("127.0.0.1", "evil.example:9181", "wrong_host", id="foreign name with port"),
        pytest.param("127.0.0.1", "127.0.0.1.evil.example", "wrong_host", id="address as a prefix"),
        pytest.param("127.0.0.1", "", "wrong_host", id="none"),
        pytest.param("127.0.0.1", "192.0.2.9", "wrong_host", id="another address"),
        pytest.param("127.0.0.1", "LOCALHOST:9181", "in", id="localhost"),
        pytest.param("127.0.0.1", "localhost.:9181", "in", id="final dot"),
        pytest.param("[::1]", "[::1]:9181", "in", id="v6"),
        pytest.param("rotator.internal", "rotator.internal", "in", id="the configured name"),
        pytest.param("0.0.0.0", "192.0.2.9:9181", "in", id="any address where all are listened on"),
        pytest.param("0.0.0.0", "evil.example", "wrong_host", id="foreign name where all are listened on"),
        pytest.param("[::]", "[2001:db8::1]:9181", "in", id="any v6 address"),
    ],
)
def test_a_name_must_be_ours(clock: ManualClock, listen: str, host: str, code: str) -> None:
    """A name that a web page could have pointed at us is refused, before the token is looked at."""
    assert _code(_access(clock, listen).admit(_knock(host=host))) == code


@pytest.mark.parametrize(
    ("method", "headers", "code"),
    [
        pytest.param("POST", {"sec_fetch_site": "cross-site"}, "cross_site", id="cross-site"),
        pytest.param("POST", {"sec_fetch_site": "same-site"}, "cross_site", id="same site, other origin"),
        pytest.param("POST", {"origin": "https://evil.example"}, "cross_site", id="foreign origin"),
        pytest.param("POST", {"origin": "null"}, "cross_site", id="opaque origin"),
        pytest.param("POST", {"origin": "http://["}, "cross_site", id="broken origin"),
        pytest.param("POST", {"origin": "http://127.0.0.1:9181", "sec_fetch_site": "same-origin"}, "in", id="own page"),
        pytest.param("POST", {"sec_fetch_site": "none"}, "in", id="typed by a person"),
        pytest.param("POST", {}, "in", id="no browser"),
        pytest.param("GET", {"sec_fetch_site": "cross-site"}, "in", id="reading, with the token"),
    ],
)
def test_a_foreign_page_changes_nothing(clock: ManualClock, method: str, headers: dict[str, str], code: str) -> None:
    """A request that changes something is refused when a browser says that another site sent it."""
    assert _code(_access(clock).admit(_knock(method, **headers))) == code


def test_guessing_is_slowed_down(clock: ManualClock) -> None:
    """SR-17: a thousand wrong tokens: after ten an address is not listened to for a minute; another one is."""
    access = _access(clock)
    codes = [_code(access.admit(_knock(authorization=f"Bearer wrong-{number}"))) for number in range(1000)]
    assert codes == ["token_unknown"] * (MAX_FAILURES + 1) + ["too_many_failures"] * (999 - MAX_FAILURES)
    refusal = access.admit(_knock())
    assert isinstance(refusal, Refusal)
    assert 0 < refusal.retry_after <= 60
    assert _code(access.admit(_knock(address="192.0.2.2"))) == "in"


def test_a_minute_later_it_is_listened_to_again(clock: ManualClock) -> None:
    """The throttle forgets after its window."""
    access = _access(clock)
    for _ in range(MAX_FAILURES + 1):
        access.admit(_knock(authorization="Bearer wrong"))
    clock.advance(timedelta(seconds=61))
    assert _code(access.admit(_knock())) == "in"


def test_a_proxy_speaks_for_the_last_address(clock: ManualClock) -> None:
    """SR-17: behind a proxy a wrong token counts against the last forwarded address; what the client wrote does not."""
    access = TokenAccess(Tokens([(Line(3), TOKEN)]), "127.0.0.1", clock, address_of=forwarded_address)
    for number in range(MAX_FAILURES + 1):
        forwarded = f"192.0.2.{number}, 198.51.100.7"
        access.admit(_knock(authorization="Bearer wrong", x_forwarded_for=forwarded))
    assert _code(access.admit(_knock(x_forwarded_for="203.0.113.1, 198.51.100.7"))) == "too_many_failures"
    assert _code(access.admit(_knock(x_forwarded_for="198.51.100.8"))) == "in"
    assert _code(access.admit(_knock(x_forwarded_for="nobody"))) == "in"


def test_configured_names_are_ours(clock: ManualClock) -> None:
    """SR-16: a name that the configuration adds is answered to, another still is not."""
    access = TokenAccess(Tokens([(Line(3), TOKEN)]), "127.0.0.1", clock, ("rotator.example",))
    hosts = ("rotator.example", "Rotator.Example:443", "evil.example", "rotator.example.evil.example")
    assert [_code(access.admit(_knock(host=host))) for host in hosts] == ["in", "in", "wrong_host", "wrong_host"]


def test_no_token_is_no_guess(clock: ManualClock) -> None:
    """Requests without a token are refused and not counted."""
    access = _access(clock)
    for _ in range(100):
        access.admit(_knock(authorization=""))
    assert _code(access.admit(_knock())) == "in"


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        pytest.param("2001:db8::1", "2001:db8::2", True, id="one v6 network"),
        pytest.param("2001:db8::1", "2001:db8:0:1::1", False, id="two v6 networks"),
        pytest.param("192.0.2.1", "192.0.2.2", False, id="two v4 addresses"),
        pytest.param("fe80::1%eth0", "fe80::2%eth0", True, id="link-local"),
        pytest.param("not an address", "not an address", True, id="no address"),
    ],
)
def test_a_v6_network_counts_as_one(one: str, other: str, shared: bool) -> None:  # noqa: FBT001 (a test parameter)
    """Failures of one v6 /64 are counted together; v4 addresses are counted alone."""
    throttle = Throttle()
    for _ in range(MAX_FAILURES + 1):
        throttle.failed(one, 0.0)
    assert (throttle.wait(other, 1.0) > 0) == shared


def test_the_throttle_is_bounded() -> None:
    """It remembers a bounded number of addresses, the latest ones."""
    throttle = Throttle()
    for number in range(MAX_ADDRESSES + 10):
        for _ in range(MAX_FAILURES + 1):
            throttle.failed(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert throttle.wait("10.0.0.1", 1.0) == 0
    assert throttle.wait("10.0.4.1", 1.0) > 0


def test_tokens_are_not_kept() -> None:
    """The object that knows tokens does not hold one."""
    tokens = Tokens([(Line(1), TOKEN)])
    assert tokens.find(TOKEN) == Line(1)
    assert TOKEN not in repr(vars(tokens))


def _write(path: Path, content: str, mode: int = 0o600) -> Path:
    path.write_text(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize(
    ("content", "mode", "words"),
    [
        pytest.param(f"{TOKEN}\n", 0o640, "may be read by others", id="group may read"),
        pytest.param(f"{TOKEN}\n", 0o604, "may be read by others", id="others may read"),
        pytest.param("", 0o600, "has no token", id="empty"),
        pytest.param("# only this\n\n", 0o600, "has no token", id="comment"),
        pytest.param(f"{TOKEN}\ncanary-short\n", 0o600, ":2: the token is shorter", id="short"),
        pytest.param(f"{TOKEN}\n" * 101, 0o600, "more than 100", id="too many"),
    ],
)
def test_a_bad_tokens_file_is_refused(tmp_path: Path, content: str, mode: int, words: str) -> None:
    """A tokens file that is not private, or has no good tokens, is refused without repeating one."""
    with pytest.raises(ConfigError) as caught:
        read_tokens(_write(tmp_path / "tokens", content, mode))
    assert words in str(caught.value)
    assert "admin.tokens_file" in str(caught.value)
    assert "canary" not in str(caught.value)


def test_a_missing_tokens_file_is_refused(tmp_path: Path) -> None:
    """A tokens file that is not there is a mistake in the configuration."""
    with pytest.raises(ConfigError, match="cannot be read"):
        read_tokens(tmp_path / "absent")


def test_a_good_tokens_file_is_read(tmp_path: Path) -> None:
    """Comments and empty lines are passed over; each token is known by its line."""
    tokens = read_tokens(_write(tmp_path / "tokens", f"# first\n\n  {TOKEN}  \n"))
    assert (tokens.find(TOKEN), tokens.find("# first"), tokens.find("")) == (Line(3), None, None)


@pytest.mark.parametrize(
    ("authority", "host"),
    [("A.example:1", "a.example"), ("[::1]:1", "::1"), ("[::1]", "::1"), ("[", ""), ("", ""), (":80", "")],
    ids=["name", "v6 with port", "v6", "broken", "empty", "port alone"],
)
def test_a_host_is_cut_out(authority: str, host: str) -> None:
    """The host of an authority is found whatever surrounds it."""
    assert host_of(authority) == host


def test_this_test_run_is_a_known_user() -> None:
    """The own user is always let in, so that the daemon's owner is never locked out."""
    assert _code(SocketAccess(os.geteuid(), []).admit(Knock("GET", {"host": "localhost"}, uid=os.geteuid()))) == "in"


def test_each_line_may_name_a_role(tmp_path: Path) -> None:
    """After a token comes the role of whoever shows it; without one it is operator."""
    lines = [
        f"{TOKEN}-{number}{role}" for number, role in enumerate(["", " viewer", " operator", " admin", "  Admin "])
    ]
    tokens = read_tokens(_write(tmp_path / "tokens", "\n".join(lines)))

    roles = [found.role for number in range(5) if (found := tokens.find(f"{TOKEN}-{number}"))]

    assert roles == [Role.OPERATOR, Role.VIEWER, Role.OPERATOR, Role.ADMIN, Role.ADMIN]


def test_a_role_that_is_none_is_refused(tmp_path: Path) -> None:
    """A word that is no role is refused with its line and the roles there are; the token is not repeated."""
    with pytest.raises(ConfigError) as raised:
        read_tokens(_write(tmp_path / "tokens", f"{TOKEN} root"))

    assert "tokens:1: after the token and a space comes its role: hook, viewer, operator, admin" in str(raised.value)
    assert TOKEN not in str(raised.value)


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        pytest.param("viewer", "credentials/ghcr/rotations", 403, id="a viewer does not rotate"),
        pytest.param("operator", "credentials/ghcr/rotations", 202, id="an operator rotates"),
        pytest.param("operator", "credentials/ghcr/leaks", 403, id="an operator reports no leak"),
        pytest.param("admin", "credentials/ghcr/leaks", 202, id="an admin reports a leak"),
        pytest.param("viewer", "targets/tago/acknowledgements", 403, id="a viewer acknowledges nothing"),
    ],
)
async def test_a_role_says_what_may_be_asked(served: Any, role: str, path: str, status: int) -> None:
    """What changes something needs its role; the answer names the role that is missing and who lacks it."""
    body = {"generation": 1} if "acknow" in path else {"reason": "a test"}
    async with served.as_role(role) as session, session.post(f"/api/v1/{path}", json=body) as answer:
        told = await answer.json()

    assert answer.status == status, told
    if status == 403:
        assert (told["error"]["code"], "this needs the role" in told["error"]["message"]) == ("role_too_low", True)
