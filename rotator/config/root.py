"""The whole configuration: the sections that are not credentials or targets, and the model that joins all."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SerializeAsAny

from rotator.config.alertmanager import AlertmanagerConfig
from rotator.config.credential import CredentialConfig
from rotator.config.duration import Duration
from rotator.config.notify import Destination
from rotator.config.policy import PolicyConfig
from rotator.config.target import TargetConfig
from rotator.config.vault import VaultConfig

NAME = r"^[a-z0-9]([a-z0-9._-]{0,61}[a-z0-9])?$"
Name = Annotated[str, Field(pattern=NAME)]


def _listen(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:  # noqa: PLR2004
        raise ValueError("write host:port, such as 127.0.0.1:9180")
    return value


def _host(value: str) -> str:
    if not value or not set(value) <= _HOST_LETTERS:
        raise ValueError("write a host name in lower case, without scheme and port, such as rotator.example")
    return value


_HOST_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")
Host = Annotated[str, AfterValidator(_host)]
Listen = Annotated[str, AfterValidator(_listen)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class StoreConfig(_Section):
    """Where the daemon keeps its state."""

    url: str = "sqlite:////var/lib/rotator/rotator.db"
    """``sqlite:////absolute/path`` or ``postgresql://user@host/database`` (password by libpq's own means)."""

    seal_key_file: str | None = None
    """File with the 32-byte key (base64) that seals secrets in the state. None: ``<database>.key`` beside an SQLite
    file, made with mode 0600 on the first run. Required for PostgreSQL."""


class AdminConfig(_Section):
    """How people and scripts reach the running daemon."""

    socket: str = "/run/rotator/admin.sock"
    """UNIX socket, mode 0600; only root and the daemon's own user are let in."""

    allow_uids: tuple[Annotated[int, Field(ge=0)], ...] = ()
    """Further user ids that may use the socket (the socket's mode is then 0666 and the kernel's word decides)."""

    listen: Listen | None = None
    """``host:port`` for the admin API over TCP. None: not offered. Needs ``tokens_file``, and a certificate or
    ``behind_proxy``."""

    tokens_file: str | None = None
    """File, mode 0600, with one bearer token per line, for TCP; after a space the role of whoever shows it: ``viewer``,
    ``operator`` (without a word), ``admin``, or ``hook``, who may call the hooks and nothing else."""

    tls_cert_file: str | None = None
    """PEM file of the certificate for ``listen``, and of what leads from it to its authority. None: no TLS."""

    tls_key_file: str | None = None
    """PEM file of the certificate's key, closed to all but its user and group. Read again at a reload."""

    behind_proxy: bool = False
    """True: only a proxy that ends TLS, or a tunnel, reaches ``listen``. Then it may be plain HTTP, and wrong tokens
    are counted by the last address in ``X-Forwarded-For``, which the proxy must append."""

    hosts: tuple[Host, ...] = ()
    """Names, without ports, that ``listen`` answers to besides its own address, such as the proxy's."""

    alertmanager: AlertmanagerConfig | None = None
    """Which alerts rotate which credential. None: no alert does."""

    page: bool | None = None
    """Whether the status page is served beside the admin API, at ``/``. None: if ``listen`` is set. On the socket a
    browser reaches it through ``ssh -L``."""


class MetricsConfig(_Section):
    """What Prometheus scrapes: ``/metrics``, ``/healthz`` and ``/readyz``, without a login and without secrets."""

    listen: Listen | None = "127.0.0.1:9180"
    """``host:port``. None: not offered."""

    max_series: Annotated[int, Field(ge=10)] = 3000
    """How many series per target may exist; above it the failing ones are kept and the rest is counted."""


class LogConfig(_Section):
    """What the daemon says on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """Of the daemon itself; other libraries never say less than warnings, since some print secrets below that."""

    format: Literal["auto", "json", "console"] = "auto"
    """``json`` one object a line, ``console`` for people; ``auto`` decides by whether a terminal is there."""


class AuditConfig(_Section):
    """A second copy of the audit, beside the one in the state."""

    file: str | None = None
    """File of JSON lines that only grows, mode 0600; its directory exists. None: there is no second copy."""

    on_failure: Literal["stop", "continue"] = "stop"
    """``stop``: a change does not begin while the file cannot be written. ``continue``: it does; a metric tells."""


class RegistryConfig(_Section):
    """How to reach one registry."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for it. None: the system's."""

    insecure: bool = False
    """True speaks plain HTTP to this registry, and to it only. For a certificate of your own use ``ca_file``."""

    proxy: str | None = None
    """Proxy URL. None: a direct connection, whatever the environment says."""

    realm_hosts: tuple[str, ...] = ()
    """Hosts of token servers that this registry may send us to with its credential, besides itself."""


class FilesConfig(_Section):
    """Which files the source ``file`` finds private enough."""

    allow_group_read: bool = False
    """True accepts files that their group may read, as Kubernetes mounts a Secret for a pod with ``fsGroup``."""


class EngineConfig(_Section):
    """How much the daemon does at once, and how often it looks."""

    max_rotations: Annotated[int, Field(ge=1, le=256)] = 16
    """Rotations that run at the same time."""

    max_deliveries: Annotated[int, Field(ge=1, le=1024)] = 64
    """Placements that are written at the same time, over all targets."""

    reconcile_interval: Duration = timedelta(seconds=60)
    """How often everything overdue is looked for, whatever the alarm clock did."""

    resync_interval: Duration = timedelta(minutes=5)
    """How often targets are asked again which placements they have."""

    headroom_interval: Duration = timedelta(minutes=5)
    """How often registries that tell it are asked how many pulls are left. Asking costs no pull; Docker Hub may still
    slow down who asks much more often."""

    image_interval: Duration = timedelta(minutes=15)
    """How often each image is looked at with the version in use, by a manifest HEAD. Where the registry tells a limit,
    seldom enough that these looks stay below a hundredth of it."""

    drift_interval: Duration = timedelta(minutes=15)
    """How often each placement is read to see whether it still holds what was confirmed there. Targets that do not show
    what they hold are not asked."""

    inspect_interval: Duration = timedelta(days=1)
    """How often vendors are asked about the version in use: until when it works, what it may do, whose it is; also
    after a start, and when a new version comes into use. Nothing is made by asking."""

    delivery_retry: Duration = timedelta(minutes=5)
    """Longest pause between two tries at a placement that fails."""


class Config(_Section):
    """One configuration, valid as a whole."""

    version: Literal[1] = 1
    """Version of this format."""

    store: StoreConfig = StoreConfig()
    admin: AdminConfig = AdminConfig()
    metrics: MetricsConfig = MetricsConfig()
    log: LogConfig = LogConfig()
    audit: AuditConfig = AuditConfig()
    engine: EngineConfig = EngineConfig()
    files: FilesConfig = FilesConfig()
    vault: VaultConfig | None = None
    policy: PolicyConfig = PolicyConfig()
    registries: dict[str, RegistryConfig] = {}
    credentials: dict[Name, SerializeAsAny[CredentialConfig]] = {}
    targets: dict[Name, SerializeAsAny[TargetConfig]] = {}
    notifications: dict[Name, Destination] = {}
    """Who is told what needs a person."""
