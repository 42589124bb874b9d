"""Files whose modes a supervisor decides: the kubelet and systemd hand secrets over in folders of their own. Pure."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

SUPERVISED_FOLDERS = (Path("/var/run/secrets/kubernetes.io"), Path("/run/credentials"))
"""Guarded in other ways: the kubelet gives service account tokens mode 0644 inside the pod, systemd shows a service's
credentials as 0440 where an access list grants them to its user.
Sources: https://kubernetes.io/docs/concepts/storage/projected-volumes and https://systemd.io/CREDENTIALS, both read
2026-11-23."""

OTHERS_RIGHTS = stat.S_IRWXG | stat.S_IRWXO


def forbidden_bits(path: Path, folders: Sequence[Path] = SUPERVISED_FOLDERS) -> int:
    """Return the permission bits that a secret file at ``path`` must not have: those of everybody but its owner.

    Below ``folders`` others may read it, and still not write it.
    """
    plain = Path(os.path.normpath(path))
    if any(plain.is_relative_to(folder) for folder in folders):
        return stat.S_IWGRP | stat.S_IWOTH
    return OTHERS_RIGHTS
