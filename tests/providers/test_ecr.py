"""Options of the ECR provider."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.providers.ecr import EcrConfig

HOST = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
ROLE = "arn:aws:iam::210987654321:role/team/pull"


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="plain"),
        pytest.param({"region": "eu-west-1"}, id="region-said-twice"),
        pytest.param({"registry": "mirror.example:5000", "region": "eu-west-1"}, id="mirror"),
        pytest.param({"assume_role": ROLE, "external_id": "a1"}, id="role"),
        pytest.param({"assume_role": "arn:aws-cn:iam::210987654321:role/pull"}, id="role-in-china"),
        pytest.param({"endpoint_url": "https://vpce.example/"}, id="endpoint"),
        pytest.param({"endpoint_url": "http://127.0.0.1:4566", "insecure": True}, id="insecure"),
        pytest.param({"access_key": {"id": {"env": "ID"}, "secret": {"vault": "aws/ecr#key"}}}, id="access-key"),
    ],
)
def test_sensible_options_are_accepted(options: dict[str, Any]) -> None:
    """Each of these says where and as whom to ask."""
    assert EcrConfig.model_validate({"registry": HOST, **options}).lifetime == timedelta(hours=12)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"registry": "mirror.example:5000"}, "does not name a region", id="no-region"),
        pytest.param({"region": "us-east-1"}, "is in eu-west-1", id="other-region"),
        pytest.param({"region": "EU/../x"}, "should match pattern", id="no-region-at-all"),
        pytest.param({"registry": "public.ecr.aws"}, "write provider: ecr_public", id="public"),
        pytest.param({"external_id": "a1"}, "only together with assume_role", id="external-id-alone"),
        pytest.param({"assume_role": ROLE, "external_id": "a b"}, "should match pattern", id="external-id-with-space"),
        pytest.param({"assume_role": "pull"}, "write the ARN of an IAM role", id="role-name"),
        pytest.param({"assume_role": "arn:aws:iam::210987654321:user/x"}, "ARN of an IAM role", id="user"),
        pytest.param({"assume_role": ROLE + "\n"}, "ARN of an IAM role", id="role-newline"),
        pytest.param({"endpoint_url": "http://127.0.0.1:4566"}, "is not https", id="plain-http"),
        pytest.param({"sts_endpoint_url": "http://127.0.0.1"}, "sts_endpoint_url is not https", id="plain-http-sts"),
        pytest.param({"proxy": "http://user:pw@proxy"}, "cannot be written here", id="proxy-with-password"),
        pytest.param({"access_key": {"id": "AKIA", "secret": "x"}}, "a secret is never written here", id="inline-key"),
        pytest.param({"access_key": {"id": {"env": "ID"}}}, "Field required", id="half-a-key"),
        pytest.param({"profile": "x"}, "Extra inputs", id="unknown-option"),
        pytest.param({"provider": "ghcr"}, "Input should be 'ecr'", id="other-provider"),
    ],
)
def test_mistakes_are_explained(options: dict[str, Any], sentence: str) -> None:
    """Each mistake is refused with a sentence that says what to write."""
    with pytest.raises(ValidationError, match=sentence):
        EcrConfig.model_validate({"registry": HOST, **options})
