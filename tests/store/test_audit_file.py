"""The audit's second copy, on real files and a real full disk."""

from __future__ import annotations

import asyncio
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from rotator.disk import Disk
from rotator.domain.audit import AuditRecord
from rotator.domain.events import Audited, AuditFailed, Event
from rotator.engine.audit import AuditTrail, OnFailure
from rotator.errors import StoreError
from rotator.store.audit_file import AuditFile

RECORD = AuditRecord(datetime(2026, 11, 28, tzinfo=UTC), "uid 0", "rotate", "ghcr", "intent", 'a "reason"\nof two')


async def test_each_record_is_one_line_and_stays(tmp_path: Path) -> None:
    """Writing appends; a line's end in a reason forges no line; the file is its owner's alone."""
    path = tmp_path / "audit.jsonl"
    for _ in range(2):
        await AuditFile(path).write([RECORD])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(one["actor"], one["message"]) for one in lines] == [("uid 0", 'a "reason"\nof two')] * 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("kind", ["no directory", "a link", "readable by others", "a directory"])
async def test_a_file_that_is_not_meant_is_refused(tmp_path: Path, kind: str) -> None:
    """A link, a place that others can read or that is no file gets nothing."""
    path = tmp_path / "audit.jsonl"
    other = tmp_path / "other"
    if kind == "no directory":
        path = tmp_path / "missing" / "audit.jsonl"
    elif kind == "a link":
        other.touch(mode=0o600)
        path.symlink_to(other)
    elif kind == "readable by others":
        path.touch()
        path.chmod(0o644)
    else:
        path.mkdir()
    with pytest.raises(StoreError, match="cannot be written"):
        await AuditFile(path).write([RECORD])
    assert not other.exists() or other.read_bytes() == b""


APPEND = """
import asyncio, sys
from datetime import UTC, datetime
from pathlib import Path
from rotator.domain.audit import AuditRecord
from rotator.errors import StoreError
from rotator.store.audit_file import AuditFile
record = AuditRecord(datetime(2026, 11, 28, tzinfo=UTC), "uid 0", "rotate", "ghcr", "intent", "m" * 3000)
try:
    asyncio.run(AuditFile(Path(sys.argv[1])).write([record]))
except StoreError as error:
    print(error)
"""
FULL = """
set -e
mount -t tmpfs -o size=16k none "$1"
"$2" -c "$3" "$1/audit.jsonl"
head -c 1000000 /dev/zero > "$1/filler" 2>/dev/null || true
cp "$1/audit.jsonl" "$1.before"
"$2" -c "$3" "$1/audit.jsonl"
cp "$1/audit.jsonl" "$1.after"
rm "$1/filler"
"$2" -c "$3" "$1/audit.jsonl"
cp "$1/audit.jsonl" "$1.again"
"""


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    """On a disk with room for a part of a record it is refused and taken back whole; with room it goes on."""
    full = tmp_path / "full"
    full.mkdir()
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", FULL, "sh", str(full)]
    result = subprocess.run(
        [*command, sys.executable, APPEND], capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    assert "cannot be written (No space left on device)" in result.stdout
    before, after, again = (full.with_suffix(f".{name}").read_bytes() for name in ("before", "after", "again"))
    assert before == after
    assert len([json.loads(line) for line in again.splitlines()]) == 2


class Full:
    """A copy that has no room."""

    async def write(self, records: Sequence[AuditRecord]) -> None:
        """Refuse."""
        raise StoreError(f"no room for {len(records)}")


@pytest.mark.parametrize("on_failure", ["stop", "continue"])
async def test_what_a_failure_means_is_configured(on_failure: OnFailure) -> None:
    """With `stop` the failure reaches whoever is about to change something; either way it is told."""
    told: list[Event] = []
    trail = AuditTrail(Full(), on_failure, told.append)
    if on_failure == "stop":
        with pytest.raises(StoreError):
            await trail.before([RECORD])
    else:
        await trail.before([RECORD])
    assert told == [AuditFailed("file", 1, "no room for 1")]


async def test_what_was_written_is_told(tmp_path: Path) -> None:
    """Each record that is journalled is counted by its action; nothing is written for none."""
    told: list[Event] = []
    trail = AuditTrail(AuditFile(tmp_path / "audit.jsonl"), "stop", told.append)
    await trail.before([])
    assert not (tmp_path / "audit.jsonl").exists()
    await trail.before([RECORD])
    trail.after([RECORD])
    assert told == [Audited("rotate")]


async def test_a_pipe_that_nobody_reads_is_refused_at_once(tmp_path: Path) -> None:
    """A FIFO in the file's place is no file, whether somebody reads it or not, and nobody waits for a reader."""
    path = tmp_path / "audit.jsonl"
    os.mkfifo(path, 0o600)
    patient = AuditFile(path, seconds=600)
    with pytest.raises(StoreError, match="cannot be written"):
        await patient.write([RECORD])
    reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with pytest.raises(StoreError, match="no plain file"):
            await patient.write([RECORD])
    finally:
        os.close(reader)


@pytest.mark.parametrize("on_failure", ["stop", "continue"])
async def test_a_disk_that_does_not_answer_stops_no_journal(tmp_path: Path, on_failure: OnFailure) -> None:
    """A write that does not end is given up; the next ones are refused at once, until it has ended."""
    path, disk, gate, told = tmp_path / "audit.jsonl", Disk(), threading.Event(), list[Event]()
    trail = AuditTrail(AuditFile(path, disk, 600), on_failure, told.append)
    with pytest.raises(TimeoutError):
        await disk.run(str(path), gate.wait, 0.01)
    for _ in range(2):
        with pytest.raises(StoreError) if on_failure == "stop" else nullcontext():
            await trail.before([RECORD])
    sentence = f"audit file {path} cannot be written (an earlier call has not come back yet)"
    assert [(type(one), str(getattr(one, "message", "")).startswith(sentence)) for one in told] == [
        (AuditFailed, True)
    ] * 2
    gate.set()
    for thread in [one for one in threading.enumerate() if one.name == f"disk {path}"]:
        await asyncio.to_thread(thread.join)
    await trail.before([RECORD])
    assert len(path.read_text().splitlines()) == 1


async def test_a_write_has_a_deadline(tmp_path: Path) -> None:
    """A write that is not over in time is a StoreError that says so."""
    with pytest.raises(StoreError, match=r"cannot be written \(no answer in 0 s\)"):
        await AuditFile(tmp_path / "audit.jsonl", seconds=0).write([RECORD])
