"""The daemon's state: whether it can be read as the daemon will, without taking it from a daemon that runs."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from datetime import datetime
from pathlib import Path

from rotator.config.root import StoreConfig
from rotator.doctor.finding import Finding, Level, of_error
from rotator.domain.words import counted
from rotator.errors import ConfigError, RotatorError
from rotator.store.database import NEWER, NEWER_HINT, parse_url
from rotator.store.look import Age, Sight, look
from rotator.store.seal import OTHER_KEY, Sealer, load_keys

FAMILY = "state"


async def check_state(config: StoreConfig, claimed: Collection[str], now: datetime) -> list[Finding]:
    """Return whether the database can be read, and whether the seal key opens what is in it. Nothing is written.

    Args:
        config: Where it is.
        claimed: The names of all credentials, and those that they had before.
        now: Aware UTC.
    """
    try:
        url = parse_url(config.url)
    except ConfigError as error:
        return [of_error(FAMILY, "store.url", error, "Look at config/rotator.yaml for what it may be")]
    if url.drivername == "sqlite" and url.database in {None, "", ":memory:"}:
        text, mend = "it is kept in memory, and gone at each stop", "Give store.url a file or a database"
        return [Finding(FAMILY, config.url, Level.WARN, text, mend)]
    path = Path(str(url.database)) if url.drivername == "sqlite" else None
    if path is not None and not await asyncio.to_thread(path.exists):
        text = "there is none yet; the daemon makes it at its first start"
        return [_directory(path), Finding(FAMILY, str(path), Level.OK, text)]
    about = str(path) if path is not None else url.set(query={}).render_as_string()
    found, sight = await _look(config.url, about, Path(config.seal_key_file or f"{path}.key"))
    return [*found, *(judge_names(about, sight, claimed, now) if sight is not None else [])]


async def _look(url: str, about: str, key_file: Path) -> tuple[list[Finding], Sight | None]:
    """Return what is to be said of a state that is there, and of its keys; and what was seen of it."""
    keys, wrong = await _keys(key_file)
    sight: Sight | None = None
    try:
        sight = await look(url, Sealer(keys) if keys else None)
    except RotatorError as error:
        text = error.message.removeprefix("the state: ")
        found = Finding(FAMILY, about, Level.FAIL, f"it cannot be read: {text}", error.hint)
    else:
        found = judge_sight(about, sight)
    return [found, *(wrong or [judge_keys(str(key_file), len(keys), sight)])], sight


async def _keys(path: Path) -> tuple[list[bytes], list[Finding]]:
    """Return the keys, or what is wrong with their file."""
    try:
        return await asyncio.to_thread(load_keys, path), []
    except ConfigError as error:
        mend = "Restore the key that was in use; without it the state is lost"
        return [], [of_error(FAMILY, str(path), error, mend)]


def _directory(path: Path) -> Finding:
    if path.parent.is_dir():
        return Finding(FAMILY, str(path.parent), Level.OK, "the directory for the state is there")
    mend = f"Make it, for the daemon's user alone: install -d -m 0700 {path.parent}"
    return Finding(FAMILY, str(path.parent), Level.FAIL, "the directory for the state is not there", mend)


def judge_sight(about: str, sight: Sight) -> Finding:
    """Return whether a daemon could start on a state."""
    match sight.age:
        case Age.NONE:
            return Finding(FAMILY, about, Level.OK, "it is empty; the daemon makes its tables at its first start")
        case Age.FOREIGN:
            mend = "Look whether store.url names the right one"
            return Finding(FAMILY, about, Level.WARN, "it is a database, but not the daemon's", mend)
        case Age.NEWER:
            return Finding(FAMILY, about, Level.FAIL, NEWER, NEWER_HINT)
    older = "; an older rotator made it, and the next start brings it up to date" if sight.age is Age.OLDER else ""
    held = f"; {sight.holder} has it open" if sight.holder else ""
    return Finding(FAMILY, about, Level.OK, f"the database can be read{older}{held}")


def judge_names(about: str, sight: Sight, claimed: Collection[str], now: datetime) -> list[Finding]:
    """Return what is kept under names that no credential has, or had before, and that may work at its vendor still."""
    found = []
    for name, expiries in sorted(sight.kept.items()):
        alive = [at for at in expiries if at is None or at > now]
        if alive and name not in claimed:
            text = f"{counted(len(alive), 'version')} of {name} may still work, and no credential has that name"
            mend = f"If it was renamed, write formerly: {name} at its new name; otherwise end them at the vendor"
            found.append(Finding(FAMILY, about, Level.WARN, text, mend))
    return found


def judge_keys(about: str, keys: int, sight: Sight | None) -> Finding:
    """Return whether the seal keys open every secret that is kept; ``sight`` is None where the state told nothing."""
    read = f"{counted(keys, 'seal key')} can be read"
    if sight is None or not sight.sealed:
        return Finding(FAMILY, about, Level.OK, read)
    if sight.opened < sight.sealed:
        some = f"only {sight.opened}" if sight.opened else "none"
        opens = "opens" if keys == 1 else "open"
        text = f"{read}, but {opens} {some} of {counted(sight.sealed, 'secret')} in the state"
        return Finding(FAMILY, about, Level.FAIL, text, OTHER_KEY)
    opened = "the secret" if sight.sealed == 1 else f"all {sight.sealed} secrets"
    return Finding(FAMILY, about, Level.OK, f"{read}; {opened} in the state can be opened")
