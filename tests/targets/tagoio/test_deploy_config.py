"""The options of a form say what can work, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from rotator.targets.tagoio_deploy import TagoioDeployConfig

FORM = {"type": "tagoio_deploy", "project": "acme-prod", "image": "ghcr.io/acme/service", "image_tag": "v1"}
API = {"token": {"env": "TAGO_TOKEN"}}
BODY = {"auth": ["{username}", "{password}"]}
HTTP = {"api": API, "apply": {"path": "/p/{project}", "body": BODY}}
DELEGATE = {"url": "https://hooks.acme.example/tago", "signing_key": {"env": "KEY"}}


@pytest.mark.parametrize(
    ("image", "tag", "registry"),
    [
        pytest.param("nginx", "1.29", "docker.io", id="short"),
        pytest.param("docker.io/mycompany/myapp", "v1.0.0", "docker.io", id="Docker Hub"),
        pytest.param("ghcr.io/organization/service", "main", "ghcr.io", id="GitHub"),
        pytest.param("myregistry.com:5000/project/app", "latest", "myregistry.com:5000", id="port"),
    ],
)
def test_the_forms_own_examples(image: str, tag: str, registry: str) -> None:
    """Images as TagoIO's page shows them are taken as they are, and their registry is known."""
    config = TagoioDeployConfig.model_validate({**FORM, "image": image, "image_tag": tag})
    assert (config.image, config.reference().registry, config.mode) == (image, registry, "manual")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"image": "ghcr.io/acme/service:v1"}, "has a tag or digest", id="tag in the image"),
        pytest.param({"image": "ghcr.io/Acme/service"}, "lower case", id="upper case"),
        pytest.param({"image": "https://ghcr.io/acme/service"}, "https", id="URL"),
        pytest.param({"image_tag": "-v1"}, "is not a tag", id="tag"),
        pytest.param({"image_tag": ""}, "tag", id="no tag"),
        pytest.param({"image_tag": "v1@sha256:abc"}, "digest", id="digest in the tag"),
        pytest.param({"project": "../other"}, "pattern", id="project"),
        pytest.param({"mode": "http"}, "mode http and the section http go together", id="http without requests"),
        pytest.param({"http": HTTP}, "mode http and the section http go together", id="requests without http"),
        pytest.param({"mode": "delegate"}, "mode delegate and the section", id="delegate without url"),
        pytest.param({"hand_over": "file"}, "hand_over: file and the key file", id="no file"),
        pytest.param({"file": "/tmp/x"}, "hand_over: file and the key file", id="file for nothing"),
        pytest.param({"hand_over": "elsewhere"}, "elsewhere", id="no place"),
        pytest.param({"hand_over": "file", "file": "x"}, "absolute path", id="relative file"),
        pytest.param({"hand_over": "file", "file": "/x/"}, "absolute path", id="folder"),
        pytest.param({"mode": "http", "http": HTTP, "hand_over": "file", "file": "/x"}, "mode manual", id="hand over"),
        pytest.param({"window": "night"}, "is not a window", id="window"),
        pytest.param({"min_interval": "6"}, "unit", id="interval"),
    ],
)
def test_what_cannot_work_is_refused(options: dict[str, Any], reason: str) -> None:
    """Each mistake is found before the daemon starts, and named."""
    with pytest.raises(ValidationError, match=reason):
        TagoioDeployConfig.model_validate({**FORM, **options})


@pytest.mark.parametrize(
    ("http", "reason"),
    [
        pytest.param({"apply": None}, "apply", id="no request"),
        pytest.param({"apply": {"path": "/p", "body": {"u": "{username}"}}}, "where {password} goes", id="no password"),
        pytest.param({"apply": {"path": "/p", "body": {}}}, "{password} and {username}", id="empty body"),
        pytest.param(
            {"apply": {"path": "/p/{password}", "body": BODY}}, "{password} is not known here", id="secret in a path"
        ),
        pytest.param(
            {"apply": {"path": "/p", "body": {**BODY, "x": "{token}"}}}, "{token} is not known", id="unknown name"
        ),
        pytest.param({"apply": {"path": "p", "body": BODY}}, "is not a path", id="relative path"),
        pytest.param({"apply": {"path": "//evil.example", "body": BODY}}, "is not a path", id="another host"),
        pytest.param({"apply": {"path": "/a/../b", "body": BODY}}, "is not a path", id="upwards"),
        pytest.param({"apply": {"path": "/p", "body": BODY, "method": "GET"}}, "PUT", id="method"),
        pytest.param({"read": {"path": "/p", "updated_at": "result"}}, "JSON pointer", id="pointer"),
        pytest.param({"status": {"path": "/p"}}, "state_at", id="no state"),
        pytest.param({"busy_match": "("}, "regular expression", id="pattern"),
        pytest.param({"api": {**API, "url": "http://10.0.0.1"}}, "url must begin with https", id="address"),
    ],
)
def test_requests_that_cannot_work_are_refused(http: dict[str, Any], reason: str) -> None:
    """A request that could not be filled, or would put a secret where it is logged, is refused."""
    with pytest.raises(ValidationError, match=reason.replace("{", r"\{").replace("}", r"\}")):
        TagoioDeployConfig.model_validate({**FORM, "mode": "http", "http": {**HTTP, **http}})


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("hooks.acme.example", id="no scheme"),
        pytest.param("https://u:p@hooks.acme.example", id="password"),
    ],
)
def test_a_delegates_address_is_checked(url: str) -> None:
    """A program's address is a URL without a login."""
    with pytest.raises(ValidationError, match="write scheme"):
        TagoioDeployConfig.model_validate({**FORM, "mode": "delegate", "delegate": {**DELEGATE, "url": url}})
