"""The tables. Migrations under ``migrations/`` lead here; a test shows that they arrive."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Instant(TypeDecorator[datetime]):
    """An aware UTC instant as microseconds since 1970: exact, sortable, the same in both databases."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:  # noqa: ARG002 (SQLAlchemy's signature)
        """Return microseconds."""
        return None if value is None else (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 (as above)
        """Return the instant."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


metadata = MetaData()

credentials = Table(
    "credentials",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("next_attempt_at", Instant),
    Column("last_success_at", Instant),
    Column("looked_at", Instant),
)
"""One row a credential: the highest generation ever given out, and how its last attempts went."""

versions = Table(
    "versions",
    metadata,
    Column("credential", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("stage", String(16), nullable=False),
    Column("fingerprint", String(32), nullable=False),
    Column("username", Text, nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("expires_at", Instant),
    Column("never_expires", Boolean, nullable=False),
    Column("revision", Text),
    Column("verified_at", Instant),
    Column("rejected_at", Instant),
    Column("handle", Text, nullable=False, server_default=text("''")),
    Column("scopes", Text),
    Column("principal", Text, nullable=False, server_default=text("''")),
    Column("superseded_at", Instant),
    Column("ended_at", Instant),
    Column("dead_at", Instant),
    Column("restores", Integer, nullable=False, server_default="0"),
    Column("withdrawn_at", Instant),
    Column("leaked_at", Instant),
    Column("registry", Text, nullable=False, server_default=text("''")),
    Column("maker", String(16), nullable=False, server_default=text("''")),
    Column("sealed", LargeBinary),
)
"""One row a version. ``scopes`` is a JSON list, or nothing where nobody knows; ``sealed`` is emptied when the version
is retired or abandoned."""

rotations = Table(
    "rotations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("credential", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("step", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("generation", Integer, nullable=False),
    Column("error", String(32), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("restores", Integer, nullable=False, server_default="0"),
    Index("rotations_by_credential", "credential", "id"),
    Index("rotations_by_state", "state"),
)
"""The journal: one row an attempt; its step is written before the step begins."""

deliveries = Table(
    "deliveries",
    metadata,
    Column("target", String(64), primary_key=True),
    Column("placement", Text, primary_key=True),
    Column("credential", String(64), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("state", String(16), nullable=False),
    Column("at", Instant, nullable=False),
    Column("error", String(32), nullable=False),
    Column("message", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("confirmed_generation", Integer, nullable=False),
    Column("proof", String(16), nullable=False, server_default="value"),
    Column("written_at", Instant),
    Column("revealed_at", Instant),
    Column("left_until", Instant),
    Column("repairs", Text, nullable=False, server_default=text("''")),
)
"""One row a credential and placement: the latest try, and the newest generation confirmed there. ``repairs`` is a list
of instants in ISO 8601, parted by commas."""

headroom_samples = Table(
    "headroom_samples",
    metadata,
    Column("registry", String(255), primary_key=True),
    Column("credential", String(64), primary_key=True),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("state", String(16), nullable=False),
    Column("quota", BigInteger),
    Column("remaining", BigInteger),
    Column("window_seconds", BigInteger),
    Column("reset_at", Instant),
    Column("source", String(16), nullable=False),
)
"""One row a measured pull limit; ``quota`` is the limit, a word of SQL."""

notes = Table(
    "notes",
    metadata,
    Column("destination", String(64), primary_key=True),
    Column("kind", String(16), primary_key=True),
    Column("credential", String(64), primary_key=True),
    Column("about", String(255), primary_key=True),
    Column("severity", String(16), nullable=False),
    Column("what", Text, nullable=False),
    Column("noticed_at", Instant, nullable=False),
)
"""One row a need that a destination of notifications was told of, until it is told that it is over."""

audit = Table(
    "audit",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", String(16), nullable=False),
    Column("credential", String(64), nullable=False),
    Column("outcome", String(16), nullable=False),
    Column("message", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("rotation", String(40), nullable=False),
    Column("subject", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Index("audit_by_credential", "credential", "number"),
)
"""One row a record of the audit, chained; only ever appended to. See `rotator.store.audit`."""

audit_ends = Table(
    "audit_ends",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("mac", LargeBinary, nullable=False),
)
"""One row as a rule: with which record the audit ends. See `rotator.store.audit_end`."""

own_keys = Table(
    "own_keys",
    metadata,
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("sealed", LargeBinary, nullable=False),
)
"""One row as a rule: the key of fingerprints and of the audit's chain. A further one where the seal key was lost."""

tenures = Table(
    "tenures",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("holder", Text, nullable=False),
)
"""One row, in PostgreSQL: how often the state was taken, and who took it last. See `rotator.store.tenure`."""
