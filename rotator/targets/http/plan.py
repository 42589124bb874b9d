"""What is asked of an HTTP API and how its answers are read, as data. A preset is one of these."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from rotator.domain.declares import Effect, Proof
from rotator.targets.http.pointer import check_pointer
from rotator.targets.template import holes

Pointer = Annotated[str, AfterValidator(check_pointer)]
Path = Annotated[str, Field(pattern=r"^/[\x21-\x7e]*$")]

SECRET_HOLES = frozenset({"password", "docker_config", "auth", "secret"})
"""What can never be part of a URL."""
LOGIN_HOLES = frozenset({"username", "password", "registry", "auth"})
"""What only a single login has."""
HOLES = SECRET_HOLES | LOGIN_HOLES


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class Step(_Part):
    """One request."""

    method: Literal["GET", "POST", "PUT", "PATCH"] = "POST"
    """HTTP method."""

    path: Path
    """Below the URL of the target, with holes; each value is percent-encoded."""

    body: dict[str, Any] | None = None
    """JSON with holes in its texts; None for no body."""


class Login(Step):
    """A request that opens a session; ``{secret}`` is the configured secret."""

    token_at: Pointer
    """Where the session's token is in the answer."""


class Read(Step):
    """A request that changes nothing and shows what the platform has."""

    method: Literal["GET", "POST"] = "GET"
    """HTTP method."""

    item_at: Pointer | None = None
    """Where a list is of which one element is meant; None: the answer itself is meant."""

    item_where: dict[str, str] = {}
    """Fields of that element and what they must be, with holes. All pointers below start from it."""

    username_at: Pointer | None = None
    """Where the user name is shown."""

    password_at: Pointer | None = None
    """Where the password is shown."""

    docker_config_at: Pointer | None = None
    """Where a docker configuration is shown, as text; what ``{docker_config}`` is merged into."""

    changed_at: Pointer | None = None
    """Where it is shown when or how often it was changed."""

    take: dict[str, Pointer] = {}
    """Further holes, filled from the answer: platforms that want everything sent back."""

    absent: dict[str, str] | None = None
    """What these holes are where the platform answers 404; None: 404 is an error."""

    @property
    def proof(self) -> Proof:
        """The strongest proof that the answer can give."""
        if self.password_at is not None or self.docker_config_at is not None:
            return Proof.VALUE
        if self.username_at is not None:
            return Proof.USERNAME
        return Proof.METADATA if self.changed_at is not None else Proof.NONE


class Status(Read):
    """A request that tells how far the platform has come with what it was told."""

    state_at: Pointer
    """Where the state is."""

    ok: tuple[str, ...]
    """States in which all is done."""

    busy: tuple[str, ...] = ()
    """States in which the platform is at work: nothing is sent, and what was sent is not yet done."""

    failed: tuple[str, ...] = ()
    """States in which it gave up; a person must look."""


class Envelope(_Part):
    """How an answer with a status of success says that it is none."""

    code_at: Pointer | None = None
    """Where the platform's own code is."""

    ok: tuple[str | int | bool, ...] = ()
    """Codes that mean success."""

    errors_at: Pointer | None = None
    """Where errors are listed; anything but nothing, null and an empty list is a failure."""


class Plan(_Part):
    """All that is known about one API."""

    header: str = "Authorization"
    """Header that carries the secret, or the session's token."""

    prefix: str = "Bearer "
    """What stands before it."""

    headers: dict[str, str] = {}
    """Further headers of every request. Not secret."""

    login: Login | None = None
    """How a session is opened; None: the secret itself is shown."""

    apply: Step
    """What brings the login there."""

    read: Read | None = None
    """What shows it; None: nothing does."""

    check: Step | None = None
    """What has the platform itself try the login after it was written; None: nothing does."""

    status: Status | None = None
    """What tells the state of a deployment; None: there is none."""

    finish: Step | None = None
    """A last request, such as one that deploys again; None for none."""

    envelope: Envelope = Envelope()
    """How a success may be a failure."""

    keep_at: Pointer | None = None
    """Where the platform replaces an object as a whole: fields of others that were read there are sent back."""

    changed_on: tuple[int, ...] = ()
    """Statuses of ``apply`` after which the change may have been made all the same; then ``check`` decides."""

    effect: Effect = Effect.NEXT_PULL
    """What a write brings about."""

    values: dict[str, str] = {}
    """Values of holes, unless the configuration says otherwise."""

    def steps(self) -> list[Step]:
        """Return every request there is."""
        known = (self.login, self.apply, self.read, self.check, self.status, self.finish)
        return [step for step in known if step is not None]

    def wanted(self) -> frozenset[str]:
        """Return the names of the holes that the configuration must fill."""
        texts = [(step.path, step.body, getattr(step, "item_where", {})) for step in self.steps()]
        taken = frozenset(self.read.take) if self.read else frozenset()
        return holes(texts) - HOLES - taken
