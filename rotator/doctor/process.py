"""As whom this runs: whether that is more than the daemon needs, where this is run as the daemon's user."""

from __future__ import annotations

import grp
import os
from dataclasses import dataclass
from pathlib import Path

from rotator.doctor.finding import Finding, Level

FAMILY = "process"
DOCKER_SOCKETS = (Path("/run/docker.sock"), Path("/var/run/docker.sock"))


@dataclass(frozen=True, slots=True)
class Identity:
    """As whom a process runs.

    Args:
        uid: Its effective user id.
        groups: The names of its groups, numbers where they have none.
        docker_sockets: Sockets of a docker daemon that it may write to.
    """

    uid: int
    groups: frozenset[str]
    docker_sockets: tuple[str, ...] = ()


def check_process() -> list[Finding]:
    """Return what the user who runs this may do beyond what the daemon needs."""
    groups = frozenset(_group_name(number) for number in {os.getegid(), *os.getgroups()})
    sockets = tuple(str(path) for path in DOCKER_SOCKETS if os.access(path, os.W_OK) and not path.is_symlink())
    return judge_identity(Identity(os.geteuid(), groups, sockets))


def judge_identity(identity: Identity) -> list[Finding]:
    """Decide whether a process may do more than keep credentials fresh."""
    if identity.uid == 0:
        mend = "Give the daemon a user of its own (User= in its unit, runAsNonRoot in a cluster); it needs no root"
        root = Finding(
            FAMILY, "user", Level.WARN, "this runs as root; so does the daemon, where it is started so", mend
        )
        return [root]
    found = [Finding(FAMILY, "user", Level.OK, f"this runs as user id {identity.uid}, which is not root")]
    if identity.docker_sockets or "docker" in identity.groups:
        where = ", ".join(identity.docker_sockets) or "by the group docker"
        mend = "Take the user out of the group docker; writing config.json needs no docker daemon"
        text = f"it may command a docker daemon ({where}), which is as much as root"
        return [*found, Finding(FAMILY, "docker", Level.WARN, text, mend)]
    return [*found, Finding(FAMILY, "docker", Level.OK, "it may command no docker daemon")]


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
