"""Credentials and targets as the rules of ``policy`` see them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from pydantic import BaseModel

from rotator.config.credential import CredentialConfig
from rotator.config.ref import SecretRef
from rotator.config.root import RegistryConfig
from rotator.config.target import TargetConfig
from rotator.config.walk import walk
from rotator.domain.policy import Destination, Subject


def subject_of(name: str, options: CredentialConfig, registries: Mapping[str, RegistryConfig]) -> Subject:
    """Return a credential as rules see it.

    Args:
        name: Its name.
        options: Its options.
        registries: How registries are reached; an entry for its own may name token servers and a proxy.
    """
    way = registries.get(options.registry)
    others = (*way.realm_hosts, *_addresses(way)) if way is not None else ()
    shown_to = dict.fromkeys((options.registry, *(one.lower() for one in others), *_addresses(options)))
    return Subject(name, _reads(options), tuple(shown_to))


def destination_of(name: str, options: TargetConfig) -> Destination:
    """Return a target as rules see it."""
    files = tuple(f"file:{path}" for path in options.secret_files())
    reads = (*_reads(options), *files)
    return Destination(name, options.type, options.hosts_sent_to(), type(options).has_namespaces, reads)


def _reads(options: BaseModel) -> tuple[str, ...]:
    return tuple(str(value) for _, value in walk(options, ()) if isinstance(value, SecretRef))


def _addresses(options: BaseModel) -> Iterator[str]:
    """Yield ``host[:port]`` of each URL that was written into ``options``; a vendor's own, by default, is not one."""
    usual = {value for one in type(options).model_fields.values() if isinstance(value := one.default, str)}
    for _, value in walk(options, ()):
        if isinstance(value, str) and value not in usual and value.lower().startswith(("http://", "https://")):
            yield urlsplit(value).netloc.lower()
