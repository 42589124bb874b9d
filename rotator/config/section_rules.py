"""Rules about the sections that are neither credentials nor targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import parse_qs, urlsplit

from rotator.config.parts import Finding, Parts
from rotator.domain.reference import registry_host

_EVERYWHERE = frozenset({"0.0.0.0", "[::]", "::", "*"})  # noqa: S104 (recognised, not bound)


def _registries_are_hosts(parts: Parts) -> Iterator[Finding]:
    for name in parts.registries:
        try:
            host = registry_host(name)
        except ValueError as error:
            yield ("registries", name), str(error)
            continue
        if host != name:
            yield ("registries", name), f"would match no credential; write {host}"


def _store_url(parts: Parts) -> Iterator[Finding]:
    if parts.store is None:
        return
    finding = _refuse_store_url(parts.store.url)
    if finding:
        yield ("store", "url"), finding
    elif _is_postgresql(parts.store.url) and parts.store.seal_key_file is None:
        yield ("store", "seal_key_file"), "is missing; a PostgreSQL store needs a file with the sealing key"


def _refuse_store_url(url: str) -> str:
    """Return what is wrong with the address of the state; empty when nothing is."""
    try:
        parts = urlsplit(url)
        password = parts.password or "password" in parse_qs(parts.query)
    except ValueError:
        return "is not a URL; write sqlite:////absolute/path or postgresql://user@host/database"
    if parts.scheme not in {"sqlite", "postgresql"}:
        return "has an unknown scheme; write sqlite:////absolute/path or postgresql://user@host/database"
    if password:
        return "holds a password; leave it out and use libpq's own means (PGPASSFILE, ~/.pgpass, peer login)"
    if parts.scheme == "sqlite" and (parts.netloc or not parts.path.startswith("//") or len(parts.path) == len("//")):
        return "is not an absolute path; write sqlite:////absolute/path, with four slashes"
    if parts.scheme == "postgresql" and not parts.path.strip("/"):
        return "names no database; write postgresql://user@host/database"
    return ""


def _is_postgresql(url: str) -> bool:
    return url.startswith("postgresql:")


def _admin_over_tcp_needs_tokens(parts: Parts) -> Iterator[Finding]:
    if parts.admin is not None and parts.admin.listen is not None and parts.admin.tokens_file is None:
        yield ("admin", "listen"), "would let anybody in; add tokens_file, or remove listen and use the socket"


def _admin_over_tcp_needs_tls(parts: Parts) -> Iterator[Finding]:
    admin = parts.admin
    if admin is None:
        return
    pair = {"tls_cert_file": admin.tls_cert_file, "tls_key_file": admin.tls_key_file}
    missing = [key for key, value in pair.items() if value is None]
    if len(missing) == 1:
        yield ("admin", missing[0]), "is missing; a certificate and its key come together"
    elif missing and admin.listen is not None and not admin.behind_proxy:
        advice = "add tls_cert_file and tls_key_file, or behind_proxy: true where only a proxy or a tunnel reaches it"
        yield ("admin", "listen"), f"would show tokens to the network; {advice}"


def _alerts_name_one_credential(parts: Parts) -> Iterator[Finding]:
    hook = parts.admin.alertmanager if parts.admin is not None else None
    for name, alert in hook.alerts.items() if hook is not None else ():
        at = ("admin", "alertmanager", "alerts", name)
        if (alert.credential is None) == (alert.label is None):
            yield at, "must say credential, or the label that names one, and not both"
        elif alert.credential is not None and alert.only is not None:
            yield (*at, "only"), "says nothing beside credential; remove it"
        for key, named in (("credential", (alert.credential,)), ("only", alert.only or ())):
            for one in named:
                if one is not None and one not in parts.credentials:
                    yield (*at, key), f"there is no credential {one}; write the name of one that is configured"


def _ports_differ(parts: Parts) -> Iterator[Finding]:
    if parts.admin is None or parts.metrics is None or parts.admin.listen is None or parts.metrics.listen is None:
        return
    if _collide(parts.admin.listen, parts.metrics.listen):
        yield ("admin", "listen"), "is the address of metrics.listen too; give one of them another port"


def _collide(one: str, other: str) -> bool:
    """Return whether two listeners cannot both exist. Port 0 never collides: the system chooses."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    hosts = {host, other_host}
    return int(port) == int(other_port) != 0 and (len(hosts) == 1 or bool(hosts & _EVERYWHERE))


SECTION_RULES: tuple[Callable[[Parts], Iterator[Finding]], ...] = (
    _registries_are_hosts,
    _store_url,
    _admin_over_tcp_needs_tokens,
    _admin_over_tcp_needs_tls,
    _alerts_name_one_credential,
    _ports_differ,
)
