"""The options models of every provider and target in the two tables, each loaded when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import TypeVar

from pydantic import BaseModel

from rotator.config.credential import CredentialConfig
from rotator.config.kinds import Kinds
from rotator.config.target import TargetConfig
from rotator.providers import PROVIDERS
from rotator.targets import TARGETS

Model = TypeVar("Model", bound=BaseModel)


def kinds() -> Kinds:
    """Return what ``provider:`` and ``type:`` may say. Imports no vendor's SDK that the configuration does not use."""
    return Kinds(credentials=_Models(PROVIDERS, CredentialConfig), targets=_Models(TARGETS, TargetConfig))


class _Models(Mapping[str, type[Model]]):
    """A table of names as a mapping of models; a model's module is imported on its first look-up.

    Args:
        table: Name to ``module:Class``; the class's attribute ``Config`` is the model.
        base: What every model must be.
    """

    def __init__(self, table: Mapping[str, str], base: type[Model]) -> None:
        self._table = table
        self._base = base

    def __getitem__(self, name: str) -> type[Model]:
        entry = self._table[name]
        module, _, attribute = entry.partition(":")
        model = getattr(getattr(import_module(module), attribute), "Config", None)
        if not (isinstance(model, type) and issubclass(model, self._base)):
            raise TypeError(f"{entry}: its Config is not a {self._base.__name__}")
        return model

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, name: object) -> bool:
        return name in self._table
