"""Reads rate-limit headers, in every dialect that registries and the gateways before them speak. Pure.

- Docker Hub: ``ratelimit-limit: 100;w=21600``, ``ratelimit-remaining``, ``docker-ratelimit-source``
  (https://docs.docker.com/docker-hub/usage/pulls/)
- ``X-RateLimit-Limit``, ``-Remaining``, ``-Reset`` as a Unix time (docs.github.com, REST API rate limits)
- a JSON answer with ``resources``: GitHub's ``/rate_limit`` and Cloudsmith's ``/rates/limits/``
- draft-ietf-httpapi-ratelimit-headers: -06 (separate fields), -07 (``RateLimit: limit=100, remaining=50, reset=30``),
  and -08 to -11 (``RateLimit: "default";r=50;t=30`` with ``RateLimit-Policy: "default";q=100;w=10``)

All read 2026-11-23. Total: no header makes it raise; what cannot be read is unknown, never zero and never no limit.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.transport.message import parse_retry_after

MAX_CHARS = 1024
"""A longer value is not read."""
MAX_DIGITS = 12
MAX_WAIT_SECONDS = 366 * 86_400
"""A reset further away is not believed."""
UNIX_TIMES = 1_000_000_000
"""A reset of at least this many seconds is a Unix time (2001 or later), a smaller one a wait."""

_KEPT = re.compile(r"(?:x-)?ratelimit(?:-[a-z]+)*|docker-ratelimit-source|(?:x-)?retry-after")
_ITEM = re.compile(r'(?:[^,"]|"[^"]*")+')
_NUMBER = re.compile(rf"[0-9]{{1,{MAX_DIGITS}}}", re.ASCII)
_REQUESTS = "requests"


@dataclass(frozen=True, slots=True)
class _Item:
    """One member of a header's list: ``"default";q=100;w=10``."""

    value: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    def number(self, name: str) -> int | None:
        return _number(self.parameters.get(name, ""))


@dataclass(frozen=True, slots=True)
class _Told:
    """What one dialect told; None for what it did not."""

    limit: int | None = None
    remaining: int | None = None
    window: int | None = None
    reset: int | None = None


def limit_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that `read_headroom` looks at, by lower-case name."""
    return {name.lower(): value for name, value in headers.items() if _KEPT.fullmatch(name.lower())}


def read_headroom(
    headers: Mapping[str, str], now: datetime, *, absent: HeadroomState = HeadroomState.UNKNOWN
) -> Headroom:
    """Return what ``headers`` tell about a limit. Never raises.

    Args:
        headers: Of one answer, by lower-case name; see `limit_headers`.
        now: Wall-clock time, aware.
        absent: What it means that no header speaks of a limit: unlimited only where the vendor says so.
    """
    readable = {name: value for name, value in headers.items() if len(value) <= MAX_CHARS}
    source = _source(readable.get("docker-ratelimit-source", ""))
    told = _structured(readable) or _separate(readable, "ratelimit-") or _separate(readable, "x-ratelimit-")
    reset_at = _reset_at(readable, told, now)
    if told is not None and told.remaining is not None:
        return Headroom(HeadroomState.LIMITED, told.limit, told.remaining, told.window, reset_at, source)
    speaks = any("ratelimit" in name and name != "docker-ratelimit-source" for name in headers)
    return Headroom(HeadroomState.UNKNOWN if speaks else absent, reset_at=reset_at, source=source)


def read_resources(document: object, now: datetime, *, window_seconds: int) -> Headroom:
    """Return what a JSON answer tells: of its resources ``core``, else the one with the least left of it. Never raises.

    Args:
        document: ``{"resources": {"core": {"limit": 5000, "remaining": 4999, "reset": 1372700873}}}``; not trusted.
        now: Wall-clock time, aware.
        window_seconds: What the vendor says that its limits are for, > 0.
    """
    resources = document.get("resources") if isinstance(document, dict) else None
    told = resources if isinstance(resources, dict) else {}
    found = [one for name, one in told.items() if _counts(one) and ("core" not in told or name == "core")]
    chosen = min(found, key=lambda one: _share_left(_Told(one["limit"], one["remaining"])), default=None)
    if chosen is None:
        return Headroom(HeadroomState.UNKNOWN)
    reset = chosen.get("reset")
    reset_at = _instant(reset, now) if _is_count(reset) and reset >= UNIX_TIMES else None
    return Headroom(HeadroomState.LIMITED, chosen["limit"], chosen["remaining"], window_seconds, reset_at)


def _counts(resource: object) -> bool:
    return isinstance(resource, dict) and all(_is_count(resource.get(name)) for name in ("limit", "remaining"))


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**MAX_DIGITS


def _structured(headers: Mapping[str, str]) -> _Told | None:
    """Read the one-field dialects, -07 and later; of several limits the one with the least left of it."""
    items = list(_items(headers.get("ratelimit", "")))
    pairs = dict(item.value.split("=", 1) for item in items if "=" in item.value)
    policies = {item.value: item for item in _items(headers.get("ratelimit-policy", ""))}
    if "remaining" in pairs:
        limit, remaining, reset = (_number(pairs.get(name, "")) for name in ("limit", "remaining", "reset"))
        return _Told(limit, remaining, policies.get(str(limit), _Item("")).number("w") or None, reset)
    told = [_of_policy(item, policies.get(item.value, _Item(""))) for item in items if item.number("r") is not None]
    return min((one for one in told if one is not None), key=_share_left, default=None)


def _of_policy(item: _Item, policy: _Item) -> _Told | None:
    """Return one limit; None when it counts something else than requests."""
    if policy.parameters.get("qu", _REQUESTS).strip('"') != _REQUESTS:
        return None
    return _Told(policy.number("q"), item.number("r"), policy.number("w") or None, item.number("t"))


def _share_left(told: _Told) -> tuple[float, int]:
    remaining = told.remaining or 0
    return (remaining / told.limit if told.limit else 1.0), remaining


def _separate(headers: Mapping[str, str], prefix: str) -> _Told | None:
    """Read the dialects with a field for each number; None when they are not spoken."""
    limits = list(_items(headers.get(f"{prefix}limit", "")))
    remains = list(_items(headers.get(f"{prefix}remaining", "")))
    remaining = _number(remains[0].value) if remains else None
    if remaining is None:
        return None
    limit = _number(limits[0].value) if limits else None
    policies = [one for one in (*limits, *_items(headers.get(f"{prefix}policy", ""))) if _number(one.value) == limit]
    window = next((seconds for one in (remains[0], *policies) if (seconds := one.number("w"))), None)
    return _Told(limit, remaining, window, _number(headers.get(f"{prefix}reset", "")))


def _items(value: str) -> Iterator[_Item]:
    for text in _ITEM.findall(value):
        first, *rest = (part.strip() for part in text.split(";"))
        pairs = (part.partition("=") for part in rest)
        yield _Item(first, {name.strip().lower(): text.strip() for name, equals, text in pairs if equals})


def _number(text: str) -> int | None:
    text = text.strip()
    return int(text) if _NUMBER.fullmatch(text) else None


def _reset_at(headers: Mapping[str, str], told: _Told | None, now: datetime) -> datetime | None:
    """Return when there is more; ``Retry-After`` is the server's plainer word and goes before any reset."""
    for name in ("retry-after", "x-retry-after"):
        wait = parse_retry_after(headers.get(name, ""), now)
        unix = _number(headers.get(name, ""))
        if unix is not None and unix >= UNIX_TIMES:
            return _instant(unix, now)
        if wait is not None:
            return now + wait
    return None if told is None or told.reset is None else _instant(told.reset, now)


def _instant(number: int, now: datetime) -> datetime | None:
    """Return the instant that a wait or a Unix time means; None when it is not within a year from now."""
    seconds = number - int(now.timestamp()) if number >= UNIX_TIMES else number
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        return None
    return datetime.fromtimestamp(number, UTC) if number >= UNIX_TIMES else now + timedelta(seconds=seconds)


def _source(text: str) -> Counted:
    """Return whom it names: Docker Hub writes an address (of IPv6 the first half), or the account's id."""
    if not text.strip():
        return Counted.UNKNOWN
    try:
        ip_address(text.strip().partition("/")[0])
    except ValueError:
        return Counted.ACCOUNT
    return Counted.ADDRESS
