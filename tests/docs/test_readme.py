"""What the README shows of `rotator status` is what the command prints."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from rotator.admin.models import CredentialView, DaemonStatus, ExpiryView, TargetView
from rotator.admin.need_models import NeedView
from rotator.cli.status_draw import Standing, draw_all
from rotator.domain.attention import Kind, Severity
from rotator.domain.model import UNKNOWN, Expiry, Stage, Version
from rotator.domain.schedule import RenewalRule, renewal_point

README = Path(__file__).parents[2] / "README.md"
NOW = datetime(2026, 11, 28, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


def seen(
    name: str, health: str, message: str, life: tuple[timedelta, timedelta] | None, placed: tuple[int, int]
) -> CredentialView:
    """Return one credential as the daemon tells of it: how long ago it was issued, and when it ends."""
    issued, end = (NOW - life[0], NOW + life[1]) if life else (NOW - 40 * HOUR, None)
    version = Version(name, 1, Stage.CURRENT, "", "", issued, UNKNOWN if end is None else Expiry(end))
    renewal = renewal_point(version, RenewalRule())
    confirmed, placements = placed
    target = TargetView(
        target="cluster", kind="kubernetes", required=True, confirmed=confirmed, placements=placements, error=""
    )
    return CredentialView.model_validate(
        {
            "name": name,
            "provider": name,
            "registry": f"{name}.example",
            "strategy": "read",
            "health": health,
            "message": message,
            "generation": len(name) * 3,
            "issued_at": issued,
            "expiry": ExpiryView(kind="known" if end else "unknown", at=end),
            "verified_at": NOW,
            "pending_generation": 0,
            "failures": 0,
            "renewal_at": renewal,
            "next_attempt_at": renewal,
            "last_success_at": issued,
            "running": None,
            "last": None,
            "targets": (target,),
        }
    )


def test_the_sample_of_status_is_the_programs_own() -> None:
    """The README shows, line by line, what `rotator status` prints for such credentials."""
    views = [
        seen("ecr-prod", "ok", "in use, and confirmed everywhere", (2 * HOUR, 10 * HOUR), (214, 214)),
        seen("ghcr", "ok", "in use, and confirmed everywhere", (24 * 30 * HOUR, 24 * 60 * HOUR), (216, 216)),
        seen("hub", "failing", "the last attempt failed", None, (3, 3)),
    ]
    console = Console(file=io.StringIO(), width=100, markup=False, highlight=False, emoji=False, color_system=None)
    need = NeedView(
        kind=Kind.FAILING,
        severity=Severity.WARNING,
        credential="hub",
        about="",
        what="hub: the last attempt failed; generation 9 serves: the registry refuses the new token",
        next_step="make a new one at the vendor and put it at its source; it is noticed by itself",
        since=None,
    )
    daemon = DaemonStatus(
        version="1",
        now=NOW,
        ready=True,
        alive=True,
        message="",
        credentials=len(views),
        by_health={},
        running=0,
        need_attention=("hub",),
        needs=(need,),
    )
    console.print(draw_all(Standing(daemon, NOW, views), console))
    drawn = [line.rstrip() for line in console.file.getvalue().splitlines()]  # type: ignore[attr-defined]
    blocks = re.findall(r"^```console\n\$ rotator status\n(.*?)^```$", README.read_text(), re.MULTILINE | re.DOTALL)
    assert [block.splitlines() for block in blocks] == [drawn], "\n".join(drawn)
