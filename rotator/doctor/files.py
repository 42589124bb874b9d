"""The files that the configuration names: whether they are there, and whether nobody else may read or replace them."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import make_url

from rotator.config.root import Config
from rotator.config.supervised import OTHERS_RIGHTS, forbidden_bits
from rotator.doctor.finding import Finding, Level
from rotator.doctor.refs import places_of
from rotator.sources.file import FileRules, parse_location

FAMILY = "files"


@dataclass(frozen=True, slots=True)
class Wanted:
    """A file, and who may do what to it.

    Args:
        path: Where.
        what: What it is, in words.
        forbidden: Permission bits that it must not have.
        is_made: Whether the daemon makes it, so that it may be absent before its first start.
    """

    path: Path
    what: str
    forbidden: int
    is_made: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen of a file.

    Args:
        mode: Its permission bits; None when it is not there.
        error: Why it could not be looked at; empty when it could.
        is_readable: Whether we may read it.
    """

    mode: int | None
    error: str = ""
    is_readable: bool = True


def check_files(config: Config, config_path: Path) -> list[Finding]:
    """Return how every named file stands. Reads no content."""
    secrets, unusable = places_of(config, "file", parse_location, FAMILY)
    rules = FileRules(allow_group_read=config.files.allow_group_read)
    private = [Wanted(path, "a secret", rules.forbidden_bits(path)) for path in sorted({path for path, _ in secrets})]
    files = [judge_file(wanted, _look(wanted.path)) for wanted in [*wanted_files(config, config_path), *private]]
    parents = [judge_parent(path, _look(path), os.access(path, os.W_OK)) for path in _parents(config)]
    return unusable + files + parents


def judge_file(wanted: Wanted, seen: Seen) -> Finding:
    """Decide how a file stands."""
    about, level, mend = str(wanted.path), Level.OK, ""
    if seen.error:
        level, text = Level.UNKNOWN, f"{wanted.what} cannot be looked at ({seen.error})"
        mend = "Run this as the daemon's user, or with sudo"
    elif seen.mode is None and wanted.is_made:
        text = f"{wanted.what} is not there yet; the daemon makes it"
    elif seen.mode is None:
        level, text, mend = (
            Level.FAIL,
            f"{wanted.what} is not there",
            "Put it there, or name another in the configuration",
        )
    elif seen.mode & wanted.forbidden:
        level, text = Level.FAIL, f"{wanted.what} has mode {seen.mode:04o}, which lets others at it"
        mend = f"Run chmod {seen.mode & ~wanted.forbidden:04o} {wanted.path}"
    elif not seen.is_readable:
        level, text = Level.UNKNOWN, f"{wanted.what} is there, and this user may not read it"
        mend = "Run this as the daemon's user, to see whether that one may"
    else:
        text = f"{wanted.what} has mode {seen.mode:04o}"
    return Finding(FAMILY, about, level, text, mend)


def judge_parent(path: Path, seen: Seen, writable: object) -> Finding:
    """Decide how the directory of a docker configuration stands, where the file is replaced."""
    what = "the directory of a docker configuration"
    if seen.error:
        return Finding(FAMILY, str(path), Level.UNKNOWN, f"{what} cannot be looked at ({seen.error})", _AS_DAEMON)
    if seen.mode is None:
        mend = f"Make it, for its user alone: install -d -m 0700 {path}"
        return Finding(FAMILY, str(path), Level.FAIL, f"{what} is not there", mend)
    if seen.mode & stat.S_IWOTH and not seen.mode & stat.S_ISVTX:
        text = f"{what} has mode {seen.mode:04o}: anybody can replace what is in it"
        return Finding(FAMILY, str(path), Level.FAIL, text, f"Run chmod o-w {path}")
    if not writable:
        return Finding(FAMILY, str(path), Level.FAIL, f"{what} may not be written by this user", _AS_DAEMON)
    return Finding(FAMILY, str(path), Level.OK, f"{what} has mode {seen.mode:04o} and may be written")


def wanted_files(config: Config, config_path: Path) -> Iterator[Wanted]:
    """Yield the files that the daemon has beside its secrets, with the modes that it asks of them itself."""
    yield Wanted(config_path, "the configuration", stat.S_IWGRP | stat.S_IWOTH)
    database = make_url(config.store.url).database if config.store.url.startswith("sqlite") else None
    if database:
        yield Wanted(Path(database), "the state", OTHERS_RIGHTS, is_made=True)
    key, is_made = config.store.seal_key_file or f"{database}.key", config.store.seal_key_file is None
    yield Wanted(Path(key), "the seal key", forbidden_bits(Path(key)), is_made=is_made)
    yield Wanted(Path(config.admin.socket), "the daemon's socket", stat.S_IRWXO & ~stat.S_IXOTH, is_made=True)
    if config.admin.tokens_file:
        tokens = Path(config.admin.tokens_file)
        yield Wanted(tokens, "the file of the API's tokens", forbidden_bits(tokens))


def _parents(config: Config) -> list[Path]:
    files = [getattr(target, "path", None) for target in config.targets.values() if target.type == "docker_config"]
    return sorted({Path(str(path)).expanduser().parent for path in files if path is not None})


def _look(path: Path) -> Seen:
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return Seen(None)
    except OSError as error:
        return Seen(None, error.strerror or type(error).__name__)
    return Seen(mode, is_readable=os.access(path, os.R_OK))


_AS_DAEMON = "Run this as the daemon's user, and give that user the directory if it says the same"
