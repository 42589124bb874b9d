"""`create_api`: the paths, the gate in front of them, and what every failure looks like."""

from __future__ import annotations

from functools import partial
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from rotator import __version__
from rotator.admin.access import Access
from rotator.admin.alerts import AlertDesk
from rotator.admin.audit_routes import router as audit_router
from rotator.admin.configuration_routes import router as configuration_router
from rotator.admin.event_routes import router as event_router
from rotator.admin.failure import STATUS, failure, internal
from rotator.admin.gate import Gate
from rotator.admin.hook_routes import router as hook_router
from rotator.admin.image_routes import router as image_router
from rotator.admin.leak_routes import router as leak_router
from rotator.admin.models import Problem
from rotator.admin.openapi import describe
from rotator.admin.plan_routes import router as plan_router
from rotator.admin.routes import Context, router
from rotator.admin.surface import AdminSurface
from rotator.admin.target_routes import router as target_router
from rotator.admin.usage_routes import router as usage_router
from rotator.admin.version_routes import router as version_router
from rotator.errors import RotatorError

_log: Any = structlog.get_logger(__name__)

ROUTERS = (
    router,
    audit_router,
    configuration_router,
    event_router,
    hook_router,
    image_router,
    leak_router,
    plan_router,
    target_router,
    usage_router,
    version_router,
)
_HTTP_CODES = {
    HTTPStatus.NOT_FOUND: "unknown_path",
    HTTPStatus.METHOD_NOT_ALLOWED: "method_not_allowed",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "body_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "not_json",
}
"""What the framework says by itself, in our words; anything else of it is an invalid request."""


def blank_api() -> FastAPI:
    """Return every path, with nothing behind it: for its description."""
    api = FastAPI(
        title="rotator",
        version=__version__,
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    for more in ROUTERS:
        api.include_router(more)
    return api


def create_api(application: AdminSurface, access: Access, alerts: AlertDesk) -> FastAPI:
    """Return the admin API as an ASGI application.

    Args:
        application: The daemon.
        access: Who is let in.
        alerts: Takes alerts in; one for every door, so that it knows what came by another.
    """
    api = blank_api()
    api.openapi = partial(describe, api)  # type: ignore[method-assign]  # FastAPI's documented way to change it
    api.state.context = Context(application, alerts)
    api.add_middleware(Gate, access=access, emit=application.emit)
    api.add_exception_handler(RotatorError, _rotator_error)
    api.add_exception_handler(RequestValidationError, _invalid_request)
    api.add_exception_handler(HTTPException, _http_error)
    api.add_exception_handler(Exception, _unforeseen)
    return api


async def _rotator_error(request: Request, error: Exception) -> Response:
    """Show an error whose code is in the table; of any other only that there was one."""
    if not isinstance(error, RotatorError) or error.code not in STATUS:
        return await _unforeseen(request, error)
    return failure(
        Problem(code=error.code, message=error.message, hint=error.hint, correlation_id=_correlation_id(request))
    )


async def _invalid_request(request: Request, error: Exception) -> Response:
    """Name what is wrong and where, never what was sent."""
    details = error.errors() if isinstance(error, RequestValidationError) else []
    text = "; ".join(f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in details[:5])
    return failure(
        Problem(code="invalid_request", message=text or "invalid request", correlation_id=_correlation_id(request))
    )


async def _http_error(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 400
    code = _HTTP_CODES.get(HTTPStatus(status), "invalid_request")
    message = HTTPStatus(STATUS[code]).phrase.lower()
    return failure(Problem(code=code, message=message, correlation_id=_correlation_id(request)))


async def _unforeseen(request: Request, error: Exception) -> Response:
    """Log the details, show none."""
    _log.error(
        "admin_request_crashed",
        method=request.method,
        path=request.url.path,
        correlation_id=_correlation_id(request),
        exc_info=error,
    )
    return internal(_correlation_id(request))


def _correlation_id(request: Request) -> str:
    return str(getattr(request.state, "correlation_id", ""))
