"""The registry login that Docker Swarm stores with each service.

A service's tasks are started with the login that came with the last ``docker service`` command; once it has expired,
tasks that move to another node cannot pull. An update with the specification exactly as it was read and a new
``X-Registry-Auth`` replaces the login alone: running tasks stay, and so do the image and its digest.

Law of this folder: a specification is sent back as it was read; nothing outside `Manager` speaks to the engine.

Source: moby ``daemon/server/router/swarm/cluster_routes.go`` and ``daemon/cluster/services.go``, swarmkit
``manager/orchestrator/task.go`` (``IsTaskDirty``), the Engine API's reference (read 2026-11-28).
"""

from __future__ import annotations

from rotator.targets.swarm.config import SwarmConfig
from rotator.targets.swarm.target import SwarmTarget

__all__ = ["SwarmConfig", "SwarmTarget"]
