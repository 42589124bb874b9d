"""Which rights of others a secret file may have, by the folder it is in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rotator.config.supervised import forbidden_bits


@pytest.mark.parametrize(
    ("path", "bits"),
    [
        pytest.param("/run/credentials/rotator.service/seal-key", 0o022, id="a credential of systemd"),
        pytest.param("/var/run/secrets/kubernetes.io/serviceaccount/token", 0o022, id="the kubelet's"),
        pytest.param("/etc/rotator/seal-key", 0o077, id="a file of ours"),
        pytest.param("/run/credentials/../seal-key", 0o077, id="only named so"),
        pytest.param("/run/credentials-of-mine/seal-key", 0o077, id="beginning like it"),
    ],
)
def test_only_supervisors_may_let_others_read(path: str, bits: int) -> None:
    """What lies in a supervisor's folder may be readable; nothing may be writable by others."""
    assert forbidden_bits(Path(path)) == bits
