"""Google's tokens and keys."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from rotator.domain.inspection import NOTHING_KNOWN, Inspection
from rotator.domain.model import UNKNOWN, Expiry, Login, Strategy
from rotator.errors import AuthenticationError, ConfigError, RotatorError, ShapeError, UnavailableError
from rotator.ports import Order
from rotator.providers.context import ProviderContext
from rotator.providers.gar import Gar, GarConfig
from rotator.providers.google_sdk import aware
from rotator.secret import Secret

CANARY = "canary-7f3a9c51d2e8"
HOST = "europe-west1-docker.pkg.dev"
Google = Any  # the class is in conftest, which tests do not import
HeldSource = Any
Make = Callable[..., Gar]


@pytest.fixture
def make(make_context: Callable[[str], ProviderContext], google: Google, held_source: HeldSource) -> Make:
    """Return a function that makes a provider whose credentials file is in the source."""
    held_source.put("google", json.dumps(google.document), revision="3")

    def build(**options: Any) -> Gar:
        given = {"registry": HOST, "credentials": {"vault": "google"}, "iam_url": google.url, "insecure": True}
        return Gar(GarConfig.model_validate({**given, **options}), make_context(HOST))

    return build


async def test_a_token_lives_as_long_as_google_says(make: Make, google: Google) -> None:
    """The expiry is Google's own word in UTC, not an hour that somebody assumed."""
    google.expires_in = 300
    issued = await make().issue(Order())
    assert issued.login.username == "oauth2accesstoken"
    assert issued.login.secret.reveal().startswith("ya29.")
    assert issued.expiry.at is not None
    assert abs(issued.expiry.at - datetime.now(UTC) - timedelta(minutes=5)) < timedelta(minutes=1)


async def test_impersonation_asks_twice_and_takes_the_second_expiry(make: Make, google: Google) -> None:
    """The first token buys the second, which is the login."""
    issued = await make(impersonate="pull@p.example").issue(Order())
    assert issued.expiry == Expiry(datetime(2096, 11, 23, 13, tzinfo=UTC))
    assert [asked.path.rpartition("/")[2] for asked in google.asked] == ["token", "pull@p.example:generateAccessToken"]


async def test_a_workload_identity_is_exchanged(
    make: Make, google: Google, held_source: HeldSource, keep: Callable[[str, str], dict[str, str]]
) -> None:
    """A configuration of the kind external_account turns the token in a file into Google's own."""
    token = keep("subject-token", "projected")["file"]
    document = {
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": f"{google.url}/sts",
        "credential_source": {"file": token},
    }
    held_source.put("google", json.dumps(document))
    issued = await make().issue(Order())
    assert issued.login.secret.reveal().startswith("ya29.")
    assert google.subjects == ["projected"]


async def test_a_document_that_names_a_program_is_refused(make: Make, held_source: HeldSource) -> None:
    """No source makes the daemon run anything."""
    source = {"executable": {"command": "/bin/true"}}
    held_source.put("google", json.dumps({"type": "external_account", "credential_source": source}))
    with pytest.raises(ShapeError, match="not used"):
        await make().issue(Order())


async def test_google_auth_finds_the_machines_identity(
    make: Make, google: Google, keep: Callable[[str, str], dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a credentials option, google-auth's own search is used."""
    path = keep("adc.json", json.dumps(google.document))["file"]
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", path)
    issued = await make(credentials=None).issue(Order())
    assert issued.login.secret.reveal().startswith("ya29.")


async def test_credentials_with_one_principal_share_a_token(make: Make, google: Google) -> None:
    """Two registries of one principal cost one call."""
    one, other = await make().issue(Order()), await make(registry="gcr.io").issue(Order())
    assert one == other
    assert google.count("POST", "/token") == 1


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        pytest.param(400, AuthenticationError, id="refused"),
        pytest.param(401, AuthenticationError, id="unknown"),
        pytest.param(403, AuthenticationError, id="forbidden"),
    ],
)
async def test_a_refusal_does_not_quote_google(
    make: Make, google: Google, status: int, expected: type[RotatorError]
) -> None:
    """Google's answer, which may hold a secret, is in no error."""
    google.fail(status, path="/token", body=json.dumps({"error": "invalid_grant", "error_description": CANARY}))
    with pytest.raises(expected, match="Google as vault:google") as caught:
        await make().issue(Order())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_an_unreachable_api_for_impersonation_is_unavailable(make: Make, google: Google) -> None:
    """A Google that is gone is a reason to wait."""
    await google.stop()
    with pytest.raises(UnavailableError):
        await make(impersonate="pull@p.example").issue(Order())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("[]", id="list"),
        pytest.param("{}", id="nothing"),
        pytest.param('{"type": "service_account"}', id="half"),
        pytest.param(f'{{"type": "service_account", "private_key": "{CANARY}"}}', id="broken-key"),
        pytest.param(f"{CANARY}", id="not-json"),
        pytest.param("[" * 5000, id="deep"),
    ],
)
async def test_a_document_of_another_kind_is_a_shape_error(make: Make, held_source: HeldSource, text: str) -> None:
    """What is no credentials file is named as such, without its content."""
    held_source.put("google", text)
    with pytest.raises(ShapeError) as caught:
        await make().issue(Order())
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_key_is_read_and_is_the_password(make: Make, held_source: HeldSource, google: Google) -> None:
    """With json_key nobody is asked: the document is the password, and its revision the source's."""
    provider = make(json_key={"vault": "google"}, credentials=None)
    issued = await provider.issue(Order())
    assert (issued.login.username, issued.revision, issued.expiry) == ("_json_key", "3", UNKNOWN)
    assert issued.login.secret.reveal() == held_source.held["google"].secret.reveal()
    assert await provider.revision() == "3"
    assert list(google.asked) == []


async def test_a_key_says_whose_it_is(make: Make, held_source: HeldSource) -> None:
    """The address in the document is the principal; of a text that is none nothing is known."""
    provider = make(json_key={"vault": "google"}, credentials=None)
    issued = await provider.issue(Order())
    assert issued.principal == "a@p.example"
    assert await provider.inspect(issued.login) == Inspection(principal="a@p.example")
    for text in ("", "[]", "{}", '{"client_email": 7}', "[" * 100_000):
        held_source.put("google", text)
        assert (await provider.issue(Order())).principal == ""


async def test_who_is_impersonated_is_the_principal(make: Make) -> None:
    """Nobody is asked for that, and without it nothing is known."""
    provider = make(impersonate="pull@p.example")
    issued = await provider.issue(Order())
    assert issued.principal == "pull@p.example"
    assert await provider.inspect(issued.login) == Inspection(principal="pull@p.example")
    assert await make().inspect(issued.login) == NOTHING_KNOWN


TOLD = {"scope": "openid https://www.googleapis.com/auth/cloud-platform", "exp": "1800000000", "email": "a@p.example"}


@pytest.mark.parametrize(
    ("status", "answer", "expected"),
    [
        pytest.param(
            200,
            json.dumps(TOLD),
            Inspection(
                Expiry(datetime(2027, 1, 15, 8, tzinfo=UTC)),
                frozenset({"openid", "https://www.googleapis.com/auth/cloud-platform"}),
                "a@p.example",
            ),
            id="all",
        ),
        pytest.param(200, "{}", NOTHING_KNOWN, id="nothing"),
        pytest.param(200, '{"scope": 7, "exp": true, "email": 7}', NOTHING_KNOWN, id="other kinds"),
        pytest.param(200, '{"exp": "soon"}', NOTHING_KNOWN, id="no number"),
        pytest.param(200, '{"exp": "9999999999999999"}', NOTHING_KNOWN, id="too far"),
        pytest.param(400, '{"error": "invalid_token"}', NOTHING_KNOWN, id="refused"),
        pytest.param(200, "<html>", NOTHING_KNOWN, id="a page"),
    ],
)
async def test_google_is_asked_about_a_token_where_that_is_wanted(
    make: Make, google: Google, status: int, answer: str, expected: Inspection
) -> None:
    """The token is shown in a header, not in the address; what is not told is not known."""
    google.fail(status, path="/tokeninfo", body=answer)
    provider = make(tokeninfo_url=f"{google.url}/tokeninfo")
    login = Login("oauth2accesstoken", Secret("ya29.token"))
    assert await provider.inspect(login) == expected
    (asked,) = google.asked
    assert (asked.method, asked.path, asked.query) == ("POST", "/tokeninfo", "")
    assert asked.credential == "Bearer ya29.token"


async def test_a_google_that_is_down_tells_nothing(make: Make, google: Google) -> None:
    """No answer is no error."""
    provider = make(tokeninfo_url=f"{google.url}/tokeninfo")
    await google.stop()
    assert await provider.inspect(Login("oauth2accesstoken", Secret("ya29.token"))) == NOTHING_KNOWN


def test_the_strategy_follows_from_the_options(make: Make) -> None:
    """Tokens are minted, a key is read."""
    assert make().strategy is Strategy.EPHEMERAL
    assert make(json_key={"vault": "google"}, credentials=None).strategy is Strategy.READ


def test_without_the_sdk_only_a_key_works(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The missing package and the extra that brings it are named; a key needs neither."""
    monkeypatch.setitem(sys.modules, "google.auth", None)
    with pytest.raises(ConfigError, match=r"google-auth.*\n.*rotator\[gcp\]"):
        make()
    make(json_key={"vault": "google"}, credentials=None)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        pytest.param({"json_key": {"vault": "google"}}, "only without it", id="key-and-credentials"),
        pytest.param({"insecure": False}, "not https", id="plain-http"),
        pytest.param(
            {"insecure": False, "iam_url": "https://iam.example", "tokeninfo_url": "http://x.example"},
            "tokeninfo_url is not https",
            id="plain-http-tokeninfo",
        ),
        pytest.param({"impersonate": "a/../b@c"}, "impersonate", id="path-in-address"),
    ],
)
def test_options_that_cannot_work_are_refused(make: Make, options: dict[str, Any], reason: str) -> None:
    """Each mistake is named when the configuration is read."""
    with pytest.raises(ValidationError, match=reason):
        make(**options)


@pytest.mark.parametrize(
    ("expiry", "expected"),
    [
        pytest.param(None, UNKNOWN, id="none"),
        pytest.param(datetime(2026, 11, 23, 13), Expiry(datetime(2026, 11, 23, 13, tzinfo=UTC)), id="naive"),  # noqa: DTZ001
        pytest.param(
            datetime(2026, 11, 23, 13, tzinfo=UTC), Expiry(datetime(2026, 11, 23, 13, tzinfo=UTC)), id="aware"
        ),
    ],
)
def test_google_auths_naive_times_are_utc(expiry: datetime | None, expected: Expiry) -> None:
    """A time without a zone is taken for UTC, which is what google-auth means."""
    assert aware(expiry) == expected
