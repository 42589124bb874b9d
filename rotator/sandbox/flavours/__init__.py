"""One file per vendor: how its registry answers, each refusal with its source. See `rotator.sandbox.flavour`."""

from __future__ import annotations

from rotator.sandbox.flavour import Flavour
from rotator.sandbox.flavours.acr import ACR
from rotator.sandbox.flavours.dockerhub import DOCKER_HUB
from rotator.sandbox.flavours.ecr import ECR
from rotator.sandbox.flavours.ecr_public import ECR_PUBLIC
from rotator.sandbox.flavours.gar import GAR
from rotator.sandbox.flavours.ghcr import GHCR
from rotator.sandbox.flavours.gitlab import GITLAB
from rotator.sandbox.flavours.harbor import HARBOR
from rotator.sandbox.flavours.quay import QUAY

FLAVOURS: dict[str, Flavour] = {
    flavour.name: flavour for flavour in (ACR, DOCKER_HUB, ECR, ECR_PUBLIC, GAR, GHCR, GITLAB, HARBOR, QUAY)
}
"""Every vendor's, by name."""

__all__ = ["ACR", "DOCKER_HUB", "ECR", "ECR_PUBLIC", "FLAVOURS", "GAR", "GHCR", "GITLAB", "HARBOR", "QUAY"]
