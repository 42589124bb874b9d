"""Shows logins to registries, and judges whether a pending version may go on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from rotator.domain.model import Login, Version
from rotator.domain.schedule import LONGEST_ASKED
from rotator.domain.verdict import Finding, Judgement, Verdict, Verification, judge
from rotator.engine.credential import Credential
from rotator.engine.guard import Guard
from rotator.engine.ledger import Ledger
from rotator.engine.surroundings import Surroundings
from rotator.errors import NotFoundError, UnavailableError
from rotator.ports import SettlesSlowly

SETTLE_SECONDS = 10.0
"""Pause between two looks at a login that its vendor is still spreading."""

UNSETTLED = frozenset({Verdict.REJECTED, Verdict.NO_ACCESS})


class Prover:
    """Asks registries about logins, within what the guard allows.

    Args:
        ledger: Opens the logins.
        guard: Holds back before a registry locks us out.
        world: Verifier and time.
    """

    def __init__(self, ledger: Ledger, guard: Guard, world: Surroundings) -> None:
        self._ledger = ledger
        self._guard = guard
        self._world = world

    async def judge(self, credential: Credential, version: Version) -> tuple[Judgement, str]:
        """Return whether ``version`` may replace the one in use, and why.

        Raises:
            UnavailableError: The registry cannot tell. RateLimitedError: The guard is closed.
        """
        verification = await self._settled(credential, version)
        judgement, message = judge(verification, None)
        if judgement is Judgement.ABANDON and verification.auth.verdict is Verdict.ACCEPTED:
            judgement, message = judge(verification, await self._of_current(credential))
        if judgement is Judgement.WAIT:
            waits = [found.retry_after for found in (verification.auth, *verification.images) if found.retry_after]
            asked = timedelta(seconds=min(max(waits), LONGEST_ASKED.total_seconds())) if waits else None
            raise UnavailableError(f"{credential.name}: cannot tell whether it works: {message}", retry_after=asked)
        return judgement, message

    async def verification(self, credential: Credential, login: Login) -> Verification:
        """Return what the registry makes of ``login``.

        Raises:
            RateLimitedError: The guard is closed.
        """
        self._guard.check(credential.config.registry, login.username)
        return await self._world.verifier.verify(credential.provider, login, credential.config.images)

    async def probe(self, credential: Credential, login: Login) -> Finding:
        """Return whether ``login`` is accepted at all.

        Raises:
            RateLimitedError: The guard is closed. RotatorError: The registry could not be asked.
        """
        self._guard.check(credential.config.registry, login.username)
        return await credential.provider.probe(login)

    async def doubt(self, credential: Credential) -> Finding | None:
        """Return why a refusal of an old version would prove nothing now; None when it would.

        A registry that refuses everybody, since its own login is broken, says nothing about one login: so the version
        in use is shown to it first, unless it is known not to work. The verdict is what the registry made of that.

        Raises:
            RateLimitedError: The guard is closed. RotatorError: The registry could not be asked.
        """
        current, host = self._ledger.current(credential.name), credential.registry
        if current is None:
            return Finding(host, Verdict.CANNOT_TELL, "no version is in use that would have to be accepted")
        if current.is_useless(self._world.clock.now()):
            return Finding(host, Verdict.CANNOT_TELL, "the version in use does not work either")
        try:
            login = await self._ledger.login(current)
        except NotFoundError:
            return Finding(host, Verdict.CANNOT_TELL, "the version in use is just being replaced")
        finding = await self.probe(credential, login)
        if finding.verdict is Verdict.ACCEPTED:
            return None
        is_refused = finding.verdict is Verdict.REJECTED
        what = "the registry refuses the version in use as well" if is_refused else "nor whether the one in use does"
        return replace(finding, evidence=f"{what}: {finding.evidence}")

    async def _settled(self, credential: Credential, version: Version) -> Verification:
        """Verify ``version``; where its vendor needs time for a new login, a refusal counts only after that time."""
        login, provider = await self._ledger.login(version), credential.provider
        if isinstance(provider, SettlesSlowly):
            while self._world.clock.now() < version.issued_at + provider.settles_within:
                self._guard.check(credential.config.registry, login.username)
                found = await self._world.verifier.verify(provider, login, credential.config.images)
                if found.verdict not in UNSETTLED:
                    return found
                # Each refusal counts at the registry: two, and the one that is believed, are what the guard lets pass.
                await self._world.clock.sleep(max(SETTLE_SECONDS, provider.settles_within.total_seconds() / 2))
        return await self.verification(credential, login)

    async def _of_current(self, credential: Credential) -> Verification | None:
        current = self._ledger.current(credential.name)
        if current is None:
            return None
        return await self.verification(credential, await self._ledger.login(current))
