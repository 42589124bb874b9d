"""The two tables as options models."""

from __future__ import annotations

import subprocess
import sys

import pytest

from rotator.config.credential import CredentialConfig
from rotator.config.target import TargetConfig
from rotator.kinds import _Models, kinds
from rotator.providers import PROVIDERS
from rotator.targets import TARGETS


@pytest.mark.parametrize("name", PROVIDERS)
def test_every_provider_has_an_options_model(name: str) -> None:
    """Each line of the table leads to a model that says this name in `provider`."""
    model = kinds().credentials[name]
    assert issubclass(model, CredentialConfig)
    assert name in str(model.model_fields["provider"].annotation)


@pytest.mark.parametrize("name", TARGETS)
def test_every_target_has_an_options_model(name: str) -> None:
    """Each line of the table leads to a model that says this name in `type`."""
    model = kinds().targets[name]
    assert issubclass(model, TargetConfig)
    assert name in str(model.model_fields["type"].annotation)


def test_asking_which_kinds_exist_loads_none() -> None:
    """Names can be listed and looked for without importing any vendor's module."""
    code = (
        "import sys; from rotator.kinds import kinds; k = kinds(); list(k.credentials); 'ecr' in k.credentials; "
        "print([m for m in sys.modules if m.startswith('rotator.providers.') or m == 'boto3'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_name_is_a_key_error() -> None:
    """A name that is not in the table is not found, as in any mapping."""
    with pytest.raises(KeyError):
        kinds().credentials["nobody"]


def test_a_line_that_leads_to_no_model_is_a_defect() -> None:
    """A class without an options model is refused with the line's own words."""
    with pytest.raises(TypeError, match=r"datetime:timedelta: its Config is not a TargetConfig"):
        _Models({"x": "datetime:timedelta"}, TargetConfig)["x"]
