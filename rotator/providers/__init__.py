"""Providers: one file per vendor, one table line each.

Law of this layer: a provider knows its vendor and nothing of targets, the store or the engine. It may use `registry`.
Blocking SDKs run in the executor that the context hands over, and nowhere else.
"""

from __future__ import annotations

PROVIDERS: dict[str, str] = {
    "acr": "rotator.providers.acr:Acr",
    "acr_token": "rotator.providers.acr_token:AcrToken",
    "custom": "rotator.providers.custom:Custom",
    "digitalocean": "rotator.providers.digitalocean:DigitalOcean",
    "dockerhub": "rotator.providers.dockerhub:DockerHub",
    "dockerhub_token": "rotator.providers.dockerhub_token:DockerHubToken",
    "ecr": "rotator.providers.ecr:Ecr",
    "ecr_public": "rotator.providers.ecr_public:EcrPublic",
    "gar": "rotator.providers.gar:Gar",
    "ghcr": "rotator.providers.ghcr:Ghcr",
    "gitlab": "rotator.providers.gitlab:GitLab",
    "harbor": "rotator.providers.harbor:Harbor",
    "jfrog": "rotator.providers.jfrog:JFrog",
    "jfrog_token": "rotator.providers.jfrog_token:JFrogToken",
    "quay": "rotator.providers.quay:Quay",
}
"""Name in the configuration to ``module:Class``. Loaded on use, so that an SDK nobody configured is never imported.

Each class has a class attribute ``Config``, its options model, and is constructed with ``(config, context)``.
"""
