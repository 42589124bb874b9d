"""The seal key is replaced: what is there is sealed anew, and nothing else is different."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from rotator.domain.audit import AuditRecord
from rotator.domain.model import NEVER, Record, Stage, Version
from rotator.errors import PermanentError
from rotator.ports import Changes
from rotator.secret import Secret
from rotator.store.store import SqlStore

OLD, NEW = b"1" * 32, b"2" * 32
AT = datetime(2026, 1, 1, tzinfo=UTC)
Open = Callable[..., Awaitable[SqlStore]]


def changes(name: str) -> Changes:
    """Return a version with its secret, and a record of it."""
    version = Version(name, 1, Stage.CURRENT, "f", "robot", AT, NEVER)
    secrets = {(name, 1): Secret(f"canary-of-{name}")}
    record = AuditRecord(AT, "me", "issue", name, "done")
    return Changes(records=[Record(name)], versions=[version], secrets=secrets, audit=[record])


async def reopened(open_state: Open, url: str, keys: list[bytes], *names: str) -> SqlStore:
    """Open a state, add to it, close it, and open it again."""
    store = await open_state(url, keys=keys)
    for name in names:
        await store.commit(changes(name))
    await store.close()
    return await open_state(url, keys=keys)


async def test_a_new_key_seals_all_that_is_there(lasting_url: str, open_state: Open) -> None:
    """Opened with a new first key, everything is sealed anew at once, so that the old one can be dropped."""
    await (await reopened(open_state, lasting_url, [OLD], "ecr", "ghcr")).close()
    store = await open_state(lasting_url, keys=[NEW, OLD])
    assert store.resealed == 3, "two secrets and the installation's own key"
    await store.close()

    store = await reopened(open_state, lasting_url, [NEW], "quay")

    assert store.resealed == 0
    for name in ("ecr", "ghcr", "quay"):
        assert (await store.secret(name, 1)).reveal() == f"canary-of-{name}"


async def test_what_is_compared_for_years_does_not_change(lasting_url: str, open_state: Open) -> None:
    """The key of fingerprints stays the same, and the audit is one chain, whatever becomes of the seal key."""
    store = await reopened(open_state, lasting_url, [OLD], "ecr")
    own = store.own_key
    await store.close()
    for keys in ([NEW, OLD], [NEW]):
        store = await reopened(open_state, lasting_url, keys, f"c{len(keys)}")
        assert store.own_key == own
        assert (await store.verify_audit()).broken_at == 0
        await store.close()


async def test_a_key_that_was_dropped_too_early_can_be_put_back(lasting_url: str, open_state: Open) -> None:
    """Without the key nothing opens, and new things are kept all the same; put back, everything opens again."""
    await (await reopened(open_state, lasting_url, [OLD], "ecr")).close()
    store = await reopened(open_state, lasting_url, [NEW], "ghcr")
    with pytest.raises(PermanentError, match="does not open"):
        await store.secret("ecr", 1)
    assert (await store.verify_audit()).broken_at == 1, "what was written under the lost key cannot be checked"
    await store.close()

    store = await reopened(open_state, lasting_url, [NEW, OLD], "quay")

    assert [(await store.secret(name, 1)).reveal() for name in ("ecr", "ghcr", "quay")] == [
        "canary-of-ecr",
        "canary-of-ghcr",
        "canary-of-quay",
    ]
    assert (await store.verify_audit()).broken_at == 0


async def test_an_emptied_table_gains_nothing(lasting_url: str, open_state: Open, execute: Any) -> None:
    """Whoever removes the installation's own key from the state changes neither fingerprints nor what is found."""
    store = await reopened(open_state, lasting_url, [OLD], "ecr")
    own = store.own_key
    await store.close()
    execute(lasting_url, "DELETE FROM own_keys", "UPDATE audit SET actor = 'eve'")
    store = await open_state(lasting_url, keys=[OLD])
    assert store.own_key == own
    assert (await store.verify_audit()).broken_at == 1


async def test_sealing_anew_may_be_repeated(lasting_url: str, open_state: Open) -> None:
    """Sealing anew may be repeated, and finds nothing to do the next time."""
    await (await reopened(open_state, lasting_url, [OLD], "ecr")).close()
    resealed = []
    for _ in range(3):
        store = await open_state(lasting_url, keys=[NEW, OLD])
        resealed.append(store.resealed)
        await store.close()
    assert resealed == [2, 0, 0]
