"""Amazon ECR Public where it differs from ECR."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.errors import PermissionDeniedError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.ecr_public import EcrPublic, EcrPublicConfig
from rotator.sandbox.aws import SandboxAws
from rotator.sandbox.registry import SandboxRegistry


@pytest.fixture
def make_public(
    make_context: Callable[[str], ProviderContext], aws: SandboxAws, access_key: Any
) -> Callable[[], EcrPublic]:
    """Return a function that makes a provider which asks the sandbox."""
    options = {"endpoint_url": aws.url, "insecure": True, "access_key": access_key}
    return lambda: EcrPublic(EcrPublicConfig.model_validate(options), make_context("public.ecr.aws"))


async def test_one_call_serves_all_credentials(
    make_public: Callable[[], EcrPublic], aws: SandboxAws, registry: SandboxRegistry
) -> None:
    """The single object that ECR Public answers with is understood, and shared."""
    first, second = await make_public().issue(Order()), await make_public().issue(Order())
    assert first.login == second.login
    assert registry.accepts("AWS", first.login.secret.reveal())
    assert aws.minted == 1


async def test_a_refusal_names_both_permissions(make_public: Callable[[], EcrPublic], aws: SandboxAws) -> None:
    """ECR Public needs a permission of STS too, which is easily forgotten."""
    aws.fail(400, body=json.dumps({"__type": "AccessDeniedException"}))
    with pytest.raises(PermissionDeniedError) as caught:
        await make_public().issue(Order())
    assert "ecr-public:GetAuthorizationToken" in caught.value.hint
    assert "sts:GetServiceBearerToken" in caught.value.hint
    assert caught.value.message.startswith("ecr-public us-east-1 as ")


def test_the_registry_is_known() -> None:
    """Nobody needs to write the one host there is."""
    assert EcrPublicConfig().registry == "public.ecr.aws"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"registry": "ghcr.io"}, "is not ECR Public", id="other-registry"),
        pytest.param({"region": "eu-west-1"}, "Extra inputs", id="region"),
    ],
)
def test_mistakes_are_explained(options: dict[str, Any], sentence: str) -> None:
    """Each mistake is refused with a sentence that says what to write."""
    with pytest.raises(ValidationError, match=sentence):
        EcrPublicConfig.model_validate(options)
