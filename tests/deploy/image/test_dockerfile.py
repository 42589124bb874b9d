"""What the Dockerfile promises and can be known without building it."""

from __future__ import annotations

import fnmatch
import json
import re
import shlex
from pathlib import Path

import pytest

from rotator import __version__

ROOT = Path(__file__).parents[3]
Instruction = tuple[str, str]


def parse(text: str) -> list[Instruction]:
    """Return keyword and arguments of every instruction; comments dropped, continued lines joined."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = (line.strip().partition(" ") for line in joined.splitlines() if line.strip())
    return [(keyword.upper(), rest.strip()) for keyword, _, rest in pairs]


INSTRUCTIONS = parse((ROOT / "Dockerfile").read_text())


def of(keyword: str) -> list[str]:
    """Return the arguments of every instruction of one kind, in order."""
    return [rest for word, rest in INSTRUCTIONS if word == keyword]


def last_stage() -> list[Instruction]:
    """Return the instructions of the stage that becomes the image."""
    start = max(index for index, (word, _) in enumerate(INSTRUCTIONS) if word == "FROM")
    return INSTRUCTIONS[start:]


def sources() -> list[str]:
    """Return what is copied from the build context."""
    copies = [shlex.split(rest) for rest in of("COPY")]
    return [source for words in copies if not words[0].startswith("--from") for source in words[:-1]]


def is_sent(path: str) -> bool:
    """Return whether ``.dockerignore`` lets a path of the context through; the last line that matches decides."""
    sent = True
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        pattern = line.removeprefix("!").replace("**/", "*")
        if line and not line.startswith("#") and fnmatch.fnmatch(path, pattern):
            sent = line.startswith("!")
    return sent


def test_the_image_runs_without_rights() -> None:
    """The only word on the user is a number other than root."""
    assert of("USER") == ["10001:10001"]
    assert ("USER", "10001:10001") in last_stage()


def test_no_shell_stands_between_signals_and_the_daemon() -> None:
    """The entry point is the program itself, and without arguments it is the daemon."""
    assert [json.loads(rest) for rest in of("ENTRYPOINT")] == [["rotator"]]
    assert [json.loads(rest) for rest in of("CMD")] == [["run"]]


def test_the_health_check_asks_the_daemon_itself() -> None:
    """The health check is a program with arguments that compiles, asks /healthz, and ignores proxies."""
    _, _, command = of("HEALTHCHECK")[0].partition("CMD ")
    program, *options, code = json.loads(command)
    assert (program, options) == ("python", ["-I", "-c"])
    compile(code, "health check", "exec")
    assert "/healthz" in code
    assert "ProxyHandler({})" in code


def test_only_the_lock_file_decides_what_is_installed() -> None:
    """Every package is installed by hash from the lock file; nothing else is fetched."""
    runs = of("RUN")
    installs = [run for run in runs if "pip" in run and "install" in run]
    (install,) = map(json.loads, installs)
    assert {"--require-hashes", "--only-binary", "/src/requirements.lock"} <= set(install)
    assert not [run for run in runs if re.search(r"\b(curl|wget|apt-get|git)\b|https?://", run)]
    assert of("ADD") == []


def test_the_base_is_named_once_by_tag() -> None:
    """The build starts from one base, whose tag is written, so that one line pins it; the image starts from nothing."""
    assert [rest for rest in of("ARG") if rest.startswith("BASE=")] == ["BASE=python:3.13-slim"]
    assert [rest.split()[0] for rest in of("FROM")] == ["${BASE}", "scratch"]


def test_nothing_needs_a_shell() -> None:
    """Every command is a program with arguments, in the build as well: neither stage has to have a shell."""
    assert [rest for rest in of("RUN") if not isinstance(json.loads(rest), list)] == []
    assert "RUN" not in [word for word, _ in last_stage()]


def test_every_copied_thing_exists_and_is_sent() -> None:
    """Whatever is copied from the context is there, and .dockerignore lets it through."""
    assert set(sources()) == {"LICENSE", "requirements.lock", "rotator", "deploy/image/assemble.py"}
    for source in sources():
        assert (ROOT / source).exists()
        assert is_sent(source)


@pytest.mark.parametrize(
    "path", [".git", ".venv", "tests", "config", "rotator/__pycache__", "rotator.db", "ghcr.token"]
)
def test_nothing_else_is_sent(path: str) -> None:
    """Neither history, nor state, nor a token that lies about reaches the build."""
    assert not is_sent(path)


def test_no_secret_is_built_in() -> None:
    """Build arguments and variables are the base, the revision and a time; neither a name nor a value is a secret's."""
    names = [rest.split("=")[0] for rest in of("ARG")]
    assert set(names) == {"BASE", "ROTATOR_REVISION", "SOURCE_DATE_EPOCH"}
    variables = [name for rest in of("ENV") for name, *_ in (word.split("=") for word in shlex.split(rest))]
    assert not [name for name in variables if re.search(r"TOKEN|SECRET|PASSWORD|KEY", name)]


def test_the_revision_reaches_the_daemon() -> None:
    """What the build was told as its revision is what ``rotator_build_info`` reads."""
    stage = last_stage()
    assert ("ARG", "ROTATOR_REVISION=unknown") in stage
    assert any(word == "ENV" and "ROTATOR_REVISION=${ROTATOR_REVISION}" in rest for word, rest in stage)


def test_the_label_names_the_version() -> None:
    """The image says which version of the program it holds."""
    assert f'org.opencontainers.image.version="{__version__}"' in " ".join(of("LABEL"))


def test_state_is_a_volume() -> None:
    """The state outlives the container."""
    assert [json.loads(rest) for rest in of("VOLUME")] == [["/var/lib/rotator"]]
