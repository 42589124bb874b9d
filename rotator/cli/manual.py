"""What stands below every command's help: how it ends, and which files and variables it heeds."""

from __future__ import annotations

LOOK = "NO_COLOR and COLUMNS, as everywhere"
ASKS_DAEMON = f"""\
Exit codes: 0 done, 1 failed, 2 wrong usage or no such name, 3 the daemon cannot be reached, 130 ended by Ctrl-C.

Files and environment: /run/rotator/admin.sock, or --socket or ROTATOR_SOCKET; over TCP ROTATOR_URL and
ROTATOR_TOKEN_FILE; {LOOK}."""
ASKS_NO_DAEMON = f"""\
Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 130 ended by Ctrl-C.

Files and environment: /etc/rotator/rotator.yaml, or the file that is named, or ROTATOR_CONFIG; {LOOK}."""

ASKS_SOCKET_ALONE = f"""\
Exit codes: 0 done, 1 failed, 2 wrong usage or no such name, 3 the daemon cannot be reached, 130 ended by Ctrl-C.

Files and environment: /run/rotator/admin.sock, or --socket or ROTATOR_SOCKET, never over TCP; {LOOK}."""
READS_NOTHING = f"""\
Exit codes: 0 done, 2 wrong usage, 130 ended by Ctrl-C.

Files and environment: no file; {LOOK}."""


def manual(examples: str, ending: str) -> str:
    """Return a command's epilog: its examples, then ``ending``, unless it tells of exit codes of its own."""
    if "Exit codes:" in examples:
        ending = ending.partition("\n\n")[2]
    return f"{examples.rstrip()}\n\n{ending}"
