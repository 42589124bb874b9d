"""A kubeconfig is read as kubectl reads it; what we cannot do in it is refused in words."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from rotator.errors import ConfigError
from rotator.targets.kubernetes.kubeconfig import Material, parse_kubeconfig

PATH = Path("/etc/rotator/kube/config")
SECRET = "canary-5d1f0c77ab93"
PEM = base64.b64encode(b"pem").decode()


def kubeconfig(cluster: Any = None, user: Any = None, **top: Any) -> str:
    """Return a kubeconfig with two contexts."""
    return yaml.safe_dump(
        {
            "current-context": "a",
            "contexts": [
                {"name": "a", "context": {"cluster": "c", "user": "u"}},
                {"name": "anonymous", "context": {"cluster": "c"}},
                {"name": "dangling", "context": {"cluster": "none", "user": "u"}},
            ],
            "clusters": [{"name": "c", "cluster": {"server": "https://k8s:6443/"} if cluster is None else cluster}],
            "users": [{"name": "u", "user": {"token": SECRET} if user is None else user}],
            **top,
        }
    )


def test_token() -> None:
    """A token is found, and shown in no representation."""
    context = parse_kubeconfig(kubeconfig(), PATH, None)
    assert (context.server, context.token) == ("https://k8s:6443", SECRET)
    assert SECRET not in repr(context)


def test_named_context() -> None:
    """A context without a user is anonymous."""
    assert parse_kubeconfig(kubeconfig(), PATH, "anonymous").token == ""


def test_files_are_relative_to_the_kubeconfig() -> None:
    """Relative paths start at the folder of the kubeconfig; inline data wins over files."""
    text = kubeconfig(
        {"server": "https://k", "certificate-authority": "ca.pem"},
        {"tokenFile": "t", "client-certificate": "/abs/c", "client-key": "k", "client-key-data": PEM},
    )
    context = parse_kubeconfig(text, PATH, None)
    assert context.authority == Material(path=PATH.parent / "ca.pem")
    assert context.certificate == Material(path=Path("/abs/c"))
    assert (context.key, context.token_file) == (Material(data=b"pem"), PATH.parent / "t")


def test_exec() -> None:
    """A plugin's command with a slash is relative to the kubeconfig; it is told the cluster only when it asks."""
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1beta1",
        "command": "./bin/login",
        "args": ["--id", 7],
        "env": [{"name": "A", "value": "b"}],
        "provideClusterInfo": True,
    }
    spec = parse_kubeconfig(kubeconfig(user={"exec": plugin}), PATH, None).plugin
    assert spec is not None
    assert (spec.command, spec.args, spec.env) == (str(PATH.parent / "bin/login"), ("--id", "7"), {"A": "b"})
    assert spec.cluster == {"server": "https://k8s:6443/"}


V1 = "client.authentication.k8s.io/v1"


@pytest.mark.parametrize(
    ("text", "context", "message"),
    [
        pytest.param("a: [\n", None, r"line 2: not YAML", id="not YAML"),
        pytest.param("", None, "not a kubeconfig", id="empty"),
        pytest.param("- 1", None, "not a kubeconfig", id="a list"),
        pytest.param("kind: Config", None, "no current-context\nWrite `context: NAME`", id="no context"),
        pytest.param(kubeconfig(), "b", "context 'b': no context named 'b'", id="unknown context"),
        pytest.param(kubeconfig(), "dangling", "context 'dangling': no cluster named 'none'", id="no cluster"),
        pytest.param(kubeconfig(users=[]), None, "no user named 'u'", id="no user"),
        pytest.param(kubeconfig(users="x"), None, "no user named 'u'", id="users are no list"),
        pytest.param(kubeconfig({}), None, "no server address", id="no server"),
        pytest.param(kubeconfig({"server": "k8s"}), None, "no server address", id="no URL"),
        pytest.param(
            kubeconfig({"server": "https://k", "certificate-authority-data": "%"}),
            None,
            "certificate-authority-data is not base64",
            id="not base64",
        ),
        pytest.param(
            kubeconfig({"server": "https://k", "tls-server-name": "x"}), None, "tls-server-name not", id="TLS name"
        ),
        pytest.param(kubeconfig(user={"username": "u", "password": SECRET}), None, "username, password", id="basic"),
        pytest.param(kubeconfig(user={"auth-provider": {"name": "gcp"}}), None, "auth-provider", id="legacy"),
        pytest.param(kubeconfig(user={"token": SECRET, "as": "root"}), None, "as not supported", id="impersonation"),
        pytest.param(kubeconfig(user={"exec": {"args": [SECRET]}}), None, "no command", id="no command"),
        pytest.param(kubeconfig(user={"exec": {"command": "x"}}), None, "apiVersion must be", id="no version"),
        pytest.param(
            kubeconfig(user={"exec": {"command": "x", "apiVersion": V1, "interactiveMode": "Always"}}),
            None,
            "needs a person",
            id="interactive",
        ),
        pytest.param(
            kubeconfig(user={"exec": {"command": "x", "apiVersion": V1, "env": {"A": SECRET}}}),
            None,
            "env is a list",
            id="env",
        ),
    ],
)
def test_refused(text: str, context: str | None, message: str) -> None:
    """A mistake is named with file and context, without any secret."""
    with pytest.raises(ConfigError, match=message) as caught:
        parse_kubeconfig(text, PATH, context)
    assert SECRET not in str(caught.value)
    assert str(PATH) in str(caught.value)
