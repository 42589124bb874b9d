"""Keep logins in AWS Secrets Manager, for whoever reads them there: ECS, ECR's pull-through cache, pipelines.

A secret is a JSON object. Our fields are edited, the others stay. Every write is a new version, and AWS asks for no
more than one in ten minutes. The write carries a token made from what it is based on and what it brings, so that a
write that is sent twice makes one version. Tags remember the generations.

Source: ECR, "Storing your upstream repository credentials in an AWS Secrets Manager secret" (the keys ``username`` and
``accessToken``; read 2026-11-28). As documented, not read again: AWS Secrets Manager API reference, PutSecretValue and
DescribeSecret; ECS, "Using non-AWS container images".
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID, uuid5

from pydantic import Field, field_validator, model_validator

from rotator.aws.ask import AwsTools, ask_aws, ask_for
from rotator.aws.options import AwsReach
from rotator.config.fields import Fields
from rotator.config.target import TargetConfig
from rotator.domain.declares import Concurrency, Declares, Effect
from rotator.domain.fence import Mark, marked
from rotator.domain.fields import Layout, Part
from rotator.domain.model import Entry, Held, Login
from rotator.domain.site import Site
from rotator.errors import NotFoundError, ShapeError, UnavailableError, UnsupportedError
from rotator.targets.context import TargetContext
from rotator.targets.fields import found, mark_text, parse_mark, placed, refuse_older

MIN_INTERVAL = timedelta(minutes=10)
"""AWS keeps a hundred versions and removes none that is younger than a day; so it asks for no more than one write in
ten minutes."""

TAG_PREFIX = "rotator."
_TOKENS = UUID("8b0c0a0e-3f0e-5c55-9d52-5c7f3a2e6f11")
_PULL_THROUGH = "ecr-pullthroughcache/"
_PAIR = {"username": Part.USERNAME, "password": Part.PASSWORD}


class Preset(StrEnum):
    """Who reads the secret, and thereby which fields it must have."""

    ECS = "ecs"
    """ECS tasks, by ``repositoryCredentials``: ``username`` and ``password``."""
    PULL_THROUGH_CACHE = "ecr-pullthroughcache"
    """ECR's pull-through cache: ``username`` and ``accessToken``."""


_PRESETS: dict[Preset, Layout] = {
    Preset.ECS: _PAIR,
    Preset.PULL_THROUGH_CACHE: {"username": Part.USERNAME, "accessToken": Part.PASSWORD},
}


class AwsSecretsManagerConfig(TargetConfig, AwsReach):
    """Secrets in one region of one account."""

    type: Literal["aws_secrets_manager"]
    """Secrets in AWS Secrets Manager."""

    region: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    """Region of the secrets."""

    secrets: Annotated[tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9/_+=.@:-]{1,2048}$")], ...], Field(min_length=1)]
    """Names or ARNs of secrets that exist; every one is a placement."""

    preset: Preset | None = None
    """Who reads them: ``ecs`` or ``ecr-pullthroughcache``; instead of ``fields``."""

    fields: Fields | None = None
    """What each field of the JSON object holds: ``username``, ``password``, ``registry``, ``auth`` or
    ``docker_config``. ``{credential}`` in a field's name is replaced by the credential's name. None: as the preset
    says, without one ``username`` and ``password``."""

    @property
    def layout(self) -> Layout:
        """What each field holds."""
        return self.fields or _PRESETS.get(self.preset or Preset.ECS, _PAIR)

    def sites(self) -> tuple[Site, ...]:
        """Return the secrets, as asked for by the same role or key; fields of others stay."""
        way = (self.region, self.assume_role or "", self.endpoint_url or "", str(self.access_key or ""))
        return tuple(Site("secrets", ("aws", *way, one), f"the secret {one}", self.layout) for one in self.secrets)

    @field_validator("secrets")
    @classmethod
    def _once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) != len(value):
            raise ValueError("names a secret twice; remove one")
        return value

    @model_validator(mode="after")
    def _preset_fits(self) -> Self:
        if self.preset is not None and self.fields is not None:
            raise ValueError("write either preset or fields: a preset has its own fields")
        names = [secret.rpartition(":secret:")[2] for secret in self.secrets]
        if self.preset is Preset.PULL_THROUGH_CACHE and not all(name.startswith(_PULL_THROUGH) for name in names):
            raise ValueError(f"ECR reads only secrets whose names begin with {_PULL_THROUGH}")
        return self


@dataclass(frozen=True, slots=True)
class _Seen:
    """A secret as it was found.

    Args:
        fields: Its JSON object; empty when it has no version yet. Secret.
        marks: The generations in its tags.
        version: Id of the version that is current; empty for none.
    """

    fields: Mapping[str, Any] = field(repr=False)
    marks: Mapping[str, Mark]
    version: str


class AwsSecretsManagerTarget:
    """Secrets of one region. A placement is a name or ARN as configured.

    Args:
        name: The target's name in the configuration.
        config: Its options.
        context: The world; AWS is asked in its executor.
    """

    Config = AwsSecretsManagerConfig
    kind = "aws_secrets_manager"

    def __init__(self, name: str, config: AwsSecretsManagerConfig, context: TargetContext) -> None:
        self.name = name
        self._config = config
        self._ask = ask_for("secretsmanager", config.region, config)
        self._tools = AwsTools(context.sources, context.executor)
        effect = Effect.NEW_TASKS if config.preset is Preset.ECS else Effect.NEXT_PULL
        self.declares = Declares(effect=effect, concurrency=Concurrency.IDEMPOTENCY_TOKEN, min_interval=MIN_INTERVAL)

    async def placements(self) -> Sequence[str]:
        """Return the configured names. Asks nobody."""
        return self._config.secrets

    async def apply(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Make a secret hold ``entries`` beside its other fields, and read it back. Idempotent.

        Two calls when nothing changes, else up to six: describe, read, tag, write, and both reads again.

        Raises:
            FencedError: A newer generation is there. NotFoundError: The secret must be made by somebody first.
            UnsupportedError: AWS rotates or owns it, or the fields cannot hold the logins. ShapeError: It is no JSON
            object; it is left alone. PermissionDeniedError: Names the action. Others as `rotator.aws.call.call`.
        """
        stop = threading.Event()

        def job(client: Any) -> Mapping[str, Any]:
            return {"held": self._converge(client, placement, entries, stop)}

        try:
            answer = await self._asked(placement, job)
        finally:
            stop.set()  # whatever is still under way in the thread must not write any more
        held: Held = answer["held"]
        return held

    async def read(self, placement: str, entries: Sequence[Entry]) -> Held:
        """Return what a secret holds in the fields of ``entries``. Errors as `apply`."""
        answer = await self._asked(placement, lambda client: {"seen": _look(client, placement)})
        return Held(self._found(answer["seen"], entries, placement), changed=False)

    async def watch(self) -> AsyncIterator[None]:
        """Never yield: the configuration names every secret. Ends when it is cancelled."""
        await asyncio.Event().wait()
        yield

    async def close(self) -> None:
        """Do nothing: nothing is held open between calls."""

    async def _asked(self, placement: str, job: Callable[[Any], Mapping[str, Any]]) -> Mapping[str, Any]:
        if placement not in self._config.secrets:
            raise NotFoundError(f"{self.name}: {placement} is no placement of this target")
        return await ask_aws(self._ask, self._config.access_key, self._tools, job)

    def _found(self, seen: _Seen, entries: Sequence[Entry], placement: str) -> dict[str, Login]:
        return found(seen.fields, entries, self._config.layout, placement)

    def _converge(self, client: Any, placement: str, entries: Sequence[Entry], stop: threading.Event) -> Held:
        before = _look(client, placement)
        held = self._found(before, entries, placement)
        refuse_older(before.marks, held, entries, placement)
        wanted = placed(before.fields, entries, self._config.layout, placement)
        marks = marked(before.marks, entries)
        _refuse_late(placement, stop)
        if marks != before.marks:
            tags = [{"Key": f"{TAG_PREFIX}{name}", "Value": mark_text(mark)} for name, mark in marks.items()]
            client.tag_resource(SecretId=placement, Tags=tags)
        if wanted == before.fields:
            return Held(held, changed=False)
        _refuse_late(placement, stop)
        token = _token(before.version, entries)
        client.put_secret_value(SecretId=placement, SecretString=json.dumps(wanted), ClientRequestToken=token)
        return Held(self._found(_look(client, placement), entries, placement))


def _look(client: Any, placement: str) -> _Seen:
    """Return the secret as it is now. Two calls, one while it has no version."""
    described = client.describe_secret(SecretId=placement)
    _refuse_unsuitable(described, placement)
    tags = {str(tag.get("Key")): tag.get("Value") for tag in described.get("Tags") or ()}
    marks = {key.removeprefix(TAG_PREFIX): parse_mark(tag) for key, tag in tags.items() if key.startswith(TAG_PREFIX)}
    known = {credential: mark for credential, mark in marks.items() if mark is not None}
    stages = described.get("VersionIdsToStages") or {}
    if not any("AWSCURRENT" in held for held in stages.values()):
        return _Seen({}, known, "")
    value = client.get_secret_value(SecretId=placement)
    return _Seen(_object(value, placement), known, str(value.get("VersionId", "")))


def _refuse_unsuitable(described: Mapping[str, Any], placement: str) -> None:
    if "Name" not in described:  # botocore takes a web page for an answer without fields
        raise UnavailableError(f"{placement}: the answer is not one of AWS's", cause="protocol")
    if described.get("DeletedDate"):
        raise NotFoundError(f"{placement}: is scheduled for deletion", hint="Restore it, or name another secret")
    if described.get("OwningService"):
        raise UnsupportedError(f"{placement}: is managed by another AWS service", hint="Name a secret of your own")
    if described.get("RotationEnabled"):
        raise UnsupportedError(
            f"{placement}: is rotated by AWS, too, and each would undo the other's work",
            hint="Switch its rotation in Secrets Manager off, or name another secret",
        )


def _object(value: Mapping[str, Any], placement: str) -> Mapping[str, Any]:
    text = value.get("SecretString")
    parsed: object = None
    if isinstance(text, str):
        try:
            parsed = json.loads(text or "{}")
        except (ValueError, RecursionError):
            parsed = None
    if not isinstance(parsed, dict):
        raise ShapeError(f"{placement}: is not a JSON object, and was left as it is", hint="Name a secret of its own")
    return parsed


def _refuse_late(placement: str, stop: threading.Event) -> None:
    if stop.is_set():
        raise UnavailableError(f"{placement}: took too long to be written", cause="timeout")


def _token(version: str, entries: Sequence[Entry]) -> str:
    """Return the write's token, which becomes the version's id: equal where the same is written onto the same."""
    brings = [f"{entry.credential}:{entry.generation}:{entry.fingerprint}" for entry in entries]
    return str(uuid5(_TOKENS, "|".join([version, *brings])))
