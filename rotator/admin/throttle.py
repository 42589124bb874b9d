"""`Throttle`: how often somebody may guess. Pure bookkeeping over a monotonic clock."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict, deque

MAX_FAILURES = 10
WINDOW_SECONDS = 60.0
MAX_ADDRESSES = 1024
"""Memory for more is not spent; the address that failed longest ago is forgotten first."""


class Throttle:
    """Counts failures per address; an IPv6 address counts with its whole /64, which one host can fill at will."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[float]] = OrderedDict()

    def wait(self, address: str, now: float) -> float:
        """Return for how many seconds ``address`` is not listened to; 0 when it is.

        Args:
            address: The peer's IP address.
            now: Monotonic seconds.
        """
        failures = self._failures.get(_network(address))
        if failures is None:
            return 0.0
        while failures and failures[0] <= now - WINDOW_SECONDS:
            failures.popleft()
        return failures[0] + WINDOW_SECONDS - now if len(failures) > MAX_FAILURES else 0.0

    def failed(self, address: str, now: float) -> None:
        """Count one failure of ``address``."""
        key = _network(address)
        self._failures.setdefault(key, deque(maxlen=MAX_FAILURES + 1)).append(now)
        self._failures.move_to_end(key)
        while len(self._failures) > MAX_ADDRESSES:
            self._failures.popitem(last=False)


def _network(address: str) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is None:
        return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))
    return str(parsed)
