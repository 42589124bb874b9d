"""What Docker Hub still grants of its pull limit, whoever made the login."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.domain.model import Login
from rotator.domain.reference import parse
from rotator.domain.verdict import Verdict
from rotator.errors import AuthenticationError, RateLimitedError, UnavailableError
from rotator.providers.context import ProviderContext
from rotator.registry.answer import Answer, Place
from rotator.registry.classify import classify
from rotator.registry.ratelimit import read_headroom

PREVIEW = parse("ratelimitpreview/test:latest")
"""The image that Docker keeps for asking what is left; a HEAD of it is not a pull.

Source: https://docs.docker.com/docker-hub/usage/pulls/, read 2026-11-23.
"""


async def ask_headroom(context: ProviderContext, host: str, login: Login | None) -> Headroom:
    """Return what is left of the pull limit, asked for by a HEAD. See `rotator.ports.MeasuresHeadroom`."""
    answer = await context.registry.open(login).peek_manifest(PREVIEW)
    verdict, evidence = classify(answer)
    if verdict is Verdict.REJECTED:
        raise AuthenticationError(f"{host} refuses the login: {evidence}")
    found = _headroom(answer, login, context.clock.now())
    if found.state is HeadroomState.UNKNOWN and answer.status == 429:  # noqa: PLR2004 (too many requests)
        raise RateLimitedError(f"{host} asks to be left alone", retry_after=answer.retry_after)
    if found.state is HeadroomState.UNKNOWN and answer.status >= 500:  # noqa: PLR2004 (its fault)
        raise UnavailableError(f"{host} does not say what is left: {evidence}", retry_after=answer.retry_after)
    return found


def _headroom(answer: Answer, login: Login | None, now: datetime) -> Headroom:
    """Return what ``answer`` tells.

    Silence means no limit only to a login that counts as an account: paid plans get no header. Where the address is
    counted although a login was shown, the login was not taken for one.
    """
    is_served = answer.place is Place.MANIFEST and answer.status == 200 and not answer.html  # noqa: PLR2004
    absent = HeadroomState.UNLIMITED if login is not None and is_served else HeadroomState.UNKNOWN
    found = read_headroom(answer.limits, now, absent=absent)
    if found.state is HeadroomState.UNLIMITED and found.source is Counted.ADDRESS:
        return replace(found, state=HeadroomState.UNKNOWN)
    return found
