"""Docker and podman configuration files on other hosts, written over SFTP.

A kind of its own beside ``docker_config``: what a file must hold is decided by the same code (`docker_document`), but a
host is reached, authenticated and trusted; there are no locks, no open directories and no threads; and its placements
are hosts.

Law of this folder: only `remote` knows asyncssh; a host whose key is not known is not talked to.
"""

from __future__ import annotations

from rotator.targets.docker_config_ssh.config import DockerConfigSshConfig
from rotator.targets.docker_config_ssh.target import DockerConfigSshTarget

__all__ = ["DockerConfigSshConfig", "DockerConfigSshTarget"]
