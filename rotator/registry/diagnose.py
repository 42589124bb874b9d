"""Why an image does not pull: the table of registries' dialects, from an answer to a diagnosis with advice. Pure.

The first row that fits decides. Only a registry's own word blames a login, and only one that was shown; what no row
explains is "unclear", never a guess.

Sources (read 2026-11-23), beside those of `rotator.registry.answer`: distribution, ``registry/auth/token`` (``error``
of the second challenge) and ``registry/handlers/manifests.go`` (``accept header``); docker/hub-feedback issues 728,
2040 and 2201; aws/aws-cli issues 4962 and 9864 (ECR's 400); containerd issue 2052; podman issue 10858; goharbor/harbor
issue 20764 (``NOT_FOUND``); argo-cd issue 26260 (Google's "Unauthenticated request").
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from rotator.errors import RateLimitedError, RotatorError, UnavailableError
from rotator.registry.advice import ADVICE, Ailment, Detail, Vendor
from rotator.registry.answer import Answer, Hint, Place
from rotator.registry.challenge import find

__all__ = [
    "Ailment", "Detail", "Diagnosis", "Vendor", "diagnose", "diagnose_error", "diagnose_unread_key", "diagnose_untried"
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is the matter with an image, or that nothing is.

    Args:
        ailment: The kind, for machines.
        evidence: What was observed, in a sentence without secrets and without a body.
        advice: What a person does next; empty when nothing is needed.
        detail: The kind within the kind; `Detail.NONE` where there is none.
    """

    ailment: Ailment
    evidence: str
    advice: str
    detail: Detail = Detail.NONE


class _Shown(StrEnum):
    """Whether an answer is about somebody's login."""

    LOGIN = "login"
    NOTHING = "nothing"


class _Format(StrEnum):
    """What an answer's body looks like."""

    PAGE = "page"
    """A web page."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. An empty collection, or None, fits every answer.

    Args:
        ailment: The diagnosis.
        words: The evidence, after the status.
        detail: The kind within the kind.
        status: HTTP statuses.
        place: Who answered.
        vendor: Whose registry it is.
        scheme: How the request was logged in.
        code: OCI error codes.
        hint: What the body says in words.
        error: ``error`` of the bearer challenge.
        offers: A scheme that the answer's challenges must offer; empty for any.
        shown: Whether a login was shown.
        format: What the body looks like.
    """

    ailment: Ailment
    words: str
    detail: Detail = Detail.NONE
    status: Collection[int] = ()
    place: Collection[Place] = ()
    vendor: Collection[Vendor] = ()
    scheme: Collection[str] = ()
    code: Collection[str] = ()
    hint: Collection[Hint] = ()
    error: Collection[str] = ()
    offers: str = ""
    shown: _Shown | None = None
    format: _Format | None = None

    def fits(self, answer: Answer, vendor: Vendor) -> bool:
        """Return whether this line is about ``answer``."""
        wanted: tuple[tuple[Collection[object], object], ...] = (
            (self.status, answer.status),
            (self.place, answer.place),
            (self.vendor, vendor),
            (self.scheme, answer.scheme),
            (self.code, answer.code),
            (self.hint, answer.hint),
            (self.error, answer.error),
            ((self.shown,) if self.shown else (), _Shown.LOGIN if answer.has_login else _Shown.NOTHING),
            ((self.format,) if self.format else (), _Format.PAGE if answer.html else _Format.OTHER),
        )
        offered = not self.offers or find(answer.challenges, self.offers) is not None
        return offered and all(not values or value in values for values, value in wanted)


_HUB, _GITLAB, _ECR = (Vendor.DOCKER_HUB,), (Vendor.GITLAB,), (Vendor.ECR,)
_TOKEN, _MANIFEST, _ACCOUNT = (Place.TOKEN,), (Place.MANIFEST,), (Place.ACCOUNT,)
_LOGIN_PLACES, _REGISTRY = (Place.TOKEN, Place.ACCOUNT), (Place.BASE, Place.MANIFEST)
_REFUSALS = frozenset({"DENIED", "UNAUTHORIZED", "FORBIDDEN"})
_BEARER, _BASIC = ("bearer",), ("basic",)
_OK, _REDIRECT, _BROKEN = range(200, 300), range(300, 400), range(500, 600)

TABLE: tuple[Row, ...] = (
    # Limits, whatever their status: none says anything about the login.
    Row(Ailment.RATE_LIMITED, "too many failed logins", Detail.LOGIN_LOCKOUT, hint=(Hint.LOCKED_OUT,)),
    Row(Ailment.RATE_LIMITED, "the pull limit is reached", Detail.PULL_LIMIT, hint=(Hint.PULL_LIMIT,)),
    Row(Ailment.RATE_LIMITED, "asked to slow down", Detail.ABUSE, hint=(Hint.SLOW_DOWN,)),
    Row(Ailment.RATE_LIMITED, "asked to slow down", status=(429,)),
    Row(Ailment.UNCLEAR, "refused our address, not the login", Detail.ADDRESS, hint=(Hint.BLOCKED_ADDRESS,)),
    Row(Ailment.UNREACHABLE, "the server failed", Detail.SERVER_ERROR, status=_BROKEN),
    Row(Ailment.UNREACHABLE, "the server waited too long", Detail.TIMEOUT, status=(408,)),
    # The login itself, in words.
    Row(
        Ailment.AUTH_EXPIRED,
        "the password has expired or is invalid",
        status=(400, 401, 403),
        hint=(Hint.EXPIRED,),
        shown=_Shown.LOGIN,
    ),
    Row(Ailment.TWO_FACTOR, "the account wants more than a password", status=(401,), hint=(Hint.TWO_FACTOR,)),
    Row(Ailment.AUTH_MISSING, "no login arrived", status=(400, 401, 403), hint=(Hint.NO_LOGIN,)),
    Row(
        Ailment.AUTH_FAILED,
        "the password is none that ECR issues",
        status=(400,),
        place=_REGISTRY,
        vendor=_ECR,
        scheme=_BASIC,
        code=("",),
        shown=_Shown.LOGIN,
    ),
    # Rights.
    Row(
        Ailment.INSUFFICIENT_SCOPE,
        "the login is good and lacks a right",
        status=(400, 401, 403),
        place=_REGISTRY,
        hint=(Hint.NOT_GRANTED,),
        shown=_Shown.LOGIN,
    ),
    Row(
        Ailment.NO_ACCESS_OR_NOT_FOUND,
        "insufficient_scope: not granted, or does not exist",
        status=(401,),
        place=_REGISTRY,
        scheme=_BEARER,
        error=("insufficient_scope",),
        shown=_Shown.LOGIN,
    ),
    Row(
        Ailment.UNCLEAR,
        "refused a fresh bearer token as invalid",
        Detail.CLOCK,
        status=(401,),
        place=_REGISTRY,
        scheme=_BEARER,
        error=("invalid_token",),
    ),
    Row(
        Ailment.NO_ACCESS_OR_NOT_FOUND,
        "refused a fresh bearer token: not granted, or does not exist",
        status=(401,),
        place=_REGISTRY,
        scheme=_BEARER,
        code=_REFUSALS,
        shown=_Shown.LOGIN,
    ),
    # 403: who is refused, the login or the wish?
    Row(
        Ailment.AUTH_FAILED,
        "unauthenticated: the login does not count as one",
        status=(403,),
        hint=(Hint.ANONYMOUS,),
        shown=_Shown.LOGIN,
    ),
    Row(
        Ailment.AUTH_FAILED,
        "denied: the login has expired, was revoked or is wrong",
        status=(403,),
        place=(Place.TOKEN, Place.BASE),
        hint=(Hint.BARE_DENIAL,),
        shown=_Shown.LOGIN,
    ),
    Row(
        Ailment.NO_ACCESS_OR_NOT_FOUND,
        "denied: not granted to this login, or does not exist",
        status=(403,),
        code=_REFUSALS,
        shown=_Shown.LOGIN,
    ),
    Row(
        Ailment.RATE_LIMITED,
        "refused without a word, as after too many failed logins",
        Detail.BAN,
        status=(403,),
        place=_TOKEN,
        vendor=_GITLAB,
        code=("",),
        format=_Format.OTHER,
    ),
    # 404: a registry's word, or somebody else's.
    Row(Ailment.UNCLEAR, "has the image in a format not asked for", Detail.FORMAT, status=(404,), hint=(Hint.ACCEPT,)),
    Row(
        Ailment.NOT_FOUND,
        "does not exist",
        Detail.TAG,
        status=(404,),
        place=_MANIFEST,
        code=("MANIFEST_UNKNOWN",),
    ),
    Row(
        Ailment.NOT_FOUND,
        "does not exist",
        Detail.REPOSITORY,
        status=(404,),
        place=_MANIFEST,
        code=("NAME_UNKNOWN",),
    ),
    Row(Ailment.NOT_FOUND, "does not exist", status=(404,), place=_MANIFEST, code=("NOT_FOUND",)),
    Row(
        Ailment.NO_ACCESS_OR_NOT_FOUND,
        "hides what may not be seen",
        status=(404,),
        place=_ACCOUNT,
        vendor=_HUB,
    ),
    # The login itself, by the status alone; a proxy's page does not count, unless it asks as a registry does.
    Row(
        Ailment.AUTH_FAILED,
        "wrong login",
        status=(401,),
        place=_REGISTRY,
        scheme=_BASIC,
        offers="basic",
        shown=_Shown.LOGIN,
    ),
    Row(Ailment.AUTH_MISSING, "wants a login", status=(401,), offers="basic", shown=_Shown.NOTHING),
    Row(Ailment.NOT_A_REGISTRY, "a web page, as a portal or proxy sends", format=_Format.PAGE),
    Row(Ailment.AUTH_FAILED, "wrong login", status=(401,), place=_LOGIN_PLACES, shown=_Shown.LOGIN),
    Row(Ailment.AUTH_FAILED, "wrong login", status=(401,), place=_REGISTRY, scheme=_BASIC, shown=_Shown.LOGIN),
    Row(Ailment.AUTH_MISSING, "wants a login, or hides what does not exist", status=(401,), shown=_Shown.NOTHING),
    Row(
        Ailment.AUTH_MISSING,
        "wants a login, or hides what does not exist",
        status=(403,),
        code=_REFUSALS,
        shown=_Shown.NOTHING,
    ),
    Row(Ailment.UNCLEAR, "asks for a login without saying what is wrong with this one", status=(401,)),
    Row(Ailment.UNCLEAR, "refused without a registry's error code", status=(403,)),
    Row(Ailment.NOT_A_REGISTRY, "is not a registry's answer", status=(404,)),
    Row(Ailment.NOT_A_REGISTRY, "a redirect, which is not followed", status=_REDIRECT),
    Row(Ailment.OK, "accepted", status=_OK),
)
"""The first row that fits an answer is its diagnosis."""

_OTHERWISE = Row(Ailment.UNCLEAR, "an answer that nothing here explains")

_CAUSES = {
    "timeout": Detail.TIMEOUT,
    "dns": Detail.DNS,
    "tls": Detail.TLS,
    "refused": Detail.REFUSED,
    "reset": Detail.REFUSED,
    "5xx": Detail.SERVER_ERROR,
}


def diagnose(answer: Answer, vendor: Vendor = Vendor.OTHER) -> Diagnosis:
    """Return what ``answer`` means.

    Args:
        answer: Of a registry, a token server or the vendor's API.
        vendor: Whose it is: some dialects differ, and so does the advice.
    """
    row = next((row for row in TABLE if row.fits(answer, vendor)), _OTHERWISE)
    code = f" {answer.code}" if answer.code in row.code and answer.code else ""
    return Diagnosis(row.ailment, f"HTTP {answer.status}{code}: {row.words}", _advice(row, vendor), row.detail)


def diagnose_error(error: RotatorError) -> Diagnosis:
    """Return what it means that there was no answer at all.

    Args:
        error: What `rotator.registry.client` raised.
    """
    if isinstance(error, UnavailableError) and error.cause in _CAUSES:
        row = Row(Ailment.UNREACHABLE, error.message, _CAUSES[error.cause])
    elif isinstance(error, RateLimitedError):
        return Diagnosis(Ailment.RATE_LIMITED, error.message, error.hint)
    elif isinstance(error, UnavailableError):
        row = Row(Ailment.NOT_A_REGISTRY, error.message)
    else:
        return Diagnosis(Ailment.UNCLEAR, error.message, error.hint)
    return Diagnosis(row.ailment, row.words, _advice(row, Vendor.OTHER), row.detail)


def diagnose_unread_key(key: str, wanted: str) -> Diagnosis:
    """Return what it means that a login is wanted and that the only one about the registry is never found.

    Args:
        key: The key of the login in a docker configuration. Not secret.
        wanted: The key that clients look for.
    """
    words = f'the login under "{key}" is found by no client'
    advice = ADVICE[Ailment.CLIENT_KEY_MISMATCH, Vendor.OTHER, Detail.NONE]
    return Diagnosis(Ailment.CLIENT_KEY_MISMATCH, words, f'{advice} to "{wanted}"')


def diagnose_untried(why: str, hint: str = "") -> Diagnosis:
    """Return what it means that a login is wanted and that the one there is was not shown.

    Args:
        why: Why it was not, in a sentence without secrets.
        hint: What to do; empty for the usual.
    """
    advice = ADVICE[Ailment.NOT_TRIED, Vendor.OTHER, Detail.NONE]
    return Diagnosis(Ailment.NOT_TRIED, why, hint or advice)


def _advice(row: Row, vendor: Vendor) -> str:
    """Return the closest advice: for this vendor and detail, for the vendor, for the detail, for the ailment."""
    tries = ((vendor, row.detail), (vendor, Detail.NONE), (Vendor.OTHER, row.detail), (Vendor.OTHER, Detail.NONE))
    return next((text for who, detail in tries if (text := ADVICE.get((row.ailment, who, detail)))), "")
