"""TagoIO on loopback: the documented ``/secrets`` of a profile, and the control plane of a TagoIO Deploy project.

Documented, and imitated: the ``token`` header, the envelope ``{"status": ..., "result": ...}``, errors in three shapes,
limits by route and clock minute whose wait stands in the message's text, secrets that are never shown again
(docs.tago.io, and github.com/tago-io/sdk-js ``src/modules/Resources/Secrets.ts`` and
``src/infrastructure/apiRequest.ts``; read 2026-07-23). Also documented: how a project behaves. Each change is a
deployment, none can be made while one runs, and it counts once that ended well (docs.tago.io, TagoDeploy, read
2026-05-29).

Not documented, and made up here: the control plane's paths and field names, which is why they begin with ``/made-up``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from aiohttp import web

from rotator.sandbox.server import SandboxServer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aiohttp.typedefs import Handler

    from rotator.ports import Clock

MINUTE = 60
FORM_FIELDS = ("image", "image_tag", "username", "password")
BUSY = "A deployment is in progress, the project can not be modified"


class ErrorShape(Enum):
    """How an error's text is wrapped; all three were seen."""

    MESSAGE = "message"
    """``{"status": false, "message": "..."}``"""
    RESULT = "result"
    """``{"status": false, "result": {"message": "..."}}``"""
    TEXT = "text"
    """``{"status": false, "result": "..."}``"""


@dataclass(slots=True)
class SandboxSecret:
    """One secret of the profile, as it is really kept."""

    id: str
    key: str
    value: str
    tags: list[dict[str, str]]
    created_at: datetime
    updated_at: datetime

    def shown(self) -> dict[str, Any]:
        """Return all that is ever told of it."""
        return {
            "id": self.id,
            "key": self.key,
            "tags": self.tags,
            "value_length": len(self.value),
            "created_at": self.created_at.isoformat(),
            "updated_at": self.updated_at.isoformat(),
        }


@dataclass(slots=True)
class Deployment:
    """One deployment of a project."""

    id: str
    started_at: datetime
    ends_at: datetime
    fails: bool
    form: dict[str, str]
    is_settled: bool = False


@dataclass(slots=True)
class Project:
    """One TagoIO Deploy project.

    Args:
        form: What runs, password included; what a deployment that failed had brought is not in it.
        updated_at: When the form was last written, whatever became of it.
        deployments: Oldest first.
    """

    form: dict[str, str]
    updated_at: datetime
    deployments: list[Deployment] = field(default_factory=list)


class SandboxTagoio(SandboxServer):
    """A profile with secrets, and projects with one container each. Every method changes its world at once.

    Args:
        clock: Ends deployments, dates changes, counts minutes.
        token: The one token that is known.
        header: The header in which it is expected.
    """

    def __init__(self, clock: Clock, *, token: str = "p-sandbox", header: str = "token") -> None:  # noqa: S107 (a sandbox)
        app = web.Application(middlewares=[self._admit])
        super().__init__(app)
        self.secrets: dict[str, SandboxSecret] = {}
        self.projects: dict[str, Project] = {}
        self.shape = ErrorShape.MESSAGE
        self.deploy_time = timedelta(minutes=4)
        self.deployments_fail = False
        self.has_policy = True
        self.limit: int | None = None
        self._clock = clock
        self._token = token
        self._header = header
        self._asked_in: dict[tuple[str, str, int], int] = {}
        app.router.add_get("/secrets", self._list)
        app.router.add_post("/secrets", self._create)
        app.router.add_get("/secrets/{id}", self._show)
        app.router.add_put("/secrets/{id}", self._edit)
        app.router.add_get("/made-up/{project}/image", self._show_form)
        app.router.add_put("/made-up/{project}/image", self._edit_form)
        app.router.add_get("/made-up/{project}/deployments", self._list_deployments)

    def add_secret(self, key: str, value: str, tags: Mapping[str, str] | None = None) -> SandboxSecret:
        """Keep a secret that somebody made in the console."""
        now, made = self._clock.now(), [{"key": name, "value": text} for name, text in (tags or {}).items()]
        secret = SandboxSecret(secrets.token_hex(12), key, value, made, now, now)
        self.secrets[secret.id] = secret
        return secret

    def add_project(
        self, project: str, *, image: str, image_tag: str, username: str = "", password: str = ""
    ) -> Project:
        """Make a project whose container runs."""
        form = {"image": image, "image_tag": image_tag, "username": username, "password": password}
        now = self._clock.now()
        first = Deployment(secrets.token_hex(12), now, now, fails=False, form=form)
        self.projects[project] = Project(form, now, [first])
        return self.projects[project]

    def form(self, project: str) -> dict[str, str]:
        """Return what runs in ``project`` now, password included."""
        self._settle(self.projects[project])
        return self.projects[project].form

    def deploy(self, project: str, form: Mapping[str, str] | None = None) -> Deployment:
        """Start a deployment, as somebody does who changes something else in the console."""
        found, now = self.projects[project], self._clock.now()
        merged = {**found.form, **(form or {})}
        begun = Deployment(secrets.token_hex(12), now, now + self.deploy_time, self.deployments_fail, merged)
        found.deployments.append(begun)
        return begun

    @web.middleware
    async def _admit(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get(self._header) != self._token:
            return self._refuse(401, "Authorization Denied")
        wait = self._wait(request)
        if wait:
            return self._refuse(429, f"Too many requests (Retry-After: {wait})")
        if not self.has_policy:
            return self._refuse(403, "Authorization Denied")
        return await handler(request)

    def _wait(self, request: web.Request) -> int:
        """Count the request; return the seconds until the next minute once its route was asked too often."""
        now = self._clock.now().timestamp()
        resource = request.match_info.route.resource
        route = (request.method, resource.canonical if resource else "", int(now // MINUTE))
        self._asked_in[route] = self._asked_in.get(route, 0) + 1
        is_over = self.limit is not None and self._asked_in[route] > self.limit
        return MINUTE - int(now % MINUTE) if is_over else 0

    def _refuse(self, status: int, text: str) -> web.Response:
        bodies: dict[ErrorShape, Any] = {
            ErrorShape.MESSAGE: {"status": False, "message": text},
            ErrorShape.RESULT: {"status": False, "result": {"message": text}},
            ErrorShape.TEXT: {"status": False, "result": text},
        }
        return web.json_response(bodies[self.shape], status=status)

    async def _list(self, request: web.Request) -> web.Response:
        wanted = request.query.get("filter[key]")
        amount, page = int(request.query.get("amount", "20")), int(request.query.get("page", "1"))
        found = [one for one in self.secrets.values() if wanted is None or _matches(wanted, one.key)]
        shown = [{"id": one.id, "key": one.key} for one in sorted(found, key=lambda one: one.key)]
        return _success(shown[(page - 1) * amount : page * amount])

    async def _show(self, request: web.Request) -> web.Response:
        secret = self.secrets.get(request.match_info["id"])
        return _success(secret.shown()) if secret else self._refuse(404, "Secret not found")

    async def _create(self, request: web.Request) -> web.Response:
        body = await request.json()
        if any(one.key == body["key"] for one in self.secrets.values()):
            return self._refuse(400, "Secret key already exists")
        tags = {tag["key"]: tag["value"] for tag in body.get("tags", [])}
        return _success({"id": self.add_secret(body["key"], body["value"], tags).id})

    async def _edit(self, request: web.Request) -> web.Response:
        secret = self.secrets.get(request.match_info["id"])
        if secret is None:
            return self._refuse(404, "Secret not found")
        body = await request.json()
        secret.value = body.get("value", secret.value)
        secret.tags = body.get("tags", secret.tags)
        secret.updated_at = self._clock.now()
        return _success("Successfully Updated")

    async def _show_form(self, request: web.Request) -> web.Response:
        project = self.projects.get(request.match_info["project"])
        if project is None:
            return self._refuse(404, "Project not found")
        self._settle(project)
        shown = {name: text for name, text in project.form.items() if name != "password"}
        return _success({**shown, "updated_at": project.updated_at.isoformat()})

    async def _edit_form(self, request: web.Request) -> web.Response:
        """Change what the body names; a blank password keeps the one that is there."""
        project = self.projects.get(request.match_info["project"])
        if project is None:
            return self._refuse(404, "Project not found")
        self._settle(project)
        if self._running(project):
            return self._refuse(400, BUSY)
        body = {name: text for name, text in (await request.json()).items() if name in FORM_FIELDS}
        if not body.get("password"):
            body.pop("password", None)
        project.updated_at = self._clock.now()
        return _success({"deployment": self.deploy(request.match_info["project"], body).id})

    async def _list_deployments(self, request: web.Request) -> web.Response:
        project = self.projects.get(request.match_info["project"])
        if project is None:
            return self._refuse(404, "Project not found")
        self._settle(project)
        shown = [{"id": one.id, "status": self._status(one)} for one in reversed(project.deployments)]
        return _success(shown)

    def _status(self, deployment: Deployment) -> str:
        if self._clock.now() < deployment.ends_at:
            return "In Progress"
        return "Error" if deployment.fails else "Success"

    def _running(self, project: Project) -> bool:
        return any(self._clock.now() < one.ends_at for one in project.deployments)

    def _settle(self, project: Project) -> None:
        """Let the deployments that have ended take effect, where they ended well."""
        for one in project.deployments:
            if not one.is_settled and self._clock.now() >= one.ends_at:
                one.is_settled = True
                project.form = project.form if one.fails else one.form


def _matches(pattern: str, key: str) -> bool:
    """Return whether a filter finds ``key``: TagoIO's filters ignore case and take ``*`` for any text."""
    head, star, tail = pattern.lower().partition("*")
    return key.lower().startswith(head) and key.lower().endswith(tail) if star else key.lower() == head


def _success(result: Any) -> web.Response:
    return web.json_response({"status": True, "result": result})
