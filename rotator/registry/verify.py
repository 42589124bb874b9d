"""Proves a login: what its vendor says about it, then a manifest HEAD for each image."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from rotator.domain.model import Login
from rotator.domain.reference import Reference, parse, registry_host
from rotator.domain.verdict import Finding, Verdict, Verification
from rotator.errors import PermanentError, TemporaryError
from rotator.ports import Provider
from rotator.registry.advice import Ailment
from rotator.registry.answer import Answer
from rotator.registry.classify import verdict_of
from rotator.registry.client import Conversation, RegistryClient
from rotator.registry.diagnose import diagnose, diagnose_error

CONCURRENCY = 4
"""How many images of one verification are asked for at once."""


async def auth_probe(client: RegistryClient, login: Login) -> Finding:
    """Return whether the registry accepts ``login`` at all, for a vendor without a better way to ask.

    Costs no pull. Never raises for a refusal, nor when nothing could be told. Safe to repeat, but each refusal may
    count towards a lock-out at the registry.
    """
    return await _find(client.host, lambda: client.auth_probe(login))


class RegistryVerifier:
    """A `rotator.ports.Verifier`: asks the provider, then the registry.

    Args:
        client_of: Returns the client of the registry that a provider's logins are for. A login is shown to no other.
        concurrency: How many images are asked for at once, > 0.
    """

    def __init__(self, client_of: Callable[[Provider], RegistryClient], *, concurrency: int = CONCURRENCY) -> None:
        self._client_of = client_of
        self._concurrency = concurrency

    async def verify(self, provider: Provider, login: Login, images: Sequence[str]) -> Verification:
        """Return the vendor's finding and one per image, in their order. Never raises for a refusal.

        Once the login itself was refused, or the vendor asked to slow down, no image is asked for: it would tell
        nothing new and bring a lock-out nearer.
        """
        client = self._client_of(provider)
        auth = await _probe(provider, login, client.host)
        if auth.verdict is Verdict.REJECTED or auth.retry_after is not None:
            return Verification(auth, tuple(_not_asked(image, auth) for image in images))
        try:
            conversation = client.open(login)
        except PermanentError as error:
            return Verification(auth, tuple(_unsure(image, error) for image in images))
        return Verification(auth, await self._find_all(conversation, client.host, images))

    async def look(self, provider: Provider, login: Login, images: Sequence[str]) -> tuple[Finding, ...]:
        """Return one finding per image, in their order. Never raises for a refusal."""
        client = self._client_of(provider)
        try:
            conversation = client.open(login)
        except PermanentError as error:
            return tuple(_unsure(image, error) for image in images)
        return await self._find_all(conversation, client.host, images)

    async def _find_all(self, conversation: Conversation, host: str, images: Sequence[str]) -> tuple[Finding, ...]:
        limit = asyncio.Semaphore(self._concurrency)

        async def find(image: str) -> Finding:
            async with limit:
                return await _find_image(conversation, host, image)

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(find(image)) for image in images]
        return tuple(task.result() for task in tasks)


async def _probe(provider: Provider, login: Login, host: str) -> Finding:
    try:
        return await provider.probe(login)
    except (TemporaryError, PermanentError) as error:
        return _unsure(host, error)


async def _find_image(conversation: Conversation, host: str, image: str) -> Finding:
    try:
        reference = _reference(image, host)
    except ValueError as error:
        return Finding(image, Verdict.CANNOT_TELL, str(error), reason=Ailment.UNCLEAR)
    return await _find(image, lambda: conversation.head_manifest(reference))


def _reference(image: str, host: str) -> Reference:
    """Return the parsed image.

    Raises:
        ValueError: It is no reference, or lies at another registry, which must not be shown the login.
    """
    reference = parse(image)
    if reference.registry != registry_host(host):
        raise ValueError(f"{image} is not at {host}: the login is not shown to {reference.registry}")
    return reference


async def _find(subject: str, ask: Callable[[], Awaitable[Answer]]) -> Finding:
    try:
        answer = await ask()
    except (TemporaryError, PermanentError) as error:
        return _unsure(subject, error)
    found, wait = diagnose(answer), answer.retry_after
    seconds = None if wait is None else wait.total_seconds()
    return Finding(subject, verdict_of(found.ailment), found.evidence, seconds, found.ailment)


def _unsure(subject: str, error: TemporaryError | PermanentError) -> Finding:
    wait = error.retry_after if isinstance(error, TemporaryError) else None
    seconds = None if wait is None else wait.total_seconds()
    return Finding(subject, Verdict.CANNOT_TELL, str(error), seconds, diagnose_error(error).ailment)


def _not_asked(image: str, auth: Finding) -> Finding:
    why = "the login was refused" if auth.verdict is Verdict.REJECTED else "its vendor asked to slow down"
    return Finding(image, Verdict.CANNOT_TELL, f"not asked for, because {why}", reason=auth.reason)
