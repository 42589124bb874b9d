"""What is special about telling a receiver."""

from __future__ import annotations

import json
import traceback
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rotator.domain.declares import Proof
from rotator.domain.model import Expiry
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermanentError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    ShapeError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.clock import ManualClock
from rotator.sandbox.server import Fault
from rotator.sandbox.webhook_receiver import SandboxReceiver
from rotator.secret import base64_forms
from rotator.targets.webhook import WebhookConfig

CANARY = "canary-31c7f09be6a5"
PUBLIC_KEY = b64encode(
    X25519PrivateKey.from_private_bytes(b"r" * 32).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
).decode()

Make = Callable[..., Any]


async def test_a_thin_message(receiver: SandboxReceiver, target: Make, entry: Make, clock: ManualClock) -> None:
    """The receiver is told which credential was rotated, its generation, fingerprint and expiry, and no secret."""
    hook = target()
    expiry = Expiry(clock.now() + timedelta(hours=12))
    (placement,) = await hook.placements()

    held = await hook.apply(placement, [entry(expiry=expiry)])

    now = clock.now().isoformat().replace("+00:00", "Z")
    assert receiver.messages == [
        {
            "type": "credential.rotated",
            "timestamp": now,
            "data": {
                "target": "hook",
                "credentials": [
                    {
                        "credential": "ghcr",
                        "registry": "ghcr.io",
                        "username": "robot",
                        "generation": 1,
                        "fingerprint": "print-1",
                        "expires_at": (clock.now() + timedelta(hours=12)).isoformat().replace("+00:00", "Z"),
                    }
                ],
            },
        }
    ]
    assert (held.changed, held.proof, CANARY in json.dumps(receiver.messages)) == (True, Proof.NONE, False)


async def test_the_path_of_the_receiver_is_not_shown(target: Make) -> None:
    """A placement is the receiver's origin: its path may be the secret of those who know it."""
    hook = target()
    assert CANARY not in "".join(await hook.placements()) + repr(vars(hook)["_peer"])


async def test_a_login_only_for_who_has_the_key(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """With a receiver's key the logins travel in a sealed part, and nowhere in clear."""
    hook = target(receiver_key=PUBLIC_KEY)
    await hook.apply(*await hook.placements(), [entry()])
    (message,) = receiver.messages
    assert len(message["data"]["sealed"].split(".")) == 5
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in json.dumps(message)]


@pytest.mark.parametrize(
    ("known", "signed_with", "is_taken"),
    [
        pytest.param("OLD", ["OLD"], True, id="before"),
        pytest.param("OLD", ["NEW", "OLD"], True, id="both, receiver old"),
        pytest.param("NEW", ["NEW", "OLD"], True, id="both, receiver new"),
        pytest.param("NEW", ["OLD"], False, id="too late"),
    ],
)
async def test_signing_secrets_change_without_a_gap(
    receiver: SandboxReceiver, target: Make, entry: Make, known: str, signed_with: list[str], *, is_taken: bool
) -> None:
    """While both secrets sign, a receiver accepts with the old and with the new one."""
    receiver.secret = "whsec_" + b64encode(f"{known.lower()}-".encode() * 8).decode()
    hook = target(signing_keys=[{"env": name} for name in signed_with])
    (placement,) = await hook.placements()
    if not is_taken:
        with pytest.raises(AuthenticationError):
            await hook.apply(placement, [entry()])
    else:
        await hook.apply(placement, [entry()])
    assert len(receiver.messages) == is_taken


async def test_only_news_is_told(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """What the receiver accepted is not told again; a newer generation is, without its neighbour."""
    hook = target()
    (placement,) = await hook.placements()
    await hook.apply(placement, [entry(), entry("quay")])
    assert not (await hook.apply(placement, [entry(), entry("quay")])).changed
    await hook.apply(placement, [entry(generation=2), entry("quay")])
    told = [[one["credential"] for one in message["data"]["credentials"]] for message in receiver.messages]
    assert told == [["ghcr", "quay"], ["ghcr"]]


async def test_a_lost_answer_is_told_again_under_the_same_id(
    receiver: SandboxReceiver, target: Make, entry: Make, clock: ManualClock
) -> None:
    """A message whose answer got lost does not count as accepted; it is sent again, the same but for its time."""
    hook, other = target(), target()
    (placement,) = await hook.placements()

    async def lose(request: web.Request) -> web.Response:
        await receiver._take(request)
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    receiver.faults.append(Fault(lambda _: True, lose, times=1))
    with pytest.raises(UnavailableError):
        await hook.apply(placement, [entry()])
    assert dict((await hook.read(placement, [entry()])).logins) == {}
    clock.advance(timedelta(hours=1))
    await hook.apply(placement, [entry()])
    await other.apply(placement, [entry()])  # after a restart

    assert (len(receiver.messages), len(receiver.ids), len(set(receiver.ids))) == (1, 3, 1)


async def test_what_expired_is_not_told(
    receiver: SandboxReceiver, target: Make, entry: Make, clock: ManualClock
) -> None:
    """Tries end with the life of the credential: an expired one is not told, and does not hold up its neighbour."""
    hook = target()
    (placement,) = await hook.placements()
    dead = entry(expiry=Expiry(clock.now()))
    with pytest.raises(PermanentError, match="ghcr: expired"):
        await hook.apply(placement, [dead])
    assert dict((await hook.apply(placement, [dead, entry("quay")])).logins).keys() == {"quay"}
    assert [one["credential"] for one in receiver.messages[0]["data"]["credentials"]] == ["quay"]


async def test_gone_is_for_good(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """After 410 nothing is sent any more, until the target is made anew."""
    hook = target()
    (placement,) = await hook.placements()
    receiver.fail(410, times=1)
    for _ in range(3):
        with pytest.raises(NotFoundError, match="gone for good"):
            await hook.apply(placement, [entry()])
    assert receiver.count("POST", "/") == 1
    await target().apply(placement, [entry()])
    assert len(receiver.messages) == 1


@pytest.mark.parametrize("status", [429, 503])
async def test_a_wish_to_be_left_alone(
    receiver: SandboxReceiver, target: Make, entry: Make, clock: ManualClock, status: int
) -> None:
    """Nothing is sent before the time that the receiver asked for is over."""
    hook = target()
    (placement,) = await hook.placements()
    receiver.fail(status, times=1, headers={"Retry-After": "60"})
    with pytest.raises((RateLimitedError, UnavailableError)):
        await hook.apply(placement, [entry()])
    clock.advance(timedelta(seconds=59))
    with pytest.raises(RateLimitedError) as caught:
        await hook.apply(placement, [entry()])
    assert caught.value.retry_after == timedelta(seconds=1)
    clock.advance(timedelta(seconds=1))
    await hook.apply(placement, [entry()])
    assert receiver.count("POST", "/") == 2


async def test_a_wish_for_the_moon_leaves_time(
    receiver: SandboxReceiver, target: Make, entry: Make, clock: ManualClock
) -> None:
    """A receiver is left alone for at most half of the life that is left of what it shall be told."""
    hook = target()
    (placement,) = await hook.placements()
    living = entry(expiry=Expiry(clock.now() + timedelta(hours=2)))
    receiver.fail(429, times=1, headers={"Retry-After": "86400"})
    with pytest.raises(RateLimitedError):
        await hook.apply(placement, [living])
    clock.advance(timedelta(hours=1))
    assert (await hook.apply(placement, [living])).changed


ANSWERS = [
    pytest.param({"status": 301, "headers": {"Location": "https://elsewhere.example/"}}, PermanentError, id="301"),
    pytest.param({"status": 302, "headers": {"Location": "/"}}, PermanentError, id="302"),
    pytest.param({"status": 400, "body": CANARY}, PermanentError, id="400"),
    pytest.param({"status": 401, "body": CANARY}, AuthenticationError, id="401"),
    pytest.param({"status": 403}, PermissionDeniedError, id="403"),
    pytest.param({"status": 404}, NotFoundError, id="404"),
    pytest.param({"status": 409}, ConflictError, id="409"),
    pytest.param({"status": 422}, UnsupportedError, id="422"),
    pytest.param({"status": 429}, RateLimitedError, id="429"),
    pytest.param({"status": 500, "body": f"<html>{CANARY}"}, UnavailableError, id="500"),
    pytest.param({"status": 504}, UnavailableError, id="504"),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS)
async def test_only_success_is_success(
    receiver: SandboxReceiver, target: Make, entry: Make, answer: dict[str, Any], kind: type[RotatorError]
) -> None:
    """Whatever is not 2xx is a failure, a redirect too; it is told again, and no secret or path is in the error."""
    hook = target()
    (placement,) = await hook.placements()
    receiver.fail(**answer, times=1)
    with pytest.raises(kind) as caught:
        await hook.apply(placement, [entry()])
    told = "".join(traceback.format_exception(caught.value))
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in told]
    assert dict((await hook.read(placement, [entry()])).logins) == {}
    assert (await hook.apply(placement, [entry()])).changed


async def test_an_older_generation_is_not_told(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """After a newer generation an older one is refused, whatever else it is told with."""
    hook = target()
    (placement,) = await hook.placements()
    await hook.apply(placement, [entry(generation=7)])
    with pytest.raises(FencedError) as caught:
        await hook.apply(placement, [entry(generation=6), entry("quay")])
    assert (caught.value.generation, len(receiver.messages)) == (7, 1)


async def test_a_key_that_is_none(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """What is no signing secret is refused by where it is read, before anything is sent."""
    hook = target(signing_keys=[{"env": "BAD"}])
    with pytest.raises(ShapeError, match="hook: env:BAD is no signing secret") as caught:
        await hook.apply(*await hook.placements(), [entry()])
    assert CANARY not in str(caught.value)
    assert not receiver.asked


async def test_an_inner_address_has_to_be_allowed(receiver: SandboxReceiver, target: Make, entry: Make) -> None:
    """Without being allowed in words a receiver on loopback is refused, and nothing is sent."""
    hook = target(allow_addresses=[])
    with pytest.raises(PermissionDeniedError, match="must not be connected to"):
        await hook.apply(*await hook.placements(), [entry()])
    assert not receiver.asked


async def test_another_placement_is_not_ours(target: Make, entry: Make) -> None:
    """A placement that is not the receiver's is not found."""
    with pytest.raises(NotFoundError):
        await target().read("https://other.example", [entry()])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"url": "http://receiver.example/"}, "https://", id="plain http"),
        pytest.param({"url": "https://me:pw@receiver.example/"}, "scheme, host", id="a password"),
        pytest.param({"url": "https://receiver.example/?key=1"}, "scheme, host", id="a query"),
        pytest.param({"signing_keys": []}, "at least 1", id="no key"),
        pytest.param({"signing_keys": ["whsec_x"]}, "never written here", id="a secret"),
        pytest.param({"allow_addresses": ["intranet"]}, "intranet", id="no network"),
        pytest.param({"allow_addresses": ["10.0.0.1/8"]}, "host bits", id="half a network"),
        pytest.param({"receiver_key": "c2hvcnQ="}, "32 bytes of an X25519", id="short key"),
        pytest.param({"receiver_key": "A" * 43}, "no secrecy", id="the zero key"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    """Options that would send in clear, without a signature, or to nobody are refused."""
    usual = {"type": "webhook", "url": "https://receiver.example/", "signing_keys": [{"env": "KEY"}]}
    with pytest.raises(ValueError, match=words):
        WebhookConfig.model_validate({**usual, **options})
