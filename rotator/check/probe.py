"""Asks registries about images, and writes down what they say."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from rotator.check.choice import Choice, Chooser
from rotator.check.lint import granted_lints, lints, region_lints, size_lints
from rotator.check.read import read_contents
from rotator.check.report import Contents, Report
from rotator.domain.headroom import Counted, Headroom, HeadroomState
from rotator.domain.lint import Lint
from rotator.domain.model import Login
from rotator.domain.reference import Reference
from rotator.errors import PermanentError, TemporaryError
from rotator.ports import Clock
from rotator.registry.advice import vendor_of
from rotator.registry.answer import Answer
from rotator.registry.client import Conversation, RegistryClient, RegistrySettings
from rotator.registry.diagnose import Ailment, Diagnosis, Vendor, diagnose, diagnose_error
from rotator.registry.grant import SAY_NOTHING
from rotator.registry.ratelimit import read_headroom
from rotator.registry.resolve import REFUSED, Probes, is_ambiguous, resolve
from rotator.secret import Redactor
from rotator.transport import Transport

_PRIVATE = frozenset({Ailment.AUTH_MISSING, Ailment.NO_ACCESS_OR_NOT_FOUND})
_NOTHING = Contents()
_UNTOLD = Headroom(HeadroomState.UNKNOWN)
_TOO_DEAR = Contents(unread="at Docker Hub it costs up to two pulls (--spend-pulls)")


def _ignore(_report: Report) -> None:
    """Do nothing."""


@dataclass(frozen=True, slots=True)
class Options:
    """How images are asked for.

    Args:
        settings_of: How a registry, ``host[:port]``, is reached.
        spends_pulls: Whether manifests are read at Docker Hub too, where each costs a pull.
    """

    settings_of: Callable[[str], RegistrySettings]
    spends_pulls: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    """What became of one question: a diagnosis, and the answer with what it tells of a limit where there was one."""

    diagnosis: Diagnosis
    answer: Answer | None = None
    headroom: Headroom = _UNTOLD

    @property
    def pulls(self) -> bool:
        return self.diagnosis.ailment is Ailment.OK

    @property
    def is_of_account(self) -> bool:
        """Whether Docker Hub counted it against an account, which it does only for a login that it accepted."""
        return self.headroom.source is Counted.ACCOUNT


@dataclass(frozen=True, slots=True)
class _Found:
    """What became of the image itself.

    Args:
        seen: With the login that a client would show, or without one.
        seconds: How long that took.
        public: Without a login.
        probes: What else was asked about the login.
    """

    seen: _Seen
    seconds: float
    public: _Seen
    probes: Probes


class Checker:
    """Checks images.

    A login that was refused is not shown again, for that could lock an account; a registry that did not answer is not
    asked again.

    Args:
        transport: Sends the requests.
        clock: For durations.
        chooser: Finds the login for an image.
        options: How images are asked for.
    """

    def __init__(self, transport: Transport, clock: Clock, chooser: Chooser, options: Options) -> None:
        self._transport = transport
        self._clock = clock
        self._chooser = chooser
        self._options = options
        self._refused: dict[tuple[str, str], _Seen] = {}
        self._refused_alone: dict[tuple[str, str], Diagnosis] = {}
        self._silent: dict[str, _Seen] = {}
        self._redact = Redactor()

    async def check_all(
        self, images: Sequence[tuple[str, Reference]], tell: Callable[[Report], object] = _ignore
    ) -> list[Report]:
        """Return a report per image, in their order.

        Registries are asked at once, each about one image after the other. Costs no pull at Docker Hub, unless the
        options say so. Never raises for what a registry does or fails to do.

        Args:
            images: Each as it was written, and parsed.
            tell: Gets each report as soon as it is there.
        """
        lanes: dict[str, list[int]] = defaultdict(list)
        for number, (_, reference) in enumerate(images):
            lanes[reference.registry].append(number)
        reports: dict[int, Report] = {}

        async def walk(numbers: Sequence[int]) -> None:
            for number in numbers:
                reports[number] = await self.check(*images[number])
                tell(reports[number])

        async with asyncio.TaskGroup() as group:
            for numbers in lanes.values():
                group.create_task(walk(numbers))
        return [reports[number] for number in range(len(images))]

    async def check(self, image: str, reference: Reference) -> Report:
        """Return what is found about one image. Costs and errors as `check_all`."""
        vendor, choice = vendor_of(reference.registry), await self._chooser.choose(reference)
        found = await self._look(choice, reference, vendor)
        seen, probes = found.seen, found.probes
        contents = await self._contents(choice.login, reference, vendor) if seen.pulls else _NOTHING
        digest = _digest(seen)
        return Report(
            image=image,
            reference=str(reference),
            diagnosis=_excused(resolve(seen.diagnosis, probes), choice),
            latency_seconds=found.seconds,
            key=choice.key,
            key_why=choice.why,
            clients=choice.clients,
            is_login_accepted=_is_accepted(choice.login, found),
            is_public=probes.is_public,
            digest=digest,
            media_type=seen.answer.media_type if seen.answer else "",
            contents=contents,
            headroom=seen.headroom if seen.headroom.state is HeadroomState.LIMITED else None,
            said=self._redact(seen.answer.excerpt) if seen.answer else "",
            lints=(
                *_login_lints(choice.login, found),
                *choice.lints,
                *contents.lints,
                *lints(reference, vendor, choice.login, digest),
                *granted_lints(vendor, probes.granted, choice.lints),
                *region_lints(reference.registry, choice.regions),
                *size_lints(contents.size_bytes, contents.base),
            ),
        )

    async def _look(self, choice: Choice, reference: Reference, vendor: Vendor) -> _Found:
        started = self._clock.monotonic()
        seen = await self._as_a_client(choice, reference)
        seconds = self._clock.monotonic() - started
        public = seen if choice.login is None else await self._ask(None, reference)
        probes = Probes(is_public=_is_public(public.diagnosis))
        if choice.login is None or not (seen.pulls or is_ambiguous(seen.diagnosis)):
            return _Found(seen, seconds, public, probes)
        place = (reference.registry, choice.key)
        alone = self._refused_alone.get(place)
        if alone is None and not (seen.pulls and (probes.is_public is False or seen.is_of_account)):
            alone = await self._ask_alone(choice.login, reference)
        is_refused = alone is not None and alone.ailment in REFUSED
        if alone is not None and is_refused:
            self._refused_alone[place] = alone
        granted = None if is_refused else await self._granted(choice.login, reference, vendor)
        return _Found(seen, seconds, public, replace(probes, login=alone, granted=granted))

    async def _as_a_client(self, choice: Choice, reference: Reference) -> _Seen:
        """Ask with the login a client would show, unless the registry has refused it already."""
        place = (reference.registry, choice.key)
        if choice.login is None:
            return await self._ask(None, reference)
        if place in self._refused:
            return self._refused[place]
        if place in self._refused_alone:  # such a registry takes whoever shows a wrong login for a stranger
            stranger = await self._ask(None, reference)
            return stranger if stranger.pulls else _Seen(self._refused_alone[place])
        seen = await self._ask(choice.login, reference)
        if seen.diagnosis.ailment in REFUSED:
            self._refused[place] = seen
        return seen

    async def _ask(self, login: Login | None, reference: Reference) -> _Seen:
        if (silent := self._silent.get(reference.registry)) is not None:
            return silent
        try:
            answer = await self._open(login, reference).head_manifest(reference)
        except (TemporaryError, PermanentError) as error:
            seen = _Seen(diagnose_error(error))
            if seen.diagnosis.ailment is Ailment.UNREACHABLE:
                self._silent[reference.registry] = seen
            return seen
        headroom = read_headroom(answer.limits, self._clock.now())
        return _Seen(diagnose(answer, vendor_of(reference.registry)), answer, headroom)

    async def _ask_alone(self, login: Login, reference: Reference) -> Diagnosis | None:
        """Return what the registry says to the login alone; None where nobody answers."""
        try:
            answer = await self._open(login, reference).auth_probe()
        except (TemporaryError, PermanentError):
            return None
        return diagnose(answer, vendor_of(reference.registry))

    async def _granted(self, login: Login, reference: Reference, vendor: Vendor) -> frozenset[str] | None:
        """Return what the login may do on the repository, where tokens tell; None elsewhere."""
        if vendor in SAY_NOTHING:
            return None
        try:
            return await self._open(login, reference).granted(reference.path)
        except (TemporaryError, PermanentError):
            return None

    def _open(self, login: Login | None, reference: Reference) -> Conversation:
        host = reference.registry
        return RegistryClient(self._transport, host=host, settings=self._options.settings_of(host)).open(login)

    async def _contents(self, login: Login | None, reference: Reference, vendor: Vendor) -> Contents:
        if vendor is Vendor.DOCKER_HUB and not self._options.spends_pulls:
            return _TOO_DEAR
        try:
            return await read_contents(self._open(login, reference), reference)
        except (TemporaryError, PermanentError) as error:
            return Contents(unread=error.message)


def _digest(seen: _Seen) -> str:
    digest = seen.answer.digest if seen.answer else ""
    return digest if digest.isprintable() and len(digest) < 200 else ""  # noqa: PLR2004 (sha512 has 135)


def _is_public(diagnosis: Diagnosis) -> bool | None:
    if diagnosis.ailment is Ailment.OK:
        return True
    return False if diagnosis.ailment in _PRIVATE else None


def _excused(diagnosis: Diagnosis, choice: Choice) -> Diagnosis:
    """Return the diagnosis; but where a login is wanted, why the one there is was not shown."""
    is_wanted = choice.login is None and diagnosis.ailment in _PRIVATE
    return choice.excuse if is_wanted and choice.excuse is not None else diagnosis


def _is_accepted(login: Login | None, found: _Found) -> bool | None:
    """Return whether the registry took the login for one; that a public image pulls does not prove it."""
    if login is None:
        return None
    alone, seen = found.probes.login, found.seen
    ailment = seen.diagnosis.ailment if alone is None else alone.ailment
    if ailment in REFUSED:
        return False
    is_private = found.probes.is_public is False
    proves = ailment is Ailment.OK and (alone is not None or is_private or seen.is_of_account)
    return True if proves or ailment is Ailment.INSUFFICIENT_SCOPE else None


def _login_lints(login: Login | None, found: _Found) -> tuple[Lint, ...]:
    """Return what is odd about a login beside an image that anybody may pull."""
    if login is None or not found.public.pulls:
        return ()
    if not found.seen.pulls:
        return (Lint("blocked_by_login", "it is public, and pulls once the matching login is removed or replaced"),)
    alone = found.probes.login
    if alone is None or alone.ailment not in REFUSED:
        return ()
    return (Lint("login_refused", f"it pulls because it is public; the login itself is refused ({alone.evidence})"),)
