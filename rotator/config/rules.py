"""Rules that no single section can check by itself. Pure: parts in, findings out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from rotator.config.credential import CredentialConfig
from rotator.config.duration import render_duration
from rotator.config.keys import unknown_name
from rotator.config.mistake import KeyPath
from rotator.config.parts import Finding, Parts
from rotator.config.policy_rules import POLICY_RULES
from rotator.config.ref import SecretRef
from rotator.config.section_rules import SECTION_RULES
from rotator.config.site_rules import sites_are_apart
from rotator.config.target import TargetConfig
from rotator.config.walk import walk
from rotator.domain.reference import parse

MIN_RENEW_BEFORE = timedelta(minutes=1)
"""Less would leave no time for a single rotation with its retries."""
MIN_MAX_AGE = timedelta(minutes=5)
"""Less would ask vendors more often than some of them allow."""


def check(parts: Parts) -> list[Finding]:
    """Return everything that keeps ``parts`` from being used together, in the order of the rules."""
    return [finding for rule in _RULES for finding in rule(parts)]


def _targets_exist(parts: Parts) -> Iterator[Finding]:
    for path, target in _deliveries(parts):
        if target not in parts.target_names:
            yield path, unknown_name(target, sorted(parts.target_names), what="target")


def _targets_once(parts: Parts) -> Iterator[Finding]:
    for name, credential in parts.credentials.items():
        for index, target in enumerate(credential.deliver_to):
            if target in credential.deliver_to[:index]:
                yield ("credentials", name, "deliver_to", index), "is named twice; remove one of the two"


def _one_login_per_registry(parts: Parts) -> Iterator[Finding]:
    """A place holds one login per registry: a second one would overwrite the first at every rotation."""
    holders: dict[tuple[str, str], str] = {}
    for path, target in _deliveries(parts):
        name = str(path[1])
        registry = parts.credentials[name].registry
        holder = holders.setdefault((target, registry), name)
        if holder != name:
            yield (
                path,
                (
                    f"already receives a login for {registry} from credentials.{holder}, and a place holds one per "
                    "registry; deliver only one of them there"
                ),
            )


def _logins_fit_images(parts: Parts) -> Iterator[Finding]:
    """A target that pulls one image can use a login for that image's registry only."""
    for path, name in _deliveries(parts):
        target, registry = parts.targets.get(name), parts.credentials[str(path[1])].registry
        image = target.pulls() if target is not None else None
        if image is not None and parse(image).registry != registry:
            yield (
                path,
                (
                    f"pulls {image}, and this credential is for {registry}; "
                    f"deliver the credential for {parse(image).registry} there"
                ),
            )


def _images_belong_to_registry(parts: Parts) -> Iterator[Finding]:
    for name, credential in parts.credentials.items():
        for index, image in enumerate(credential.images):
            registry = parse(image).registry
            if registry != credential.registry:
                yield (
                    ("credentials", name, "images", index),
                    (
                        f"is on {registry}, but this credential is for {credential.registry}; "
                        "write the image with that host, or move it to the credential of its registry"
                    ),
                )


def _image_ids_differ(parts: Parts) -> Iterator[Finding]:
    for name, credential in parts.credentials.items():
        holders: dict[str, int] = {}
        for index, image in enumerate(credential.images):
            holder = holders.setdefault(image.id, index)
            if holder == index:
                continue
            advice = "remove one of the two"
            if credential.images[holder] != image:
                advice = "give one of them an id of its own: {id: ..., image: ...}"
            yield ("credentials", name, "images", index), f"has the same id as images[{holder}], {image.id}; {advice}"


def _times_can_work(parts: Parts) -> Iterator[Finding]:
    for name, credential in parts.credentials.items():
        for key, text in _impossible_times(credential):
            yield ("credentials", name, key), text


def _impossible_times(credential: CredentialConfig) -> Iterator[tuple[str, str]]:
    lifetime = type(credential).lifetime
    if credential.renew_before is not None and credential.renew_before < MIN_RENEW_BEFORE:
        yield "renew_before", f"leaves no time to rotate; write at least {render_duration(MIN_RENEW_BEFORE)}"
    if credential.max_age is not None and credential.max_age < MIN_MAX_AGE:
        yield "max_age", f"rotates too often for the vendor; write at least {render_duration(MIN_MAX_AGE)}"
    if lifetime is None:
        return
    advice = f"its versions live for {render_duration(lifetime)}; write less, such as {render_duration(lifetime / 2)}"
    if credential.renew_before is not None and credential.renew_before >= lifetime:
        yield "renew_before", f"would rotate without end, since {advice}"
    if credential.outage_budget >= lifetime:
        yield "outage_budget", f"cannot be bridged, since {advice}"


def _vault_is_configured(parts: Parts) -> Iterator[Finding]:
    for path, ref in _references(parts):
        if ref.source != "vault":
            continue
        if path[0] == "vault":
            yield path, "cannot be read from Vault before the login there; write {file: ...} or {env: ...}"
        elif not parts.has_vault:
            yield path, "is read from Vault, but there is no vault section; add one, or write {file: ...}"


def _vault_is_configured_for_targets(parts: Parts) -> Iterator[Finding]:
    for path, model in parts.models():
        if isinstance(model, TargetConfig) and model.needs_vault and not parts.has_vault:
            yield (*path, "type"), "writes to Vault, but there is no vault section; add one"


def _references(parts: Parts) -> Iterator[tuple[KeyPath, SecretRef]]:
    for start, model in parts.models():
        for path, value in walk(model, start):
            if isinstance(value, SecretRef):
                yield path, value


def _deliveries(parts: Parts) -> Iterator[tuple[KeyPath, str]]:
    """Yield path and name of every target that a credential names."""
    for name, credential in parts.credentials.items():
        for index, target in enumerate(credential.deliver_to):
            yield ("credentials", name, "deliver_to", index), target


_RULES: tuple[Callable[[Parts], Iterator[Finding]], ...] = (
    _targets_exist,
    _targets_once,
    _one_login_per_registry,
    sites_are_apart,
    _logins_fit_images,
    _images_belong_to_registry,
    _image_ids_differ,
    _times_can_work,
    _vault_is_configured,
    _vault_is_configured_for_targets,
    *SECTION_RULES,
    *POLICY_RULES,
)
