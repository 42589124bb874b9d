"""The ``vault`` section: how the daemon reaches Vault (or OpenBao) and proves who it is."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal, Self
from urllib.parse import SplitResult, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from rotator.config.duration import Duration
from rotator.config.ref import SecretRef

SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 (a path)
"""Where the kubelet puts a pod's own token. Source: https://kubernetes.io/docs/concepts/security/service-accounts
(read 2026-11-23)."""


def _bootstrap(ref: SecretRef) -> SecretRef:
    if ref.source == "vault":
        raise ValueError("what opens Vault cannot itself be in Vault; write {file: PATH} or {env: NAME}")
    return ref


def _split(url: str, example: str) -> SplitResult:
    """Return the parts of an http(s) URL that has a host and nothing secret or superfluous."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise ValueError(f"is not a URL; write {example}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"is not an http or https URL with a host; write {example}")
    if "@" in parts.netloc:
        raise ValueError("holds a user name or password; a secret is never written here")
    if parts.query or parts.fragment:
        raise ValueError(f"has a query or fragment; write {example}")
    return parts


def _address(value: str) -> str:
    parts = _split(value, "https://vault.example:8200")
    path = parts.path.rstrip("/")
    if path == "/v1" or path.endswith("/v1"):
        raise ValueError("ends with /v1; leave that out, it is added to every request")
    return f"{parts.scheme}://{parts.netloc}{path}"


def _proxy(value: str) -> str:
    _split(value, "http://proxy.example:3128")
    return value


def _mount(value: str) -> str:
    segments = value.strip("/").split("/")
    if not value.strip("/") or any(segment in {"", ".", ".."} for segment in segments):
        raise ValueError("is not a mount name; write it without slashes around it, such as approle or team/approle")
    return value.strip("/")


BootstrapRef = Annotated[SecretRef, AfterValidator(_bootstrap)]
"""A reference that can be read before Vault is open: ``file`` or ``env``."""

Mount = Annotated[str, AfterValidator(_mount)]
Text = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[\x21-\x7e]+$")]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TokenAuth(_Section):
    """A token that somebody else made; a Vault agent's sink file, for example. Read again whenever it is refused."""

    method: Literal["token"]
    """Which login this is."""

    token: BootstrapRef
    """Where the token is."""


class AppRoleAuth(_Section):
    """A role-id and a secret-id."""

    method: Literal["approle"]
    """Which login this is."""

    mount: Mount = "approle"
    """Where the method is mounted below ``auth/``; Vault's own default."""

    role_id: BootstrapRef
    """Where the role-id is. Read again at each login."""

    secret_id: BootstrapRef | None = None
    """Where the secret-id is. Read again at each login, so that it may be replaced. None: the role needs none."""


class KubernetesAuth(_Section):
    """The service account of the pod the daemon runs in."""

    method: Literal["kubernetes"]
    """Which login this is."""

    mount: Mount = "kubernetes"
    """Where the method is mounted below ``auth/``; Vault's own default."""

    role: Text
    """Name of the role at Vault."""

    jwt: BootstrapRef = SecretRef(source="file", location=SERVICE_ACCOUNT_TOKEN)
    """Where the service account's token is. Read again at each login; the default is where the kubelet renews it."""


class JwtAuth(_Section):
    """A JWT of any issuer that Vault trusts."""

    method: Literal["jwt"]
    """Which login this is."""

    mount: Mount = "jwt"
    """Where the method is mounted below ``auth/``; Vault's own default."""

    role: Text
    """Name of the role at Vault."""

    jwt: BootstrapRef
    """Where the JWT is. Read again at each login."""


class AwsAuth(_Section):
    """An AWS identity, shown by a signed ``GetCallerIdentity`` request (method ``iam``).

    The request is always signed for the global STS endpoint, so Vault's ``sts_endpoint`` must be left at its default.
    """

    method: Literal["aws"]
    """Which login this is."""

    mount: Mount = "aws"
    """Where the method is mounted below ``auth/``; Vault's own default."""

    role: Text
    """Name of the role at Vault."""

    access_key_id: BootstrapRef | None = None
    """Where the access key id is. None, with the next: AWS's own chain (environment, profile, instance, container)."""

    secret_access_key: BootstrapRef | None = None
    """Where the secret access key is. Written together with the access key id or not at all."""

    session_token: BootstrapRef | None = None
    """Where the session token is. None: the key is not a temporary one."""

    server_id: Text | None = None
    """Value of ``X-Vault-AWS-IAM-Server-ID``, where Vault asks for it. None: it does not."""

    @model_validator(mode="after")
    def _both_halves(self) -> Self:
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("write both access_key_id and secret_access_key, or neither for AWS's own chain")
        if self.session_token is not None and self.access_key_id is None:
            raise ValueError("session_token needs access_key_id and secret_access_key beside it")
        return self


AuthConfig = Annotated[
    TokenAuth | AppRoleAuth | KubernetesAuth | JwtAuth | AwsAuth,
    Field(discriminator="method"),
]


class VaultConfig(_Section):
    """How the daemon reaches one Vault."""

    address: Annotated[str, AfterValidator(_address)]
    """``https://host:port``, without ``/v1``. Redirects are not followed: name the active node or a load balancer."""

    namespace: Text | None = None
    """Namespace (Vault Enterprise, OpenBao). None: the root namespace."""

    ca_file: str | None = None
    """PEM file of the only authorities trusted for Vault. None: the system's."""

    insecure: bool = False
    """True allows plain HTTP. A certificate is verified whatever this says."""

    proxy: Annotated[str, AfterValidator(_proxy)] | None = None
    """Proxy URL. None: a direct connection, whatever the environment says."""

    auth: AuthConfig
    """How to log in."""

    timeout: Duration = timedelta(seconds=10)
    """Longest time for one call from start to end; Vault answers in milliseconds, so ten seconds mean an outage."""

    kv_versions: dict[Mount, Literal[1, 2]] = {}
    """Version of the key-value engine by mount. A mount that is not here is asked once, and taken for version 2 where
    the policy does not let us ask."""

    poll_interval: Duration = timedelta(seconds=30)
    """How often each secret's version is looked at for a change; reads only metadata where the engine has it."""

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if not self.insecure and not self.address.startswith("https://"):
            raise ValueError(
                "address is not https, so secrets would cross the network in the clear; "
                "write https://, or insecure: true if plain HTTP is really meant"
            )
        return self
