"""Reads manifests from a registry: what an image holds, and what it was built on."""

from __future__ import annotations

from dataclasses import replace

from rotator.check.contents import PREFERRED, Child, Layers, base_of, children, digest_of, layers, preferred
from rotator.check.report import Base, Contents
from rotator.domain.lint import Lint
from rotator.domain.reference import DOCKER_HUB, Reference, parse
from rotator.errors import PermanentError, TemporaryError
from rotator.registry.answer import Answer
from rotator.registry.client import Conversation
from rotator.registry.diagnose import Ailment, diagnose


async def read_contents(conversation: Conversation, reference: Reference) -> Contents:
    """Return what an image holds; of an index, what its image for one platform does. What cannot be read is left out.

    Two GETs, and as many for a base at the same registry; at Docker Hub, where each counts as a pull, the base is not
    read.
    """
    try:
        top = await conversation.get_manifest(reference)
        images = children(top.content)
        child, image = await _image(conversation, reference, top, PREFERRED)
        counted, said = layers(image.content), base_of(image.content) or base_of(top.content)
        base = None if said is None else await _measured(conversation, reference, said, child)
    except (TemporaryError, PermanentError) as error:
        return Contents(unread=error.message)
    return Contents(
        platforms=tuple(one.platform for one in images),
        layers=counted.count if counted else None,
        size_bytes=counted.size_bytes if counted else None,
        sized=child.platform if child else "",
        unread="" if counted else _why_unread(image),
        base=base,
        lints=_mismatch(top, reference),
    )


async def _image(
    conversation: Conversation, reference: Reference, top: Answer, platform: str
) -> tuple[Child | None, Answer]:
    """Return the image for a platform, and which of an index it is; ``top`` itself, which is none of an index."""
    child = preferred(children(top.content), platform)
    if child is None:
        return None, top
    return child, await conversation.get_manifest(Reference(reference.domain, reference.path, digest=child.digest))


async def _measured(conversation: Conversation, reference: Reference, base: Base, child: Child | None) -> Base:
    """Return ``base`` with its size, where it is at the image's own registry: nobody else is asked for its sake.

    Its name was written by whoever built the image, and must not send us anywhere.
    """
    try:
        at = parse(base.name)
        elsewhere = at.registry != reference.registry
    except ValueError:
        return replace(base, unread="its name is no image reference")
    if elsewhere:
        return replace(base, unread="it is at another registry, which is not asked")
    if at.registry == DOCKER_HUB:
        return replace(base, unread="reading it at Docker Hub costs pulls")
    place = Reference(at.domain, at.path, at.tag, base.digest or at.digest)
    size = await _size_of(conversation, place, child.platform if child else PREFERRED)
    return replace(base, unread="it cannot be read") if size is None else replace(base, size_bytes=size.size_bytes)


async def _size_of(conversation: Conversation, reference: Reference, platform: str) -> Layers | None:
    try:
        top = await conversation.get_manifest(reference)
        _, image = await _image(conversation, reference, top, platform)
    except (TemporaryError, PermanentError):
        return None
    return layers(image.content)


def _why_unread(answer: Answer) -> str:
    diagnosis = diagnose(answer)
    return "it lists no layers" if diagnosis.ailment is Ailment.OK else diagnosis.evidence


def _mismatch(top: Answer, reference: Reference) -> tuple[Lint, ...]:
    promised = reference.digest or top.digest
    if not top.content or not promised.startswith("sha256:") or promised == digest_of(top.content):
        return ()
    return (Lint("digest_mismatch", f"what was sent is {digest_of(top.content)}, not what was promised"),)
