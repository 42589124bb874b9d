"""Secrets of Kubernetes with logins: one per namespace, in the shape that its readers expect.

Law of this folder: Secrets are updated in place, never deleted and made anew; they are never listed or watched;
nothing outside `KubernetesApi` speaks to the API server.
"""

from __future__ import annotations

from rotator.targets.kubernetes.config import KubernetesConfig
from rotator.targets.kubernetes.target import KubernetesTarget

__all__ = ["KubernetesConfig", "KubernetesTarget"]
