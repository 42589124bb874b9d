"""Logins of a configuration: read where they are kept, never minted.

Minting for a mere look would cost a call, and leave behind a login that nobody watches; the daemon has one already, and
what it knows about it may be asked for, but not the login.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

from rotator.build import make_provider
from rotator.check.choice import Choice
from rotator.config.credential import CredentialConfig
from rotator.config.root import Config
from rotator.domain.lint import Lint
from rotator.domain.model import Issued, Strategy
from rotator.domain.privilege import privilege_of, vendor_word
from rotator.domain.reference import Reference
from rotator.errors import ConfigError, RotatorError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.registry.advice import vendor_of
from rotator.registry.diagnose import Diagnosis, diagnose_untried

Ask = Callable[[str], Awaitable[str]]
"""Returns what the running daemon says about the credential of a name, in a sentence; never raises."""


class FromConfig:
    """Reads logins of credentials with the strategy ``read`` from their sources; each once.

    Args:
        config: A valid configuration.
        context_of: Makes the context of a provider for a registry host.
        ask: Asks the daemon about a credential whose login is not read here; None to ask nobody.
    """

    def __init__(self, config: Config, context_of: Callable[[str], ProviderContext], ask: Ask | None = None) -> None:
        self._config = config
        self._context_of = context_of
        self._ask = ask
        self._known: dict[str, Choice] = {}

    async def choose(self, reference: Reference) -> Choice:
        """Return the login of the credential for ``reference``: the one that lists it, else one for its registry."""
        names = [name for name, one in self._config.credentials.items() if one.registry == reference.registry]
        if not names:
            return Choice("no credential is for its registry")
        listing = [name for name in names if str(reference) in self._config.credentials[name].images]
        name = (listing or names)[0]
        if name not in self._known:
            self._known[name] = await self._open(name, self._config.credentials[name])
        found, why = self._known[name], "it lists the image" if listing else "it is for the registry"
        rivals = [other for other in (listing or names) if other != name]
        lints = () if not rivals else (_ambiguous(name, rivals),)
        return replace(found, why=f"{why}, {found.why}", lints=(*found.lints, *lints))

    async def _open(self, name: str, options: CredentialConfig) -> Choice:
        regions = _regions(self._config, options)
        try:
            provider = make_provider(options, self._context_of(options.registry))
            if provider.strategy is not Strategy.READ:
                return await self._minted(name, options, regions)
            issued = await provider.issue(Order())
        except ConfigError as error:
            return Choice("not usable here", name, excuse=_excuse(name, "; ".join(error.mistakes)), regions=regions)
        except RotatorError as error:
            return Choice(
                "not read from its source", name, excuse=_excuse(name, error.message, error.hint), regions=regions
            )
        lints = _privilege(options, issued)
        return Choice("read from its source", name, issued.login, regions=regions, lints=lints)

    async def _minted(self, name: str, options: CredentialConfig, regions: Mapping[str, str]) -> Choice:
        words = f"{options.provider} would have to issue it, which a check does not do"
        if self._ask is not None:
            words = f"{words}; {await self._ask(name)}"
        return Choice("not shown: issued by the daemon alone", name, excuse=_excuse(name, words), regions=regions)


def images_of(config: Config) -> list[str]:
    """Return every image that a credential lists, each once, in their order."""
    return list(dict.fromkeys(image for one in config.credentials.values() for image in one.images))


def _excuse(name: str, why: str, hint: str = "") -> Diagnosis:
    return diagnose_untried(f"the login of {name} was not shown: {why}", hint)


def _ambiguous(name: str, rivals: list[str]) -> Lint:
    others = ", ".join(rivals)
    return Lint("several_credentials", f"{others} would do as well as {name}: list the image under one of them")


def _privilege(options: CredentialConfig, issued: Issued) -> tuple[Lint, ...]:
    """Return what the login may do besides pulling, by what its vendor said of it."""
    vendor = vendor_word(options.provider, vendor_of(options.registry))
    return privilege_of(vendor, issued.scopes, issued.login.public_username, options.registry).lints


def _regions(config: Config, options: CredentialConfig) -> dict[str, str]:
    """Return target to region of the targets that hold the credential and name one."""
    targets = {name: config.targets[name] for name in options.deliver_to}
    return {name: target.region for name, target in targets.items() if target.region}
