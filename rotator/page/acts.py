"""The pages that ask for something: each says what will happen, and a form that only it can make sets it going."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from rotator.admin.access import Caller, Refusal
from rotator.admin.idempotency import Answers
from rotator.admin.surface import AdminSurface
from rotator.page.ask import ROLES, ask_of
from rotator.page.doors import COOKIE, session_of
from rotator.page.forms import generation_in, parse_form, reason_in
from rotator.page.render import Reader
from rotator.page.routes import Desk, knock_in
from rotator.page.sessions import LIFETIME_SECONDS

_WAY_BACK = re.compile(r"/(credentials(/[a-z0-9._-]{1,63}(/[a-z]{1,10})?)?)?")
"""Where a login may lead to: our own pages."""
MAX_TOKEN_CHARS = 1000

_log: Any = structlog.get_logger(__name__)


class ActPages:
    """Answers the pages with forms.

    Args:
        desk: What every page needs.
        surface: The daemon.
    """

    def __init__(self, desk: Desk, surface: AdminSurface) -> None:
        self._desk = desk
        self._surface = surface
        self._answers: Answers[str] = Answers()

    async def ask(self, request: Request, caller: Caller) -> Response:
        """Say what will happen, and offer the button."""
        refusal = self._not_for(request, caller)
        if refusal is not None:
            return self._desk.refused(request, caller, refusal)
        return await self._form(request, caller, {}, "")

    async def act(self, request: Request, caller: Caller) -> Response:
        """Do it, and lead to where it is followed."""
        form = parse_form(await request.body())
        refusal = self._not_for(request, caller) or self._unsealed(request, caller, form)
        if refusal is not None:
            return self._desk.refused(request, caller, refusal)
        reason, mistake = reason_in(form)
        if mistake:
            return await self._form(request, caller, form, mistake)
        name, action, generation = request.path_params["name"], request.path_params["action"], generation_in(form)
        rotation = await self._answers.once(
            (caller.name, form.get("key", "")),
            (action, name, reason, str(generation)),
            lambda: self._do(action, name, reason, generation, caller),
        )
        return RedirectResponse(f"/credentials/{name}?asked={rotation}" if rotation else f"/credentials/{name}", 303)

    async def login(self, request: Request) -> Response:
        """Show the form for a token, unless whoever asks is in already."""
        knock = knock_in(request)
        if not isinstance(self._desk.door.admit(knock), Refusal):
            return RedirectResponse("/", 303)
        # A cookie that is SameSite=Strict is not sent where a link on another site led here: look again from our own.
        is_led_here = knock.headers.get("sec-fetch-site") in {"cross-site", "same-site"}
        values = {"next": _way_back(request.query_params.get("next", "")), "mistake": "", "again": is_led_here}
        return HTMLResponse(self._desk.renderer.render("login.html", Reader(), values))

    async def log_in(self, request: Request) -> Response:
        """Open a session for whoever knows a token."""
        form = parse_form(await request.body())
        way_back = _way_back(form.get("next", ""))
        session = self._desk.door.log_in(knock_in(request), form.get("token", "").strip()[:MAX_TOKEN_CHARS])
        if isinstance(session, Refusal):
            return self._try_again(request, session, way_back)
        _log.info("page_login", address=knock_in(request).address, correlation_id=request.state.correlation_id)
        answer = RedirectResponse(way_back, 303)
        answer.set_cookie(
            COOKIE,
            session,
            max_age=int(LIFETIME_SECONDS),
            path="/",
            httponly=True,
            samesite="strict",
            # The gate has seen that the origin is ours; behind a proxy only the browser knows that it speaks HTTPS.
            secure=request.headers.get("origin", "").startswith("https://"),
        )
        return answer

    async def log_out(self, request: Request, caller: Caller) -> Response:
        """Close the session."""
        form = parse_form(await request.body())
        refusal = self._unsealed(request, caller, form)
        if refusal is not None:
            return self._desk.refused(request, caller, refusal)
        self._desk.door.log_out(knock_in(request))
        answer = RedirectResponse("/login", 303)
        answer.delete_cookie(COOKIE, path="/")
        return answer

    async def _do(self, action: str, name: str, reason: str, generation: int | None, caller: Caller) -> str:
        """Ask the daemon; return the id of the rotation, empty where it is not known yet."""
        _log.info("page_asked", action=action, credential=name, by=caller.name)
        if action == "rotate":
            return (await self._surface.request_rotation(name, reason, caller.name)).rotation
        if action == "rollback":
            return (await self._surface.request_rollback(name, generation, reason, caller.name)).rotation
        await self._surface.report_leak(name, reason, caller.name)
        running = self._surface.status(name).running
        return running.id if running is not None else ""

    async def _form(self, request: Request, caller: Caller, form: Mapping[str, str], mistake: str) -> Response:
        """Return the page before the action; once more, with what was written and what is wrong with it."""
        path, action = request.url.path, request.path_params["action"]
        view = ask_of(action, await self._desk.gatherer.outlook(request.path_params["name"]))
        values = {
            "view": view,
            "seal": self._desk.seal(request, caller, path),
            "key": secrets.token_hex(16),
            "reason": form.get("reason", ""),
            "chosen": generation_in(dict(form)) or (view.choices[0].generation if view.choices else 0),
            "mistake": mistake,
            "path": path,
            "here": "ask",
        }
        answer = await self._desk.html(request, caller, "ask.html", values)
        answer.status_code = 422 if mistake else 200
        return answer

    def _not_for(self, request: Request, caller: Caller) -> Refusal | None:
        """Return why ``caller`` may not ask for this; None when they may."""
        needed = ROLES.get(request.path_params["action"])
        if needed is None:
            return Refusal("unknown_path", "there is no such page")
        if caller.role >= needed:
            return None
        return Refusal(
            "role_too_low",
            f"this needs the role {needed.name.lower()}, and {caller.name} is {caller.role.name.lower()}",
            hint="Roles are given in admin.tokens_file, after the token",
        )

    def _unsealed(self, request: Request, caller: Caller, form: Mapping[str, str]) -> Refusal | None:
        """Return a refusal unless the form was made by this page, for this caller and this path."""
        session, path = session_of(knock_in(request)), request.url.path
        if self._desk.seals.is_sealed(form.get("csrf", ""), caller, session, path):
            return None
        return Refusal("cross_site", "this form was not made by this page", hint="Open the page anew and try again")

    def _try_again(self, request: Request, refusal: Refusal, way_back: str) -> Response:
        if refusal.code not in {"token_required", "token_unknown"}:
            return self._desk.refused(request, None, refusal)
        _log.warning(
            "page_login_refused", address=knock_in(request).address, correlation_id=request.state.correlation_id
        )
        values = {"next": way_back, "mistake": "This token is not known.", "again": False}
        return HTMLResponse(self._desk.renderer.render("login.html", Reader(), values), 401)


def _way_back(path: str) -> str:
    return path if _WAY_BACK.fullmatch(path) else "/"
