"""Asks registries about images, one after the other, and writes down what they say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rotator.check.contents import Layers, children, digest_of, layers, preferred
from rotator.check.lint import lints
from rotator.check.report import Lint, Report
from rotator.domain.model import Login
from rotator.domain.pull_secret import Match, match
from rotator.domain.reference import Reference
from rotator.errors import PermanentError, TemporaryError
from rotator.ports import Clock
from rotator.registry.advice import vendor_of
from rotator.registry.answer import Answer
from rotator.registry.client import Conversation, RegistryClient, RegistrySettings
from rotator.registry.diagnose import Ailment, Diagnosis, Vendor, diagnose, diagnose_error
from rotator.secret import Redactor
from rotator.transport import Transport

_REFUSED = frozenset({Ailment.AUTH_FAILED, Ailment.AUTH_EXPIRED, Ailment.TWO_FACTOR})
_PRIVATE = frozenset({Ailment.AUTH_MISSING, Ailment.NO_ACCESS_OR_NOT_FOUND})


@dataclass(frozen=True, slots=True)
class Options:
    """How images are asked for.

    Args:
        document: A docker or podman configuration; empty for no logins. Secret.
        insecure: Registries that are reached over plain HTTP, as `rotator.domain.reference.registry_host` gives them.
        realm_hosts: Token servers that may be shown a login although they are on another host.
        spends_pulls: Whether manifests are read at Docker Hub too, where each costs a pull.
    """

    document: Mapping[str, Any] = field(default_factory=dict, repr=False)
    insecure: frozenset[str] = frozenset()
    realm_hosts: tuple[str, ...] = ()
    spends_pulls: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What became of one question: a diagnosis, and the answer where there was one."""

    diagnosis: Diagnosis
    answer: Answer | None = None


@dataclass(frozen=True, slots=True)
class _Contents:
    """What was read of the image itself."""

    platforms: tuple[str, ...] = ()
    layers: Layers | None = None
    sized: str = ""
    lints: tuple[Lint, ...] = ()
    unread: str = ""


_NOTHING = _Contents()
_TOO_DEAR = _Contents(unread="at Docker Hub it costs up to two pulls (--spend-pulls)")


class Checker:
    """Checks images; remembers which logins were refused, and shows none of those again: it could lock an account.

    Args:
        transport: Sends the requests.
        clock: For durations.
        options: How images are asked for.
    """

    def __init__(self, transport: Transport, clock: Clock, options: Options) -> None:
        self._transport = transport
        self._clock = clock
        self._options = options
        self._refused: dict[tuple[str, str], _Seen] = {}
        self._redact = Redactor()

    async def check(self, image: str, reference: Reference) -> Report:
        """Return what is found about one image; costs no pull at Docker Hub, unless the options say so.

        Never raises for what a registry does or fails to do.

        Args:
            image: As it was written.
            reference: The same, parsed.

        Raises:
            ShapeError: The configuration's ``auths`` is not an object.
        """
        vendor, found = vendor_of(reference.registry), match(self._options.document, reference)
        login = found.login if found else None
        started = self._clock.monotonic()
        seen = await self._as_a_client(found, login, reference)
        seconds = self._clock.monotonic() - started
        public = seen if login is None else await self._ask(None, reference)
        contents = await self._contents(login, reference, vendor) if seen.diagnosis.ailment is Ailment.OK else _NOTHING
        digest = _digest(seen)
        blocked = _blocked(seen, public) if login is not None else ()
        return Report(
            image=image,
            reference=str(reference),
            diagnosis=seen.diagnosis,
            latency_seconds=seconds,
            key=found.key if found else "",
            key_why=found.why if found else self._no_match(),
            is_public=_is_public(public.diagnosis),
            digest=digest,
            media_type=seen.answer.media_type if seen.answer else "",
            platforms=contents.platforms,
            layers=contents.layers.count if contents.layers else None,
            size_bytes=contents.layers.size_bytes if contents.layers else None,
            sized=contents.sized,
            unread=contents.unread,
            said=self._redact(seen.answer.excerpt) if seen.answer else "",
            lints=(*blocked, *contents.lints, *lints(reference, vendor, login, digest)),
        )

    async def _as_a_client(self, found: Match | None, login: Login | None, reference: Reference) -> _Seen:
        """Ask with the login a client would show, unless the registry has refused it already."""
        if found is None or login is None:
            return await self._ask(None, reference)
        place = (reference.registry, found.key)
        if place in self._refused:
            return self._refused[place]
        seen = await self._ask(login, reference)
        if seen.diagnosis.ailment in _REFUSED:
            self._refused[place] = seen
        return seen

    async def _ask(self, login: Login | None, reference: Reference) -> _Seen:
        try:
            answer = await self._open(login, reference).head_manifest(reference)
        except (TemporaryError, PermanentError) as error:
            return _Seen(diagnose_error(error))
        return _Seen(diagnose(answer, vendor_of(reference.registry)), answer)

    def _open(self, login: Login | None, reference: Reference) -> Conversation:
        options, host = self._options, reference.registry
        settings = RegistrySettings(insecure=host in options.insecure, realm_hosts=options.realm_hosts)
        return RegistryClient(self._transport, host=host, settings=settings).open(login)

    def _no_match(self) -> str:
        return "no entry is about it" if self._options.document else "no logins were given"

    async def _contents(self, login: Login | None, reference: Reference, vendor: Vendor) -> _Contents:
        """Read the manifest and, of an index, that of one platform; what cannot be read is left out."""
        if vendor is Vendor.DOCKER_HUB and not self._options.spends_pulls:
            return _TOO_DEAR
        try:
            return await _read(self._open(login, reference), reference)
        except (TemporaryError, PermanentError) as error:
            return _Contents(unread=error.message)


async def _read(conversation: Conversation, reference: Reference) -> _Contents:
    top = await conversation.get_manifest(reference)
    found, odd = children(top.content), _mismatch(top, reference)
    child = preferred(found)
    if child is None:
        counted = layers(top.content)
        return _Contents((), counted, "", odd, "" if counted else _why_unread(top))
    one = await conversation.get_manifest(Reference(reference.domain, reference.path, digest=child.digest))
    platforms, counted = tuple(child.platform for child in found), layers(one.content)
    return _Contents(platforms, counted, child.platform, odd, "" if counted else _why_unread(one))


def _why_unread(answer: Answer) -> str:
    diagnosis = diagnose(answer)
    return "it lists no layers" if diagnosis.ailment is Ailment.OK else diagnosis.evidence


def _digest(seen: _Seen) -> str:
    digest = seen.answer.digest if seen.answer else ""
    return digest if digest.isprintable() and len(digest) < 200 else ""  # noqa: PLR2004 (sha512 has 135)


def _mismatch(top: Answer, reference: Reference) -> tuple[Lint, ...]:
    promised = reference.digest or top.digest
    if not top.content or not promised.startswith("sha256:") or promised == digest_of(top.content):
        return ()
    return (Lint("digest_mismatch", f"what was sent is {digest_of(top.content)}, not what was promised"),)


def _is_public(diagnosis: Diagnosis) -> bool | None:
    if diagnosis.ailment is Ailment.OK:
        return True
    return False if diagnosis.ailment in _PRIVATE else None


def _blocked(seen: _Seen, public: _Seen) -> tuple[Lint, ...]:
    if seen.diagnosis.ailment is Ailment.OK or public.diagnosis.ailment is not Ailment.OK:
        return ()
    return (Lint("blocked_by_login", "it is public, and pulls once the matching login is removed or replaced"),)
