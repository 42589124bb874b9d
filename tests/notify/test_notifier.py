"""What destinations are told, how often, and what becomes of it where they do not listen."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from rotator.domain.attention import Kind, Severity
from rotator.domain.events import Crashed, DeliveryFinished, RotationFinished, StoreFailed
from rotator.domain.note import CLEAR_AFTER
from rotator.notify.bucket import BURST
from rotator.notify.message import SHOWN
from rotator.notify.notifier import LOOK_SECONDS, SETTLE_SECONDS
from rotator.sandbox.server import Fault

CANARY = "canary-5f1e0c77d2b9"
FINISHED = RotationFinished("r", "ecr", "RenewalPointReached", "failed", "issue", "unavailable", "down", 1.0)


def answer(status: int, **headers: str) -> Fault:
    """Return a fault: the next request is answered so."""
    return Fault(lambda _: True, lambda _: web.Response(status=status, headers=headers), times=1)


def needs_in(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the needs in a signed message."""
    return list(message["data"]["needs"])


def told_of(message: dict[str, Any]) -> list[tuple[str, str]]:
    """Return state and credential of each need in a signed message."""
    return [(one["state"], one["credential"]) for one in needs_in(message)]


async def last(scene: Any, notifier: Any, need: Any) -> None:
    """Add a need called ``last`` and wait until it is told: whatever was to be told before it has been told then."""
    scene.needs = [*scene.needs, need("last")]
    await notifier.look()
    await scene.told()


async def test_a_need_is_told_once_and_its_end_once(scene: Any, need: Any) -> None:
    """However often one looks, a need is told once; once it has been over for a while, that is told once."""
    scene.needs = [need()]
    async with scene.running("ops") as notifier:
        await scene.told()
        for _ in range(3):
            await notifier.look()
        scene.needs = []
        await notifier.look()
        scene.clock.advance(CLEAR_AFTER)
        await notifier.look()
        assert (await scene.told()).resolved == 1
        await notifier.look()
        await last(scene, notifier, need)

    assert [told_of(message) for message in scene.receiver.messages] == [
        [("open", "ecr")],
        [("resolved", "ecr")],
        [("open", "last")],
    ]


async def test_what_flaps_is_told_once(scene: Any, need: Any) -> None:
    """What goes and comes back within two minutes is neither told to be over nor told again."""
    async with scene.running("ops") as notifier:
        for turn in range(20):
            scene.needs = [need()]
            await notifier.look()
            if turn == 0:
                await scene.told()
            scene.clock.advance(CLEAR_AFTER / 2)
            scene.needs = []
            await notifier.look()
            scene.clock.advance(CLEAR_AFTER / 4)
        await last(scene, notifier, need)

    assert [told_of(message) for message in scene.receiver.messages] == [[("open", "ecr")], [("open", "last")]]


async def test_what_becomes_critical_is_told_again(scene: Any, need: Any) -> None:
    """A need that was a warning and is critical now is news; one that is better now is not."""
    async with scene.running("ops") as notifier:
        for severity in (Severity.WARNING, Severity.CRITICAL):
            scene.needs = [need(severity=severity)]
            await notifier.look()
            await scene.told()
        scene.needs = [need(severity=Severity.WARNING)]
        await notifier.look()
        await last(scene, notifier, need)

    told = [(one["credential"], one["severity"]) for message in scene.receiver.messages for one in needs_in(message)]
    assert told == [("ecr", "warning"), ("ecr", "critical"), ("last", "critical")]


async def test_a_destination_for_what_is_critical(scene: Any, need: Any) -> None:
    """A destination with severity critical is told of nothing else."""
    scene.needs = [need("bad"), need("mild", Severity.WARNING)]
    async with scene.running("ops", severity="critical"):
        await scene.told()

    assert [told_of(message) for message in scene.receiver.messages] == [[("open", "bad")]]


async def test_a_message_says_all_that_is_needed(scene: Any, need: Any) -> None:
    """A signed message has kind, severity, sentence and next step of each need, and since when."""
    since = scene.clock.now() - timedelta(hours=1)
    scene.needs = [need(kind=Kind.UNDELIVERED, about="prod", since=since)]
    async with scene.running("ops"):
        await scene.told()

    [message] = scene.receiver.messages
    assert (message["type"], message["data"]["destination"]) == ("attention.changed", "ops")
    assert message["data"]["needs"] == [
        {
            "state": "open",
            "kind": "undelivered",
            "severity": "critical",
            "credential": "ecr",
            "about": "prod",
            "what": "ecr: expired",
            "next_step": "look at ecr",
            "since": "2025-12-31T23:00:00Z",
            "noticed_at": "2026-01-01T00:00:00Z",
        }
    ]


async def test_a_storm_is_a_few_messages(scene: Any, need: Any) -> None:
    """However many needs come, and in whatever steps, a destination gets five messages, then one an interval."""
    steps, size = BURST + 15, 40
    async with scene.running("chat", interval="10m") as notifier:
        for step in range(steps):
            scene.needs = [*scene.needs, *(need(f"c{step}-{number}") for number in range(size))]
            notifier(FINISHED)
            await notifier.look()
            if step < BURST:
                await scene.told()
        assert scene.is_quiet
        scene.clock.advance(timedelta(minutes=10))
        last = await scene.told()

    assert last.opened == (steps - BURST) * size, "all that came meanwhile is told at once"
    assert len(scene.slack.texts) == BURST + 1
    assert scene.slack.texts[-1].splitlines()[-1].startswith(f"and {last.opened - SHOWN} more")
    assert all(len(text) <= 4000 for text in scene.slack.texts)


async def test_a_restart_tells_nothing_twice(scene: Any, need: Any) -> None:
    """What was told is not told again after a restart, and that it is over is told then."""
    scene.needs = [need()]
    async with scene.running("ops"):
        await scene.told()
    async with scene.running("ops") as notifier:
        scene.needs = []
        await notifier.look()
        scene.clock.advance(CLEAR_AFTER)
        await notifier.look()
        await scene.told()

    assert [told_of(message) for message in scene.receiver.messages] == [[("open", "ecr")], [("resolved", "ecr")]]
    assert await scene.book.notes() == []


async def test_a_failed_message_is_tried_again_under_the_same_id(scene: Any, need: Any) -> None:
    """A receiver that is down gets the same message later, with the same id; the failure is news once."""
    ids = []

    def fail(request: web.Request) -> web.Response:
        ids.append(request.headers["webhook-id"])
        return web.Response(status=503)

    scene.receiver.faults.append(Fault(lambda _: True, fail, times=2))
    scene.needs = [need()]
    async with scene.running("ops"):
        first = await scene.told()
        scene.clock.advance(timedelta(seconds=5))
        second = await scene.told()
        scene.clock.advance(timedelta(seconds=10))
        third = await scene.told()

    assert [(one.error, one.is_news) for one in (first, second, third)] == [
        ("unavailable", True),
        ("unavailable", False),
        ("", True),
    ]
    assert ids == [ids[0]] * 2
    assert scene.receiver.ids == ids[:1]


@pytest.mark.parametrize(
    ("fault", "wait", "error"),
    [
        (answer(429, **{"Retry-After": "120"}), 120, "rate_limited"),
        (answer(429, **{"Retry-After": "999999"}), 3600, "rate_limited"),
        (answer(302, Location="https://elsewhere.example/"), 300, "permanent"),
        (answer(404), 300, "permanent"),
        (answer(401), 300, "unauthenticated"),
    ],
    ids=["asked for two minutes", "asked for days", "a redirect", "not there", "signature refused"],
)
async def test_how_long_a_destination_is_left_alone(scene: Any, need: Any, fault: Fault, wait: int, error: str) -> None:
    """A destination is left alone as long as it asks, an hour at most, and 5 minutes where only a person can help."""
    scene.receiver.faults.append(Fault(fault.matches, fault.answer, times=1))
    scene.needs = [need()]
    async with scene.running("ops"):
        assert (await scene.told()).error == error
        await scene.until_slept(wait)
        scene.clock.advance(timedelta(seconds=wait))
        assert (await scene.told()).error == ""

    assert len(scene.receiver.asked) == 2, "a redirect is not followed"


async def test_one_that_hangs_holds_up_no_other(scene: Any, need: Any) -> None:
    """While one destination does not answer, the other is told, and an event costs nobody a moment."""
    release = asyncio.Event()

    async def hang(_: web.Request) -> web.Response:
        await release.wait()
        return web.Response()

    scene.receiver.faults.append(Fault(lambda _: True, hang, times=1))
    scene.needs = [need()]
    async with scene.running("ops", "chat") as notifier:
        for _ in range(10_000):
            notifier(FINISHED)
        assert (await scene.told()).destination == "chat"
        release.set()
        assert (await scene.told()).destination == "ops"


@pytest.mark.parametrize(
    ("name", "changes", "environment", "error", "words"),
    [
        ("ops", {"allow_addresses": []}, {}, "permission_denied", "must not be connected to"),
        ("chat", {"allow_addresses": []}, {}, "permission_denied", "must not be connected to"),
        ("chat", {}, {"URL": f"http://hooks.example/{CANARY}"}, "shape", "no address of a webhook"),
        ("chat", {}, {"URL": f"https://u:{CANARY}@hooks.example/"}, "shape", "no address of a webhook"),
        ("chat", {}, {"URL": f"{CANARY} not a url"}, "shape", "no address of a webhook"),
        ("chat", {}, {"URL": f"https://127.0.0.1:1/{CANARY}"}, "unavailable", "cannot connect"),
        ("ops", {"signing_keys": [{"env": "NONE"}]}, {}, "not_found", "NONE"),
        ("ops", {"signing_keys": [{"vault": "a#b"}]}, {}, "permanent", "vault is not configured"),
        ("ops", {"ca_file": "/nonexistent.pem"}, {}, "config", "cannot be used for TLS"),
    ],
    ids=[
        "webhook at a private address",
        "slack at a private address",
        "slack without TLS",
        "a user in the address",
        "no address at all",
        "nobody listens",
        "no signing key",
        "no vault",
        "no authority",
    ],
)
async def test_what_cannot_be_sent(  # noqa: PLR0913, PLR0917 (a row's columns)
    scene: Any, need: Any, name: str, changes: dict[str, Any], environment: dict[str, str], error: str, words: str
) -> None:
    """A destination that cannot be used is told of by name and cause, and no part of a secret is in the sentence."""
    scene.environment.update(environment)
    scene.needs = [need()]
    async with scene.running(name, **changes):
        told = await scene.told()

    assert told.error == error
    assert words in told.message
    assert name in told.message or error == "not_found"
    assert CANARY not in told.message


def secrets(scene: Any) -> list[str]:
    """Return what must be seen nowhere: what secrets are made of, and the signing key in each of its forms."""
    key = scene.receiver.secret.removeprefix("whsec_")
    return [CANARY, key, key.rstrip("="), base64.b64decode(key).hex()]


async def test_no_secret_is_sent_or_shown(scene: Any, need: Any) -> None:
    """Neither the signing key nor the address is in any event, body or representation."""
    scene.needs = [need()]
    async with scene.running("ops", "chat") as notifier:
        await scene.told()
        await scene.told()
        shown = repr(notifier) + repr(vars(notifier)) + repr(scene.events) + repr(scene.options("chat"))

    sent = json.dumps(scene.receiver.messages) + "".join(scene.slack.texts) + "".join(scene.receiver.ids)
    for secret in secrets(scene):
        assert secret not in shown + sent


async def test_a_full_disk_stops_no_message(scene: Any, need: Any) -> None:
    """Where it cannot be kept what was told, it is told all the same, and not twice before a restart."""
    scene.book.is_full = True
    scene.needs = [need()]
    async with scene.running("ops") as notifier:
        await scene.told()
        await notifier.look()
        await last(scene, notifier, need)

    assert [told_of(message) for message in scene.receiver.messages] == [[("open", "ecr")], [("open", "last")]]
    assert [event for event in scene.events if isinstance(event, StoreFailed)]


async def test_a_defect_stops_nothing(scene: Any, need: Any) -> None:
    """A look that breaks is reported, and the next one works."""
    scene.needs = [need()]
    async with scene.running("ops") as notifier:
        await scene.told()
        scene.needs = None
        await notifier.look()
        scene.needs = [need("other")]
        await notifier.look()
        assert (await scene.told()).opened == 1

    assert [event.where for event in scene.events if isinstance(event, Crashed)] == ["look at what needs a person"]


@pytest.mark.parametrize(
    ("event", "stirs"),
    [
        (FINISHED, True),
        (DeliveryFinished("t", "fake", "p", "ecr", 1, "unavailable", "down", changed=False, seconds=0.1), True),
        (DeliveryFinished("t", "fake", "p", "ecr", 1, "", "", changed=True, seconds=0.1), False),
    ],
    ids=["a rotation", "a failed delivery", "a delivery"],
)
async def test_something_that_happened_is_looked_at_soon(
    scene: Any, need: Callable[..., Any], event: Any, *, stirs: bool
) -> None:
    """After what may need a person one looks again within seconds; after a delivery that went well only in its turn."""
    async with scene.running("ops") as notifier:
        scene.needs = [need()]
        notifier(event)
        scene.clock.advance(timedelta(seconds=SETTLE_SECONDS))
        if not stirs:
            await scene.until_slept(LOOK_SECONDS - SETTLE_SECONDS)
            assert scene.looks == 1
            scene.clock.advance(timedelta(seconds=LOOK_SECONDS - SETTLE_SECONDS))
        assert (await scene.told()).opened == 1
