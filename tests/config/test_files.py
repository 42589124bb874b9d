"""One file or a directory, and everything that keeps either from being read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rotator.config.files import MAX_FILE_BYTES, read
from rotator.config.kinds import Kinds
from rotator.config.load import load
from rotator.errors import ConfigError

CREDENTIAL = "credentials:\n  {}: {{provider: minted, registry: registry.example, deliver_to: [shelf]}}\n"


def _directory(tmp_path: Path, **files: str) -> Path:
    for name, text in files.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def _texts(path: Path) -> list[str]:
    return [str(mistake).replace(f"{path}/", "") for mistake in read(path).mistakes]


def test_a_directory_is_joined(tmp_path: Path, kinds: Kinds) -> None:
    """Credentials of one file, targets of another and a section of a third make one configuration."""
    path = _directory(
        tmp_path,
        a=CREDENTIAL.format("one"),
        b="version: 1\ntargets: {shelf: {type: shelf}}\n",
        c="version: 1\nlog: {level: debug}\ntargets: {other: {type: shelf}}\n",
    )
    config = load(path, kinds)
    assert list(config.credentials) == ["one"]
    assert sorted(config.targets) == ["other", "shelf"]
    assert config.log.level == "debug"


def test_a_directory_and_a_file_give_the_same(tmp_path: Path, kinds: Kinds) -> None:
    """It makes no difference over how many files entries are spread."""
    target = "targets: {shelf: {type: shelf}}\n"
    (tmp_path / "d").mkdir()
    path = _directory(tmp_path / "d", a=CREDENTIAL.format("one"), b=target)
    whole = tmp_path / "whole.yaml"
    whole.write_text(CREDENTIAL.format("one") + target)
    assert load(path, kinds) == load(whole, kinds)


def test_the_same_name_in_two_files_names_both(tmp_path: Path) -> None:
    """A credential that two files define is refused, with both places."""
    path = _directory(tmp_path, a="version: 1\n" + CREDENTIAL.format("one"), b=CREDENTIAL.format("one"))
    assert _texts(path) == ["b.yaml:2: credentials.one: is also in a.yaml:3; keep one of the two"]


def test_a_section_belongs_to_one_file(tmp_path: Path) -> None:
    """A section other than the shared ones may not be split."""
    path = _directory(tmp_path, a="log: {level: info}\n", b="log: {format: json}\n")
    assert _texts(path) == ["b.yaml:1: log: is also in a.yaml:1; put it in one file"]


def test_two_versions_are_refused(tmp_path: Path) -> None:
    """Each file may say the version, but not a different one."""
    path = _directory(tmp_path, a="version: 1\n", b="version: 2\n")
    assert _texts(path) == ["b.yaml:1: version: is also in a.yaml:1; put it in one file"]


def test_mistakes_of_all_files_are_named_at_once(tmp_path: Path, kinds: Kinds) -> None:
    """A broken file does not hide what is wrong in another, and is not taken for a missing target."""
    path = _directory(tmp_path, a=CREDENTIAL.format("one") + "log: {level: x}\n", b="targets: {shelf: [a\n")
    with pytest.raises(ConfigError) as caught:
        load(path, kinds)
    assert [mistake.replace(f"{path}/", "") for mistake in caught.value.mistakes] == [
        "a.yaml:3: log.level: must be debug, info, warning or error",
        "b.yaml:1: a list that is opened here is never closed; write [a, b]",
    ]


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    """What editors and volumes keep beside the files is not read; *.yml is."""
    path = _directory(tmp_path, a="version: 1\n")
    (tmp_path / ".a.yaml").write_text("broken: [")
    (tmp_path / "a.yaml~").write_text("broken: [")
    (tmp_path / "dir.yaml").mkdir()
    (tmp_path / "b.yml").write_text("log: {level: info}\n")
    assert read(path).data == {"version": 1, "log": {"level": "info"}}


def test_a_mounted_volume_is_read_once(tmp_path: Path) -> None:
    """Kubernetes mounts files as links into a hidden directory; each is read once, through its link."""
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "a.yaml").write_text("version: 1\n")
    (tmp_path / "a.yaml").symlink_to("..data/a.yaml")
    document = read(tmp_path)
    assert (document.data, document.mistakes) == ({"version": 1}, [])


def _missing(path: Path) -> Path:
    return path / "none.yaml"


def _empty_directory(path: Path) -> Path:
    return path


def _empty_file(path: Path) -> Path:
    return _file(path, b"")


def _too_large(path: Path) -> Path:
    return _file(path, b"a: " + b"x" * MAX_FILE_BYTES)


def _ten_megabytes(path: Path) -> Path:
    return _file(path, b"- [[[[\n" * 1_500_000)


def _not_utf8(path: Path) -> Path:
    return _file(path, b"version: 1\nname: caf\xe9\n")


def _pipe(path: Path) -> Path:
    os.mkfifo(path / "pipe.yaml")
    return path / "pipe.yaml"


def _dangling(path: Path) -> Path:
    (path / "x.yaml").symlink_to("gone.yaml")
    return path


def _too_many(path: Path) -> Path:
    for number in range(1001):
        (path / f"{number}.yaml").touch()
    return path


def _file(path: Path, content: bytes) -> Path:
    (path / "x.yaml").write_bytes(content)
    return path / "x.yaml"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(_missing, "none.yaml: cannot be read (No such file or directory); check", id="missing"),
        pytest.param(_empty_directory, "is a directory without *.yaml files; add one, or name a file", id="no-files"),
        pytest.param(_empty_file, "x.yaml: is empty; write the configuration, or remove the file", id="empty"),
        pytest.param(_too_large, "x.yaml: is larger than 1 MiB; spread it over", id="too-large"),
        pytest.param(_ten_megabytes, "x.yaml: is larger than 1 MiB; spread it over", id="ten-megabytes"),
        pytest.param(_not_utf8, "x.yaml:2: is not UTF-8; save it as UTF-8 text", id="latin-1"),
        pytest.param(_pipe, "pipe.yaml: is not a regular file; name a file or a directory", id="pipe"),
        pytest.param(_dangling, "x.yaml: cannot be read (No such file or directory); check", id="dangling-link"),
        pytest.param(_too_many, "is a directory of more than 1000 files; name the right one", id="too-many-files"),
    ],
)
def test_what_cannot_be_read_is_said_so(
    make: Callable[[Path], Path], message: str, tmp_path: Path, kinds: Kinds
) -> None:
    """Each thing that is no readable configuration is refused with its reason, and at once."""
    with pytest.raises(ConfigError) as caught:
        load(make(tmp_path), kinds)
    (mistake,) = caught.value.mistakes
    assert message in mistake


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_said_so(tmp_path: Path) -> None:
    """An unreadable file names the reason."""
    path = _file(tmp_path, b"version: 1\n")
    path.chmod(0)
    assert "Permission denied" in read(path).mistakes[0].text


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    """Files of Windows editors are read."""
    assert read(_file(tmp_path, b"\xef\xbb\xbfversion: 1\n")).data == {"version": 1}


@pytest.mark.parametrize("name", ["rotator", "00-policy"])
def test_the_policy_stands_in_the_first_file(name: str, tmp_path: Path, kinds: Kinds) -> None:
    """The policy of a directory may be in its main file."""
    path = _directory(tmp_path, **{name: "policy: {renewal: {at_most_age: 1d}}\n", "team": CREDENTIAL.format("one")})
    (tmp_path / "shelf.yaml").write_text("targets: {shelf: {type: shelf}}\n")
    assert load(path, kinds).policy.renewal.at_most_age is not None


@pytest.mark.parametrize(
    "others", [pytest.param({}, id="alone"), pytest.param({"rotator": "policy: {}\n"}, id="beside the real one")]
)
def test_a_fragment_cannot_widen_the_policy(others: dict[str, str], tmp_path: Path) -> None:
    """A policy in any other file of a directory is refused, even where it is the only one or the only file."""
    path = _directory(tmp_path, **{"000-team": "policy: {rules: [{credentials: ['*']}]}\n"}, **others)
    assert (
        "000-team.yaml:1: policy: belongs into rotator.yaml or 00-*.yaml of this directory, "
        "so that no other file of it can widen it"
    ) in _texts(path)


RULES = "policy: {rules: [{credentials: ['*'], reads: ['file:/run/team-a/*'], targets: [team-a-*]}]}\n"
LOCKED = "targets: {{{}: {{type: shelf, lock: {{file: {}}}}}}}\n"


@pytest.mark.parametrize(
    ("file", "target", "secret", "is_allowed"),
    [
        pytest.param("50-team-a", "team-a-shelf", "/run/team-a/lock", True, id="its own"),
        pytest.param("50-team-a", "team-a-shelf", "/run/team-b/lock", False, id="another's"),
        pytest.param("50-team-a", "other", "/run/team-a/lock", False, id="no rule is about such a target"),
        pytest.param("00-targets", "other", "/run/team-b/lock", True, id="beside the policy"),
    ],
)
def test_a_fragment_s_target_reads_what_a_rule_allows(
    file: str,
    target: str,
    secret: str,
    is_allowed: bool,  # noqa: FBT001 (a row's value)
    tmp_path: Path,
    kinds: Kinds,
) -> None:
    """A target in a fragment may read only what a rule about it allows, used or not; one beside the policy anything."""
    path = _directory(tmp_path, **{"rotator": RULES, file: LOCKED.format(target, secret)})
    if is_allowed:
        assert target in load(path, kinds).targets
        return
    with pytest.raises(ConfigError, match=rf"50-team-a.yaml:1: targets.{target}: is not allowed by policy: "):
        load(path, kinds)
