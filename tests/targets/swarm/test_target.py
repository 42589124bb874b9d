"""What is special about services of a swarm."""

from __future__ import annotations

import ssl
import traceback
from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from aiohttp import web

from rotator.domain.declares import Proof
from rotator.domain.model import Entry, Login
from rotator.errors import (
    AuthenticationError,
    ConflictError,
    FencedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitedError,
    RotatorError,
    UnavailableError,
    UnsupportedError,
)
from rotator.sandbox.docker_engine import SandboxDockerEngine
from rotator.sandbox.server import Fault
from rotator.secret import Secret, base64_forms
from rotator.targets.context import TargetContext
from rotator.targets.swarm import SwarmConfig, SwarmTarget

CANARY = "canary-7be20f41c8d3"
IMAGE = "ghcr.io/acme/api:1@sha256:" + "0" * 64
HUB = "https://index.docker.io/v1/"

Make = Callable[..., Any]


async def test_the_login_alone_is_replaced(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """A service gets the login of its registry; its specification, digest and running tasks stay to the letter."""
    service = engine.add("web_api", IMAGE)
    before, tasks = deepcopy(service.spec), list(service.tasks)
    swarm = target()
    (placement,) = await swarm.placements()

    held = await swarm.apply(placement, [entry()])

    assert service.login == {"username": "robot", "password": f"{CANARY}-1", "serveraddress": "ghcr.io"}
    assert (service.spec, service.tasks) == (before, tasks)
    assert (held.changed, held.proof) == (True, Proof.METADATA)


async def test_a_login_in_the_alphabet_of_the_engine(engine: SandboxDockerEngine, target: Make) -> None:
    """A password whose base64 has the two characters that differ between the alphabets arrives to the letter."""
    service = engine.add("web", IMAGE)
    swarm = target()
    login = Login("robot", Secret("?>?>?>~~~~~~"))
    await swarm.apply(*await swarm.placements(), [Entry("ghcr", "ghcr.io", login, 1)])
    assert service.login == {"username": "robot", "password": "?>?>?>~~~~~~", "serveraddress": "ghcr.io"}


@pytest.mark.parametrize(
    ("image", "credential", "address"),
    [
        pytest.param("nginx", "hub", HUB, id="an official image"),
        pytest.param("docker.io/acme/site:7", "hub", HUB, id="Docker Hub by name"),
        pytest.param("registry.example:5000/a/b", "internal", "registry.example:5000", id="a port"),
        pytest.param("quay.io/acme/worker", None, None, id="nobody's"),
    ],
)
async def test_each_service_gets_the_login_of_its_registry(
    engine: SandboxDockerEngine, target: Make, entry: Make, image: str, credential: str | None, address: str | None
) -> None:
    """Of several credentials a service gets the one for its image; where there is none, nothing is written."""
    service = engine.add("x", image)
    version = service.version
    swarm = target()
    entries = [entry(), entry("hub", HUB), entry("internal", "registry.example:5000")]

    held = await swarm.apply(*await swarm.placements(), entries)

    assert (service.login or {}).get("serveraddress") == address
    assert (held.changed, service.version > version) == (credential is not None, credential is not None)
    assert set(held.logins) == {"ghcr", "hub", "internal"}


@pytest.mark.parametrize(
    ("options", "names"),
    [
        pytest.param({}, ["db", "web_api", "web_site"], id="all"),
        pytest.param({"names": ["web_*"]}, ["web_api", "web_site"], id="a pattern"),
        pytest.param({"names": ["web_api"]}, ["web_api"], id="a name is not a prefix"),
        pytest.param({"names": ["*_api", "d?"]}, ["db", "web_api"], id="several patterns"),
        pytest.param({"labels": {"team": "web"}}, ["web_api", "web_site"], id="a label"),
        pytest.param({"labels": {"team": "web", "tier": "1"}}, ["web_api"], id="two labels"),
        pytest.param({"registries": ["GHCR.io"]}, ["web_api"], id="a registry"),
        pytest.param({"registries": ["docker.io"], "labels": {"team": "web"}}, ["web_site"], id="registry and label"),
    ],
)
async def test_selection(engine: SandboxDockerEngine, target: Make, options: dict[str, Any], names: list[str]) -> None:
    """Services are selected by name, by label and by their image's registry; a service must pass all three."""
    engine.add("web_api", "ghcr.io/acme/api:1", labels={"team": "web", "tier": "1"})
    engine.add("web_site", "acme/site", labels={"team": "web"})
    engine.add("web_api2" if "web_api" in options.get("names", ()) else "db", "postgres:17")
    assert [one.partition("/")[0] for one in await target(**options).placements()] == names


async def test_jobs_are_left_alone(engine: SandboxDockerEngine, target: Make) -> None:
    """A job is never a placement: every update of it is another run."""
    engine.add("migrate", IMAGE, mode="ReplicatedJob")
    engine.add("sweep", IMAGE, mode="GlobalJob")
    assert await target().placements() == []


async def test_another_image_source_or_a_new_service_is_another_placement(
    engine: SandboxDockerEngine, target: Make, entry: Make
) -> None:
    """A service that moves to another registry, or is made anew, is not taken for the one that was confirmed."""
    service = engine.add("web", IMAGE)
    swarm = target()
    (old,) = await swarm.placements()
    await swarm.apply(old, [entry()])

    service.spec["TaskTemplate"]["ContainerSpec"]["Image"] = "quay.io/acme/api:1"
    (moved,) = await swarm.placements()
    del engine.services[service.id]
    engine.add("web", IMAGE)
    (anew,) = await swarm.placements()

    assert len({old, moved, anew}) == 3
    for gone in (old, moved):
        with pytest.raises(NotFoundError, match="there is no service web/"):
            await swarm.apply(gone, [entry()])


async def test_a_change_in_between_is_taken_up(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """An update that is out of sequence is made again on what is there now; nobody's change is undone."""
    service = engine.add("web", IMAGE)
    swarm = target()
    placements = await swarm.placements()

    def meanwhile(_: web.Request) -> web.Response:
        engine.touch(service)
        return web.json_response({"message": "rpc error: code = Unknown desc = update out of sequence"}, status=500)

    engine.faults.append(Fault(lambda request: request.method == "POST", meanwhile, times=2))
    await swarm.apply(*placements, [entry()])

    assert (service.login or {})["password"] == f"{CANARY}-1"
    assert "touched" in service.spec["Labels"]
    assert engine.count("POST", "/services/") == 3


async def test_somebody_who_never_stops(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """After five updates out of sequence it is a conflict, to be tried later."""
    engine.add("web", IMAGE)
    swarm = target()
    placements = await swarm.placements()
    engine.fail(500, method="POST", body='{"message": "rpc error: code = Unknown desc = update out of sequence"}')
    with pytest.raises(ConflictError, match="5 times in a row"):
        await swarm.apply(*placements, [entry()])
    assert engine.count("POST", "/services/") == 5


@pytest.mark.parametrize("state", ["updating", "paused", "rollback_started", "rollback_paused"])
async def test_an_update_under_way_is_not_disturbed(
    engine: SandboxDockerEngine, target: Make, entry: Make, state: str
) -> None:
    """A service whose update runs or is paused is left alone, with the state in the message."""
    service = engine.add("web", IMAGE)
    service.update_state = state
    tasks = list(service.tasks)
    swarm = target()
    with pytest.raises(ConflictError, match=state.replace("_", " ")):
        await swarm.apply(*await swarm.placements(), [entry()])
    assert (service.login, service.tasks) == (None, tasks)


@pytest.mark.parametrize("state", ["completed", "rollback_completed"])
async def test_an_update_that_is_over_does_not_matter(
    engine: SandboxDockerEngine, target: Make, entry: Make, state: str
) -> None:
    """A service whose latest update is over is written."""
    service = engine.add("web", IMAGE)
    service.update_state = state
    swarm = target()
    await swarm.apply(*await swarm.placements(), [entry()])
    assert service.login


async def test_an_answer_that_got_lost_is_not_taken_for_done(
    engine: SandboxDockerEngine, target: Make, entry: Make
) -> None:
    """An update whose answer got lost is unavailable, reads as nothing, and is safely sent again."""
    service = engine.add("web", IMAGE)
    swarm = target()
    (placement,) = await swarm.placements()

    async def lose(request: web.Request) -> web.Response:
        await engine._update(request)
        assert request.transport is not None
        request.transport.close()
        return web.Response()

    engine.faults.append(Fault(lambda request: request.method == "POST", lose, times=1))
    with pytest.raises(UnavailableError):
        await swarm.apply(placement, [entry()])
    assert service.login
    assert dict((await swarm.read(placement, [entry()])).logins) == {}
    assert (await swarm.apply(placement, [entry()])).changed


async def test_a_version_that_does_not_advance_proves_nothing(
    engine: SandboxDockerEngine, target: Make, entry: Make
) -> None:
    """When an update is accepted and the service's version stands still, the login does not count as held."""
    engine.add("web", IMAGE)
    swarm = target()
    placements = await swarm.placements()
    engine.fail(200, method="POST", body="{}")
    assert dict((await swarm.apply(*placements, [entry(), entry("hub", "docker.io")])).logins).keys() == {"hub"}


async def test_somebody_elses_update_makes_it_unknown(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """After somebody else updated the service nobody knows its login: it reads as none and is sent anew."""
    service = engine.add("web", IMAGE)
    swarm = target()
    (placement,) = await swarm.placements()
    await swarm.apply(placement, [entry()])
    engine.touch(service)
    assert dict((await swarm.read(placement, [entry()])).logins) == {}
    assert (await swarm.apply(placement, [entry()])).changed


async def test_an_older_generation_is_refused(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """What this daemon sent is not taken back a generation."""
    service = engine.add("web", IMAGE)
    swarm = target()
    (placement,) = await swarm.placements()
    await swarm.apply(placement, [entry(generation=7)])
    engine.touch(service)
    with pytest.raises(FencedError) as caught:
        await swarm.apply(placement, [entry(generation=6)])
    assert caught.value.generation == 7
    assert (service.login or {})["password"] == f"{CANARY}-7"


async def test_two_logins_for_one_registry(engine: SandboxDockerEngine, target: Make, entry: Make) -> None:
    """Two credentials for the registry of a service are refused: it keeps one login."""
    service = engine.add("web", IMAGE)
    swarm = target()
    with pytest.raises(UnsupportedError, match="ghcr and other are for one registry"):
        await swarm.apply(*await swarm.placements(), [entry(), entry("other")])
    assert service.login is None


ANSWERS = [
    pytest.param({"status": 400, "body": "{}"}, RotatorError, id="400"),
    pytest.param({"status": 401, "body": "{}"}, AuthenticationError, id="401"),
    pytest.param({"status": 403, "body": f'{{"message": "denied {CANARY}"}}'}, PermissionDeniedError, id="403"),
    pytest.param({"status": 404, "body": "{}"}, NotFoundError, id="404"),
    pytest.param({"status": 409, "body": "{}"}, ConflictError, id="409"),
    pytest.param({"status": 429, "headers": {"Retry-After": "7"}}, RateLimitedError, id="429"),
    pytest.param({"status": 500, "body": f'{{"message": "rpc error {CANARY}"}}'}, UnavailableError, id="500"),
    pytest.param({"status": 503, "body": "<html>"}, UnavailableError, id="503"),
    pytest.param({"status": 302, "headers": {"Location": f"http://127.0.0.1/{CANARY}"}}, RotatorError, id="302"),
]


@pytest.mark.parametrize(("answer", "kind"), ANSWERS)
async def test_refusals(
    engine: SandboxDockerEngine, target: Make, entry: Make, answer: dict[str, Any], kind: type[RotatorError]
) -> None:
    """Each answer to an update is the error it stands for; nothing of it, and no secret, is in the error."""
    service = engine.add("web", IMAGE)
    swarm = target()
    placements = await swarm.placements()
    engine.fail(**answer, method="POST")
    with pytest.raises(kind) as caught:
        await swarm.apply(*placements, [entry()])
    told = "".join(traceback.format_exception(caught.value)) + repr(swarm) + repr(vars(swarm))
    assert not [form for form in {CANARY, *base64_forms(CANARY)} if form in told]
    assert service.login is None
    if isinstance(caught.value, RateLimitedError):
        assert caught.value.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("<html>proxy</html>", id="HTML"),
        pytest.param("{}", id="an object"),
        pytest.param("[1]", id="a number"),
        pytest.param('[{"ID": "x"}]', id="half a service"),
        pytest.param('[{"ID":1,"Version":{"Index":"1"},"Spec":{"Name":"a","Mode":{},"TaskTemplate":{}}}]', id="types"),
        pytest.param("", id="nothing"),
    ],
)
async def test_garbage_is_no_list_of_services(engine: SandboxDockerEngine, target: Make, body: str) -> None:
    """What is no list of services is unavailable, never an empty list: placements are not forgotten for it."""
    engine.fail(200, path="/services", body=body)
    with pytest.raises(UnavailableError):
        await target().placements()


@pytest.mark.parametrize(
    "image",
    [
        pytest.param("UPPER/case", id="no reference"),
        pytest.param("", id="none"),
    ],
)
async def test_an_image_from_nowhere_is_no_placement(engine: SandboxDockerEngine, target: Make, image: str) -> None:
    """A service whose image is pulled from no registry needs no login."""
    engine.add("web", image)
    assert await target().placements() == []


async def test_a_worker_is_named(engine: SandboxDockerEngine, target: Make) -> None:
    """A node that is no manager is unavailable, and the hint says where to look."""
    engine.is_manager = False
    with pytest.raises(UnavailableError, match="Is it a manager"):
        await target().placements()


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        pytest.param("1.29", UnsupportedError, id="too old"),
        pytest.param("", UnavailableError, id="none"),
        pytest.param("one", UnavailableError, id="garbage"),
    ],
)
async def test_engines_that_would_change_images(
    tmp_path: Path, target: Make, version: str, kind: type[RotatorError]
) -> None:
    """An engine that would resolve tags by itself, or is none, is refused before anything is written."""
    engine = SandboxDockerEngine(api_version=version)
    await engine.start_at(str(tmp_path / "docker.sock"))
    try:
        with pytest.raises(kind):
            await target().placements()
    finally:
        await engine.stop()


async def test_no_socket(target: Make) -> None:
    """An engine that is not there is unavailable, with the socket in the message."""
    with pytest.raises(UnavailableError, match=r"docker\.sock"):
        await target().placements()


async def test_over_tls(context: TargetContext, entry: Make, tmp_path: Path) -> None:
    """An engine is reached over TLS with a client certificate of its authority, and not without one."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    authority.configure_trust(server)
    server.verify_mode = ssl.CERT_REQUIRED
    client, ca_file = authority.issue_cert("rotator"), tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    client.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    client.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    engine = SandboxDockerEngine(tls=server)
    service = engine.add("web", IMAGE)
    async with engine:
        with_ca = {"type": "swarm", "url": engine.url, "ca_file": str(ca_file)}
        pair = {"cert_file": str(tmp_path / "cert.pem"), "key_file": str(tmp_path / "key.pem")}
        swarm = SwarmTarget("prod", SwarmConfig.model_validate({**with_ca, **pair}), context)
        (placement,) = await swarm.placements()
        await swarm.apply(placement, [entry()])
        assert service.login
        with pytest.raises(UnavailableError):
            await SwarmTarget("prod", SwarmConfig.model_validate(with_ca), context).placements()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"url": "tcp://host:2375"}, "makes everybody root", id="plain tcp"),
        pytest.param({"url": "https://host:2376?x=1"}, "scheme, host", id="a query"),
        pytest.param({"url": "https://h", "socket": "/s"}, "either socket or url", id="both"),
        pytest.param({"socket": "unix:///s"}, "without unix://", id="a scheme"),
        pytest.param({"url": "https://h", "cert_file": "/c"}, "belong together", id="half a pair"),
        pytest.param({"ca_file": "/c"}, "a socket has no TLS", id="TLS for a socket"),
        pytest.param({"registries": ["https://ghcr.io"]}, "ghcr.io", id="a URL for a registry"),
    ],
)
def test_options_that_cannot_be(options: dict[str, Any], words: str) -> None:
    """Options that contradict each other or mean nothing are refused with what to write instead."""
    with pytest.raises(ValueError, match=words):
        SwarmConfig.model_validate({"type": "swarm", **options})


def test_the_default_is_the_local_engine() -> None:
    """Without an address it is this machine's engine."""
    assert SwarmConfig(type="swarm").peer("prod").unix_socket == "/var/run/docker.sock"
