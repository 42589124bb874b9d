"""What is allowed in a configuration and yet worth a second look."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rotator.config.mistake import render_path
from rotator.config.root import Config
from rotator.config.walk import walk
from rotator.domain.reference import parse


def warnings(config: Config) -> list[str]:
    """Return one sentence per doubt about ``config``, each with the path it is about. Pure; never holds a value."""
    return [warning for look in _LOOKS for warning in look(config)]


def _nothing_to_do(config: Config) -> Iterator[str]:
    if not config.credentials:
        yield "credentials: there are none, so that there is nothing to do"


def _delivered_nowhere(config: Config) -> Iterator[str]:
    for name, credential in config.credentials.items():
        if not credential.deliver_to:
            yield f"{_at('credentials', name)}: is delivered nowhere; name its targets in deliver_to"


def _unused_targets(config: Config) -> Iterator[str]:
    used = {target for credential in config.credentials.values() for target in credential.deliver_to}
    for name in config.targets:
        if name not in used:
            yield f"{_at('targets', name)}: no credential is delivered to it"


def _unused_registries(config: Config) -> Iterator[str]:
    used = {credential.registry for credential in config.credentials.values()}
    for name in config.registries:
        if name not in used:
            yield f"{_at('registries', name)}: no credential is for this registry"


def _no_images(config: Config) -> Iterator[str]:
    for name, credential in config.credentials.items():
        if not credential.images:
            yield f"{_at('credentials', name)}: has no images, so that only the login is proved, not that it can pull"


def _latest(config: Config) -> Iterator[str]:
    for name, credential in config.credentials.items():
        for index, image in enumerate(credential.images):
            reference = parse(image)
            if reference.digest is None and reference.pull == "latest":
                path = render_path(("credentials", name, "images", index))
                yield f"{path}: is pulled as latest, which may go away or change; write the tag that is deployed"


def _latest_at_targets(config: Config) -> Iterator[str]:
    for name, target in config.targets.items():
        image = target.pulls()
        if image is not None and parse(image).pull == "latest":
            yield f"{_at('targets', name)}: deploys latest, which may be another image each time; write a version"


def _unproved_images(config: Config) -> Iterator[str]:
    for name, credential in config.credentials.items():
        for place in credential.deliver_to:
            target = config.targets.get(place)
            image = target.pulls() if target is not None else None
            if image is not None and image not in credential.images:
                yield (
                    f"{_at('credentials', name)}: target {place} pulls {image}; "
                    "add it to images, so that no version is delivered that cannot pull it"
                )


def _insecure(config: Config) -> Iterator[str]:
    for path, value in walk(config, ()):
        if value is True and str(path[-1]).startswith("insecure"):
            yield f"{render_path(path)}: the peer is not authenticated; its logins can be read by whoever is between"


def _at(section: str, name: str) -> str:
    return render_path((section, name))


_LOOKS: tuple[Callable[[Config], Iterator[str]], ...] = (
    _nothing_to_do,
    _delivered_nowhere,
    _unused_targets,
    _unused_registries,
    _no_images,
    _latest,
    _latest_at_targets,
    _unproved_images,
    _insecure,
)
