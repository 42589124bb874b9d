"""A program, not a test: deliver one login into one file and print what came of it as JSON.

Usage: python deliver_docker_config.py PATH REGISTRY GENERATION PASSWORD_CHARS [INPLACE]
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING, cast

from rotator.domain.model import Entry, Login
from rotator.errors import RotatorError
from rotator.secret import Secret
from rotator.targets.docker_config import DockerConfigConfig, DockerConfigTarget

if TYPE_CHECKING:
    from rotator.targets.context import TargetContext


async def deliver(path: str, registry: str, generation: int, chars: int, *, inplace: bool) -> dict[str, object]:
    """Deliver and describe the outcome."""
    config = DockerConfigConfig(type="docker_config", path=path, inplace=inplace)
    # Importing the outbound client would double the time each of these processes takes; this target has no use for it.
    target = DockerConfigTarget("edge", config, cast("TargetContext", None))
    login = Login("acme", Secret(f"c4n4ry-{generation}".ljust(chars, "x")))
    try:
        held = await target.apply(path, [Entry(registry, registry, login, generation, f"print-{generation}")])
    except RotatorError as error:
        return {"error": type(error).__name__, "message": str(error)}
    return {"changed": held.changed, "held": held.logins.get(registry) == login}


def main() -> None:
    """Read the arguments, deliver, print."""
    path, registry, generation, chars, *rest = sys.argv[1:]
    print(json.dumps(asyncio.run(deliver(path, registry, int(generation), int(chars), inplace=bool(rest)))))


if __name__ == "__main__":
    main()
