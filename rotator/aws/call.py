"""The blocking calls to AWS. Import and run this in an executor thread only: boto3 takes its time.

botocore follows no redirect (it disables urllib3's and has none of its own outside S3). Proxies are taken from the
configuration because ``proxies`` is given, even when empty: only None makes botocore read the environment. The instance
metadata service is the exception, since botocore asks it by itself: there ``NO_PROXY=169.254.169.254`` is needed where
``HTTP_PROXY`` is set.

Source: botocore 1.44.5, ``httpsession.py``, ``endpoint.py`` and ``utils.py``.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from rotator.aws.ask import AccessKeyPair, Ask, Job
from rotator.aws.error import breakdown, broken_chain, is_expired, refusal
from rotator.errors import ConfigError, RotatorError, UnavailableError

CONNECT_SECONDS = 5
READ_SECONDS = 10
ATTEMPTS = 3
"""Tries of one call, the first included; botocore waits between them with jitter."""

ROLE_SESSION_NAME = "rotator"


def call(ask: Ask, key: AccessKeyPair | None, job: Job) -> Mapping[str, Any]:
    """Return what ``job`` makes of AWS's answers; may be secret.

    Blocks until every try was answered or timed out, minutes at worst: the caller has a deadline of its own.

    Sessions are made anew for each call: it comes a few times a day, so nothing cached would still be valid, and a
    token from the start of a role session is as good as one can be. Credentials that ran out are resolved once more.

    Args:
        ask: What to ask of whom.
        key: The access key to ask with; None for AWS's own chain.
        job: Is given the service's client.

    Raises:
        AuthenticationError, PermissionDeniedError, RateLimitedError, UnavailableError, UnsupportedError,
        PermanentError: see `rotator.aws.error`. ConfigError: ``ca_file`` cannot be used.
    """
    try:
        try:
            return _ask(ask, key, job)
        except ClientError as error:
            if not is_expired(error):
                raise
            return _ask(ask, key, job)
    except ClientError as error:
        # Without the cause: the text of AWS may quote the refused request, session token included.
        raise refusal(error, str(ask), ask.service) from None
    except BotoCoreError as error:
        raise breakdown(error, str(ask)) from None
    except (OSError, ValueError, TypeError, LookupError) as error:
        raise broken_chain(error, str(ask)) from None


def _ask(ask: Ask, key: AccessKeyPair | None, job: Job) -> Mapping[str, Any]:
    _check_authority(ask)
    session = _session(ask, key)
    if ask.role is not None:
        session = _assumed(session, ask)
    with closing(_client(session, ask.service, ask, ask.endpoint_url)) as client:
        return _called(ask, job, client)


def _check_authority(ask: Ask) -> None:
    """Refuse an unusable file by name: urllib3 would call it a broken connection, which sounds as if it may heal."""
    if ask.ca_file is None:
        return
    try:
        ssl.create_default_context(cafile=ask.ca_file)
    except OSError as error:
        raise ConfigError([f"{ask}: {ask.ca_file} cannot be used as a PEM file"]) from error


def _session(ask: Ask, key: AccessKeyPair | None) -> boto3.Session:
    if key is None:
        session = boto3.Session(region_name=ask.region)
    else:
        session = boto3.Session(key.id, key.secret.reveal(), region_name=ask.region)
    # Also for the clients that the chain makes by itself, such as STS for a web identity.
    session._session.set_default_client_config(_config(ask))  # noqa: SLF001 (botocore's public method, behind boto3)
    if ask.ca_file is not None:
        session._session.set_config_variable("ca_bundle", ask.ca_file)  # noqa: SLF001 (as above)
    return session


def _assumed(session: boto3.Session, ask: Ask) -> boto3.Session:
    """Return a session as the role."""
    external = {} if ask.external_id is None else {"ExternalId": ask.external_id}
    with closing(_client(session, "sts", ask, ask.sts_endpoint_url)) as client:
        answer = _called(ask, client.assume_role, RoleArn=ask.role, RoleSessionName=ROLE_SESSION_NAME, **external)
    given = answer.get("Credentials", {})
    if not {"AccessKeyId", "SecretAccessKey", "SessionToken"} <= given.keys():
        raise UnavailableError(f"{ask}: AssumeRole: the answer holds no credentials", cause="protocol")
    return boto3.Session(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"], region_name=ask.region)


def _called(ask: Ask, operation: Callable[..., Mapping[str, Any]], *given: Any, **arguments: Any) -> Mapping[str, Any]:
    """Call one operation, or several. botocore's parser trips in many ways over an answer that does not fit."""
    try:
        return operation(*given, **arguments)
    except (BotoCoreError, RotatorError):
        raise
    except (ResponseParserError, ValueError, TypeError, LookupError, AttributeError, OverflowError):
        # Without the cause: its text quotes the answer.
        raise UnavailableError(f"{ask}: the answer is not one of AWS's", cause="protocol") from None


def _client(session: boto3.Session, service: str, ask: Ask, endpoint_url: str | None) -> Any:
    config = _config(ask)
    if endpoint_url is None:
        config = config.merge(Config(use_fips_endpoint=ask.fips, use_dualstack_endpoint=ask.dual_stack))
    return session.client(
        service,
        region_name=ask.region,
        endpoint_url=endpoint_url,
        verify=ask.ca_file or not ask.insecure,
        config=config,
    )


def _config(ask: Ask) -> Config:
    return Config(
        connect_timeout=CONNECT_SECONDS,
        read_timeout=READ_SECONDS,
        retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
        proxies={} if ask.proxy is None else {"http": ask.proxy, "https": ask.proxy},
        ignore_configured_endpoint_urls=True,
        user_agent_appid="rotator",
    )
