"""What a login may do on its images' repositories, by the word of the registry's own tokens."""

from __future__ import annotations

from collections.abc import Sequence

from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.errors import RotatorError
from rotator.providers.context import ProviderContext
from rotator.registry.advice import vendor_of
from rotator.registry.grant import SAY_NOTHING

MAX_REPOSITORIES = 5
"""Repositories that are asked about; each costs one request to the token server."""


async def granted_scopes(context: ProviderContext, login: Login, images: Sequence[str]) -> frozenset[str] | None:
    """Return what the registry grants on the first few repositories of ``images``: ``repository:app:pull``.

    Asks for pull, push and delete, and reads what is granted; nothing is done at the registry and nothing is made but
    bearer tokens of a few minutes, which are dropped. None when nobody tells: the registry's tokens do not say, it did
    not answer, or it granted nothing at all, which says as much about the repository as about the login. The first
    refusal ends it, so that it never adds up to a lock-out. Never raises.

    Args:
        context: Reaches the registry.
        login: What is shown.
        images: References of images at that registry.
    """
    if vendor_of(context.registry.host) in SAY_NOTHING:
        return None
    conversation, found = context.registry.open(login), set[str]()
    for path in list(dict.fromkeys(parse(image).path for image in images))[:MAX_REPOSITORIES]:
        try:
            actions = await conversation.granted(path)
        except RotatorError:
            return None
        if not actions:
            return None
        found |= {f"repository:{path}:{action}" for action in actions}
    return frozenset(found) or None
