"""kubeconfig files: which server, which authority, which user.

Source: https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ (reference documentation of Kubernetes).
What it can say and we cannot do (impersonation, passwords, legacy auth providers, another TLS name) is refused in
words rather than left out in silence.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from rotator.errors import ConfigError
from rotator.targets.kubernetes.access import decode_pem
from rotator.targets.kubernetes.exec_plugin import API_VERSIONS, ExecSpec

_UNSUPPORTED_USER = ("username", "password", "auth-provider", "as", "as-uid", "as-groups", "as-user-extra")
_UNSUPPORTED_CLUSTER = ("tls-server-name",)


@dataclass(frozen=True, slots=True)
class Material:
    """PEM text or a file that holds it.

    Args:
        data: The text itself; empty when it is in a file. May be secret.
        path: The file; None when the text is here.
    """

    data: bytes = field(default=b"", repr=False)
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class KubeconfigContext:
    """One context of a kubeconfig file, resolved.

    Args:
        words: File and context, for messages.
        server: Base URL without a slash at the end.
        proxy: Proxy URL; None for none.
        authority: The only authority trusted; None for the system's.
        insecure: Whether the file says ``insecure-skip-tls-verify``.
        token: Bearer token; empty for none. Secret.
        token_file: File with the token, read again when it changes; wins over ``token``.
        certificate: Client certificate; None for none.
        key: Its key; None for none. Secret.
        plugin: Exec plugin; None for none.
    """

    words: str
    server: str
    proxy: str | None = None
    authority: Material | None = None
    insecure: bool = False
    token: str = field(default="", repr=False)
    token_file: Path | None = None
    certificate: Material | None = None
    key: Material | None = None
    plugin: ExecSpec | None = None


def parse_kubeconfig(text: str, path: Path, context: str | None) -> KubeconfigContext:
    """Return one context of a kubeconfig.

    Args:
        text: Content of the file. Secret.
        path: Where it is from, for messages and relative paths.
        context: Name of the context; None for ``current-context``.

    Raises:
        ConfigError: Names the file, the context and what is wrong; never a value that may be secret.
    """
    document = _document(text, path)
    name = context or document.get("current-context")
    if not isinstance(name, str) or not name:
        raise ConfigError([f"{path}: no current-context"], hint="Write `context: NAME` for this target")
    words = f"{path}: context {name!r}"
    chosen = _named(document, ("contexts", "context"), name, words)
    cluster = _named(document, ("clusters", "cluster"), chosen.get("cluster"), words)
    user = _named(document, ("users", "user"), chosen.get("user"), words) if chosen.get("user") else {}
    _refuse_unsupported(cluster, _UNSUPPORTED_CLUSTER, f"{words}: cluster")
    _refuse_unsupported(user, _UNSUPPORTED_USER, f"{words}: user")
    server = cluster.get("server")
    if not isinstance(server, str) or "://" not in server:
        raise ConfigError([f"{words}: the cluster has no server address"])
    return KubeconfigContext(
        words=words,
        server=server.rstrip("/"),
        proxy=cluster.get("proxy-url") or None,
        authority=_material(cluster, "certificate-authority", path, words),
        insecure=cluster.get("insecure-skip-tls-verify") is True,
        token=str(user.get("token") or ""),
        token_file=_path(user.get("tokenFile"), path),
        certificate=_material(user, "client-certificate", path, words),
        key=_material(user, "client-key", path, words),
        plugin=_plugin(user.get("exec"), cluster, path, words),
    )


def _document(text: str, path: Path) -> Mapping[str, Any]:
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        problem = f"line {mark.line + 1}: not YAML" if mark else "not YAML"
    else:
        if isinstance(document, dict):
            return document
        problem = "not a kubeconfig"
    raise ConfigError([f"{path}: {problem}"])


def _named(document: Mapping[str, Any], keys: tuple[str, str], name: object, words: str) -> Mapping[str, Any]:
    plural, singular = keys
    items = document.get(plural)
    for item in items if isinstance(items, list) else ():
        if isinstance(item, dict) and item.get("name") == name and isinstance(item.get(singular), dict):
            found: Mapping[str, Any] = item[singular]
            return found
    raise ConfigError([f"{words}: no {singular} named {name!r} in the file"])


def _refuse_unsupported(section: Mapping[str, Any], keys: tuple[str, ...], words: str) -> None:
    found = [key for key in keys if section.get(key)]
    if found:
        raise ConfigError(
            [f"{words}: {', '.join(found)} not supported"], hint="Use a token, a client certificate or an exec plugin"
        )


def _material(section: Mapping[str, Any], key: str, path: Path, words: str) -> Material | None:
    inline = section.get(f"{key}-data")
    if inline:
        return Material(data=decode_pem(str(inline), f"{words}: {key}-data"))
    file = _path(section.get(key), path)
    return Material(path=file) if file else None


def _path(value: object, kubeconfig: Path) -> Path | None:
    return kubeconfig.parent / str(value) if value else None


def _plugin(section: object, cluster: Mapping[str, Any], path: Path, words: str) -> ExecSpec | None:
    if section is None:
        return None
    if not isinstance(section, dict) or not isinstance(section.get("command"), str):
        raise ConfigError([f"{words}: exec has no command"])
    if section.get("apiVersion") not in API_VERSIONS:
        raise ConfigError([f"{words}: exec: apiVersion must be one of {', '.join(API_VERSIONS)}"])
    if section.get("interactiveMode") == "Always":
        raise ConfigError([f"{words}: exec: interactiveMode Always needs a person"])
    command = section["command"]
    return ExecSpec(
        words=words,
        command=str(path.parent / command) if "/" in command else command,
        args=tuple(str(argument) for argument in section.get("args") or ()),
        env=_variables(section.get("env"), words),
        api_version=section["apiVersion"],
        cluster=_cluster_info(cluster) if section.get("provideClusterInfo") is True else None,
    )


def _variables(items: object, words: str) -> dict[str, str]:
    if items is None:
        return {}
    if not isinstance(items, list) or not all(isinstance(item, dict) and "name" in item for item in items):
        raise ConfigError([f"{words}: exec: env is a list of name and value"])
    return {str(item["name"]): str(item.get("value", "")) for item in items}


def _cluster_info(cluster: Mapping[str, Any]) -> Mapping[str, Any]:
    keys = ("server", "certificate-authority-data", "insecure-skip-tls-verify", "proxy-url")
    return {key: cluster[key] for key in keys if key in cluster}
