"""`show`: the configuration as it takes effect, defaults included."""

from __future__ import annotations

from typing import Any

import yaml

from rotator.config.root import Config

_BY_NAME = ("registries", "credentials", "targets", "notifications")


def show(config: Config) -> str:
    """Return ``config`` as YAML that `rotator.config.load.load` reads back to an equal value.

    Every key is there, with its default where the files leave it out; ``null`` means that it is not set. Sections
    and keys come in the order of their models, entries sorted by name. Secrets are not in it: only where they are.
    """
    data = config.model_dump(mode="json", by_alias=True)
    for section in _BY_NAME:
        data[section] = dict(sorted(data[section].items()))
    return _render(data)


def _render(data: dict[str, Any]) -> str:
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=False, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes no anchors, which the loader refuses, and keeps every list below its key."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 (the base class's signature)
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: FBT001, FBT002, ARG002 (ditto)
        super().increase_indent(flow, indentless=False)
