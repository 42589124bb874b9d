"""TLS of the admin listener."""

from __future__ import annotations

import ssl
import stat
from pathlib import Path

from rotator.config.root import AdminConfig
from rotator.errors import ConfigError


def open_tls(config: AdminConfig) -> ssl.SSLContext | None:
    """Return how ``admin.listen`` talks TLS, at least 1.2; None where a proxy before it does.

    Raises:
        ConfigError: There is no certificate and no proxy, or the files cannot be used.
    """
    if config.tls_cert_file is None or config.tls_key_file is None:
        if config.behind_proxy:
            return None
        raise ConfigError(
            ["admin.listen: needs admin.tls_cert_file and admin.tls_key_file, or admin.behind_proxy: true"]
        )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if stat.S_IMODE(Path(config.tls_key_file).stat().st_mode) & 0o007:
            raise ConfigError([f"admin.tls_key_file: {config.tls_key_file} may be read by all; run chmod o= on it"])
        context.load_cert_chain(config.tls_cert_file, config.tls_key_file, password=_no_password)
    except ssl.SSLError as error:
        raise ConfigError(
            [f"admin.tls_cert_file: {config.tls_cert_file} is no certificate of the key in admin.tls_key_file, in PEM"]
        ) from error
    except OSError as error:
        raise ConfigError([f"admin.tls_cert_file: cannot be read with its key ({error.strerror})"]) from error
    return context


def _no_password() -> str:
    """Refuse to ask a terminal: a daemon has none."""
    return ""
