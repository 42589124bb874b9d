"""Every documented answer of a registry has the diagnosis that its vendor's documents give it, and advice."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rotator.errors import PermanentError, RotatorError, UnavailableError
from rotator.registry.advice import ADVICE, vendor_of
from rotator.registry.answer import Answer, Hint, Place, read_words
from rotator.registry.challenge import parse
from rotator.registry.diagnose import (
    TABLE,
    Ailment,
    Detail,
    Vendor,
    diagnose,
    diagnose_error,
    diagnose_unread_key,
    diagnose_untried,
)

HUB, GHCR, ECR, ECR_PUBLIC, GOOGLE = Vendor.DOCKER_HUB, Vendor.GHCR, Vendor.ECR, Vendor.ECR_PUBLIC, Vendor.GOOGLE
ACR, GITLAB, HARBOR, QUAY, OTHER = Vendor.ACR, Vendor.GITLAB, Vendor.HARBOR, Vendor.QUAY, Vendor.OTHER
TOKEN, BASE, MANIFEST, ACCOUNT = Place.TOKEN, Place.BASE, Place.MANIFEST, Place.ACCOUNT
INSUFFICIENT = 'Bearer realm="r",error="insufficient_scope"'
INVALID = 'Bearer realm="r",error="invalid_token"'
PAGE = "<html><body>Sign in</body></html>"
PULL_LIMIT = "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading"
LOCKED_OUT = "toomanyrequests: too many failed login attempts for username or IP address"
ECR_OLD = "Your Authorization Token has expired. Please run 'aws ecr get-login' to fetch a new one."
ECR_NEW = "Your authorization token has expired. Reauthenticate and try again."
ECR_RIGHT = "User: arn:aws:iam::1:user/x is not authorized to perform: ecr:BatchGetImage on resource: arn:y"


def oci(code: str, message: str = "") -> str:
    """Return an OCI error body."""
    return json.dumps({"errors": [{"code": code, "message": message}]})


def answer(place: Place, status: int, scheme: str, body: str = "", challenge: str = "") -> Answer:
    """Return an answer as the client would make it."""
    words, html = read_words(body.encode()), body.startswith("<html")
    return Answer(place, status, scheme, parse([challenge]), words.code, words.hint, html=html)


def anonymous(status: int, body: str = "", challenge: str = "") -> Answer:
    """Return an answer to nobody in particular, with anybody's bearer token."""
    words = read_words(body.encode())
    return Answer(MANIFEST, status, "bearer", parse([challenge]), words.code, words.hint, anonymous=True)


LIMIT, BUSY = Ailment.RATE_LIMITED, oci("TOOMANYREQUESTS", "Rate exceeded")
HIDDEN, MISSING = Ailment.NO_ACCESS_OR_NOT_FOUND, Ailment.NOT_FOUND
Row = tuple[str, Vendor, Answer, Ailment, Detail]
# What each vendor documents or is known to answer: name, vendor, answer, diagnosis. Sources: the module under test.
DOCUMENTED: list[Row] = [
    ("5xx", OTHER, answer(MANIFEST, 503, "bearer"), Ailment.UNREACHABLE, Detail.SERVER_ERROR),
    ("408", OTHER, answer(MANIFEST, 408, "bearer"), Ailment.UNREACHABLE, Detail.TIMEOUT),
    ("429", OTHER, answer(MANIFEST, 429, "bearer"), LIMIT, Detail.NONE),
    ("code", OTHER, answer(MANIFEST, 403, "bearer", oci("TOOMANYREQUESTS")), LIMIT, Detail.ABUSE),
    ("word", OTHER, answer(MANIFEST, 429, "bearer", "toomanyrequests: slow"), LIMIT, Detail.ABUSE),
    ("secondary", GHCR, answer(MANIFEST, 403, "bearer", "exceeded a secondary rate limit"), LIMIT, Detail.ABUSE),
    ("allowed", GHCR, answer(MANIFEST, 429, "bearer", "toomanyrequests: allowed: 44000/minute"), LIMIT, Detail.ABUSE),
    ("ban", GITLAB, answer(TOKEN, 403, "basic", "Forbidden\n"), LIMIT, Detail.BAN),
    ("pulls", HUB, answer(MANIFEST, 429, "bearer", oci("TOOMANYREQUESTS", PULL_LIMIT)), LIMIT, Detail.PULL_LIMIT),
    ("abuse", HUB, answer(MANIFEST, 429, "bearer", "Too Many Requests"), LIMIT, Detail.ABUSE),
    ("lock-out", HUB, answer(TOKEN, 429, "basic", LOCKED_OUT), LIMIT, Detail.LOGIN_LOCKOUT),
    ("lock-out-401", HUB, answer(TOKEN, 401, "basic", LOCKED_OUT), LIMIT, Detail.LOGIN_LOCKOUT),
    ("rate", ECR_PUBLIC, answer(MANIFEST, 429, "bearer", BUSY), LIMIT, Detail.ABUSE),
    (
        "wrong",
        HUB,
        answer(TOKEN, 401, "basic", '{"details":"incorrect username or password"}'),
        Ailment.AUTH_FAILED,
        Detail.NONE,
    ),
    ("2fa-api", HUB, answer(ACCOUNT, 401, "basic", '{"login_2fa_token":"x"}'), Ailment.TWO_FACTOR, Detail.NONE),
    (
        "2fa-token",
        HUB,
        answer(TOKEN, 401, "basic", '{"details":"please use personal access token to login"}'),
        Ailment.TWO_FACTOR,
        Detail.NONE,
    ),
    ("hidden", HUB, answer(MANIFEST, 401, "bearer", challenge=INSUFFICIENT), HIDDEN, Detail.NONE),
    ("404-by-design", HUB, answer(ACCOUNT, 404, "basic"), HIDDEN, Detail.NONE),
    ("token-denied", GHCR, answer(TOKEN, 403, "basic", oci("DENIED", "denied")), Ailment.AUTH_FAILED, Detail.NONE),
    ("base-denied", GHCR, answer(BASE, 403, "basic", oci("DENIED", "denied")), Ailment.AUTH_FAILED, Detail.NONE),
    (
        "no-read-package",
        GHCR,
        answer(MANIFEST, 403, "bearer", oci("DENIED", "permission_denied: read_package")),
        HIDDEN,
        Detail.NONE,
    ),
    ("manifest-denied", GHCR, answer(MANIFEST, 403, "bearer", oci("DENIED", "denied")), HIDDEN, Detail.NONE),
    ("anonymous-private", GHCR, anonymous(401, oci("UNAUTHORIZED")), Ailment.AUTH_MISSING, Detail.NONE),
    ("expired-403", ECR, answer(MANIFEST, 403, "basic", ECR_OLD), Ailment.AUTH_EXPIRED, Detail.NONE),
    ("expired-code", ECR, answer(MANIFEST, 403, "basic", oci("DENIED", ECR_NEW)), Ailment.AUTH_EXPIRED, Detail.NONE),
    ("expired-400", ECR_PUBLIC, answer(TOKEN, 400, "basic", ECR_NEW), Ailment.AUTH_EXPIRED, Detail.NONE),
    ("no-password", ECR, answer(MANIFEST, 400, "basic"), Ailment.AUTH_FAILED, Detail.NONE),
    ("no-login", ECR, answer(MANIFEST, 401, ""), Ailment.AUTH_MISSING, Detail.NONE),
    ("no-basic", ECR, answer(MANIFEST, 401, "basic", "no basic auth credentials"), Ailment.AUTH_MISSING, Detail.NONE),
    (
        "not-authorised",
        ECR,
        answer(MANIFEST, 403, "basic", oci("DENIED", ECR_RIGHT)),
        Ailment.INSUFFICIENT_SCOPE,
        Detail.NONE,
    ),
    ("no-repository", ECR, answer(MANIFEST, 404, "basic", oci("NAME_UNKNOWN")), MISSING, Detail.REPOSITORY),
    (
        "unauthenticated",
        GOOGLE,
        answer(TOKEN, 403, "basic", oci("DENIED", "Unauthenticated request. Unauthenticated requests do not")),
        Ailment.AUTH_FAILED,
        Detail.NONE,
    ),
    (
        "permission",
        GOOGLE,
        answer(MANIFEST, 403, "bearer", oci("DENIED", 'Permission "x" denied on "y" (or it may not exist)')),
        HIDDEN,
        Detail.NONE,
    ),
    ("exchange", ACR, answer(TOKEN, 401, "basic"), Ailment.AUTH_FAILED, Detail.NONE),
    (
        "scope-map",
        ACR,
        answer(MANIFEST, 401, "bearer", oci("UNAUTHORIZED", "visit https://aka.ms/acr/authorization")),
        Ailment.INSUFFICIENT_SCOPE,
        Detail.NONE,
    ),
    (
        "firewall",
        ACR,
        answer(MANIFEST, 403, "bearer", oci("DENIED", "client with IP '1.2.3.4' is not allowed access")),
        Ailment.UNCLEAR,
        Detail.ADDRESS,
    ),
    ("token", HARBOR, answer(TOKEN, 401, "basic"), Ailment.AUTH_FAILED, Detail.NONE),
    ("not-found", HARBOR, answer(MANIFEST, 404, "bearer", oci("NOT_FOUND")), MISSING, Detail.NONE),
    ("token", QUAY, answer(TOKEN, 401, "basic", "bad credentials"), Ailment.AUTH_FAILED, Detail.NONE),
    (
        "token",
        GITLAB,
        answer(TOKEN, 401, "basic", oci("UNAUTHORIZED", "HTTP Basic: Access denied")),
        Ailment.AUTH_FAILED,
        Detail.NONE,
    ),
    ("forbidden", GITLAB, answer(TOKEN, 403, "basic", oci("DENIED", "access forbidden")), HIDDEN, Detail.NONE),
    ("forbidden-pull", GITLAB, answer(MANIFEST, 403, "bearer", oci("DENIED", "access forbidden")), HIDDEN, Detail.NONE),
    (
        "installation",
        GHCR,
        answer(MANIFEST, 403, "bearer", oci("DENIED", "installation not allowed to Read")),
        HIDDEN,
        Detail.NONE,
    ),
    (
        "retry-after-go",
        GHCR,
        answer(MANIFEST, 429, "bearer", oci("TOOMANYREQUESTS", "retry-after: 880.092us, allowed: 44000/minute")),
        LIMIT,
        Detail.ABUSE,
    ),
    ("throttled", ECR, answer(MANIFEST, 429, "basic", "Too Many Requests"), LIMIT, Detail.ABUSE),
    ("api-limit", HUB, answer(ACCOUNT, 429, "basic"), LIMIT, Detail.NONE),
    (
        "invalidated",
        ECR,
        answer(MANIFEST, 400, "basic", "Your authorization token is invalid."),
        Ailment.AUTH_EXPIRED,
        Detail.NONE,
    ),
    ("misspelt", HUB, answer(MANIFEST, 401, "bearer", oci("UNAUTHORIZED"), INSUFFICIENT), HIDDEN, Detail.NONE),
    ("no-tag", HUB, answer(MANIFEST, 404, "bearer", oci("MANIFEST_UNKNOWN")), MISSING, Detail.TAG),
    ("token-502", HARBOR, answer(TOKEN, 502, "basic", PAGE), Ailment.UNREACHABLE, Detail.SERVER_ERROR),
    (
        "then-403",
        OTHER,
        answer(MANIFEST, 403, "bearer", oci("DENIED", "requested access to the resource is denied")),
        HIDDEN,
        Detail.NONE,
    ),
    ("insufficient", OTHER, answer(MANIFEST, 401, "bearer", challenge=INSUFFICIENT), HIDDEN, Detail.NONE),
    ("invalid-again", OTHER, answer(MANIFEST, 401, "bearer", challenge=INVALID), Ailment.UNCLEAR, Detail.CLOCK),
    (
        "accept",
        OTHER,
        answer(MANIFEST, 404, "bearer", oci("MANIFEST_UNKNOWN", "OCI index found, but accept header does not")),
        Ailment.UNCLEAR,
        Detail.FORMAT,
    ),
    ("no-tag", OTHER, answer(MANIFEST, 404, "bearer", oci("MANIFEST_UNKNOWN")), MISSING, Detail.TAG),
    ("no-name", OTHER, answer(MANIFEST, 404, "bearer", oci("NAME_UNKNOWN")), MISSING, Detail.REPOSITORY),
    ("pulls", OTHER, answer(MANIFEST, 200, "bearer"), Ailment.OK, Detail.NONE),
    ("portal", OTHER, answer(MANIFEST, 200, "bearer", PAGE), Ailment.NOT_A_REGISTRY, Detail.NONE),
    ("web-server", OTHER, answer(BASE, 404, "", "not here"), Ailment.NOT_A_REGISTRY, Detail.NONE),
    ("redirect", OTHER, answer(BASE, 302, ""), Ailment.NOT_A_REGISTRY, Detail.NONE),
    ("nginx", OTHER, answer(BASE, 401, "basic", PAGE, "Basic realm=x"), Ailment.AUTH_FAILED, Detail.NONE),
    ("nginx-anonymous", OTHER, answer(BASE, 401, "", PAGE, "Basic realm=x"), Ailment.AUTH_MISSING, Detail.NONE),
    (
        "anonymous-403",
        GOOGLE,
        anonymous(403, oci("DENIED", "Unauthenticated request.")),
        Ailment.AUTH_MISSING,
        Detail.NONE,
    ),
    ("anonymous-wall", OTHER, answer(BASE, 403, "", "Forbidden"), Ailment.UNCLEAR, Detail.NONE),
    ("anonymous-scope", OTHER, anonymous(401, challenge=INSUFFICIENT), Ailment.AUTH_MISSING, Detail.NONE),
    ("bearer-denied", OTHER, answer(MANIFEST, 401, "bearer", oci("UNAUTHORIZED")), HIDDEN, Detail.NONE),
    ("bare-basic", OTHER, answer(BASE, 401, "basic"), Ailment.AUTH_FAILED, Detail.NONE),
    ("silent-401", OTHER, answer(MANIFEST, 401, "bearer"), Ailment.UNCLEAR, Detail.NONE),
    ("silent-403", OTHER, answer(MANIFEST, 403, "bearer"), Ailment.UNCLEAR, Detail.NONE),
    ("teapot", OTHER, answer(MANIFEST, 418, "bearer"), Ailment.UNCLEAR, Detail.NONE),
]


@pytest.mark.parametrize("row", [pytest.param(row, id=f"{row[1]}-{row[0]}") for row in DOCUMENTED])
def test_documented_answers_are_diagnosed(row: Row) -> None:
    """Each documented answer has exactly its diagnosis, evidence with the status, and advice unless all is well."""
    _, vendor, given_answer, ailment, detail = row
    found = diagnose(given_answer, vendor)
    assert (found.ailment, found.detail) == (ailment, detail)
    assert f"HTTP {given_answer.status}" in found.evidence
    assert bool(found.advice) == (ailment is not Ailment.OK)


def test_no_row_is_out_of_reach() -> None:
    """Every line of the table decides some documented answer: none is hidden behind an earlier one."""
    firsts = {next((row for row in TABLE if row.fits(one[2], one[1])), None) for one in DOCUMENTED}
    unused = [f"{row.ailment}: {row.words}" for row in TABLE if row not in firsts]
    assert unused == []


@pytest.mark.parametrize(
    ("error", "ailment", "detail"),
    [
        pytest.param(UnavailableError("x", cause="dns"), Ailment.UNREACHABLE, Detail.DNS, id="dns"),
        pytest.param(UnavailableError("x", cause="tls"), Ailment.UNREACHABLE, Detail.TLS, id="tls"),
        pytest.param(UnavailableError("x", cause="refused"), Ailment.UNREACHABLE, Detail.REFUSED, id="refused"),
        pytest.param(UnavailableError("x", cause="reset"), Ailment.UNREACHABLE, Detail.REFUSED, id="reset"),
        pytest.param(UnavailableError("x", cause="timeout"), Ailment.UNREACHABLE, Detail.TIMEOUT, id="timeout"),
        pytest.param(UnavailableError("x", cause="5xx"), Ailment.UNREACHABLE, Detail.SERVER_ERROR, id="5xx"),
        pytest.param(UnavailableError("x", cause="protocol"), Ailment.NOT_A_REGISTRY, Detail.NONE, id="not-http"),
        pytest.param(PermanentError("x", hint="do y"), Ailment.UNCLEAR, Detail.NONE, id="realm"),
    ],
)
def test_no_answer_is_diagnosed(error: RotatorError, ailment: Ailment, detail: Detail) -> None:
    """What came instead of an answer keeps its cause, its sentence, and has advice."""
    found = diagnose_error(error)
    assert (found.ailment, found.detail, found.evidence) == (ailment, detail, "x")
    assert found.advice


def test_a_key_that_no_client_reads() -> None:
    """A login under a key that is never looked up is said to be that, with the key to write."""
    found = diagnose_unread_key("https://ghcr.io/v2", "ghcr.io")
    assert found.ailment is Ailment.CLIENT_KEY_MISMATCH
    assert "https://ghcr.io/v2" in found.evidence
    assert found.advice.endswith('"ghcr.io"')


def test_a_login_that_was_not_shown() -> None:
    """A login that was left alone blames nobody, and the advice is its own where there is one."""
    assert diagnose_untried("why").ailment is Ailment.NOT_TRIED
    assert "--socket" in diagnose_untried("why").advice
    assert diagnose_untried("why", "do x").advice == "do x"


@pytest.mark.parametrize(
    ("host", "vendor"),
    [
        ("docker.io", HUB),
        ("ghcr.io", GHCR),
        ("123456789012.dkr.ecr.eu-west-1.amazonaws.com", ECR),
        ("123456789012.dkr-ecr.eu-west-1.on.aws", ECR),
        ("public.ecr.aws", ECR_PUBLIC),
        ("europe-docker.pkg.dev", GOOGLE),
        ("eu.gcr.io", GOOGLE),
        ("acme.azurecr.io", ACR),
        ("registry.gitlab.com", GITLAB),
        ("registry.gitlab.example:5050", GITLAB),
        ("quay.io", QUAY),
        ("harbor.example", HARBOR),
        ("ghcr.io.example", OTHER),
        ("localhost:5000", OTHER),
    ],
)
def test_hosts_tell_their_vendor(host: str, vendor: Vendor) -> None:
    """A vendor is known by its own host names, and by nothing that merely begins with one."""
    assert vendor_of(host) is vendor


def test_every_ailment_has_advice() -> None:
    """Whatever the matter is, there is advice for any vendor; for "ok" there is none."""
    advised = {ailment for ailment, vendor, detail in ADVICE if (vendor, detail) == (OTHER, Detail.NONE)}
    assert advised == set(Ailment) - {Ailment.OK}


_BLAME = {Ailment.AUTH_FAILED, Ailment.AUTH_EXPIRED, Ailment.INSUFFICIENT_SCOPE, HIDDEN}


@settings(deadline=None, max_examples=100)
@given(
    st.sampled_from(Vendor),
    st.sampled_from(Place),
    st.integers(200, 599),
    st.none() | st.sampled_from(Hint),
    st.sampled_from(["", "DENIED", "UNAUTHORIZED"]),
)
def test_nobody_is_blamed_without_a_login(vendor: Vendor, place: Place, status: int, hint: Hint, code: str) -> None:
    """No answer to nobody in particular blames a login, apart from an account's page that hides itself."""
    found = diagnose(Answer(place, status, "bearer", code=code, hint=hint, anonymous=True), vendor)
    assert found.ailment not in _BLAME or (place is ACCOUNT and status == 404)
