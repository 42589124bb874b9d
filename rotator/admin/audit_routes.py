"""The admin API's paths about the audit: who did what, why, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict

from rotator.admin.routes import UsedContext
from rotator.domain.audit import ChainedRecord

MAX_PAGE = 500


class RecordView(BaseModel):
    """One record, in its place in the chain."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    number: int
    at: datetime
    actor: str
    action: str
    credential: str
    outcome: str
    message: str
    generation: int
    rotation: str
    subject: str
    digest: str
    """Over the digest before, the number and the record; under a key of the daemon's."""

    @classmethod
    def of(cls, chained: ChainedRecord) -> Self:
        """Return the view of ``chained``."""
        record = chained.record
        return cls(
            number=chained.number,
            at=record.at,
            actor=record.actor,
            action=record.action,
            credential=record.credential,
            outcome=record.outcome,
            message=record.message,
            generation=record.generation,
            rotation=record.rotation,
            subject=record.subject,
            digest=chained.digest,
        )


class RecordList(BaseModel):
    """Records, and the daemon's time."""

    model_config = ConfigDict(frozen=True)

    now: datetime
    records: tuple[RecordView, ...]


class VerdictView(BaseModel):
    """What checking the chain found."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True, from_attributes=True)

    records: int
    """That are as they were written."""
    broken_at: int
    """Number of the first that is not, or is missing; 0 when all are."""
    why: str


router = APIRouter(prefix="/api/v1/audit")
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE)]


@router.get("")
async def list_newest(
    context: UsedContext, credential: Annotated[str | None, Query(max_length=63)] = None, limit: Limit = 20
) -> RecordList:
    """Return the newest records, newest first; of all credentials, or of one."""
    found = await context.surface.newest_audit(limit, credential)
    return RecordList(now=context.surface.clock.now(), records=tuple(RecordView.of(one) for one in found))


@router.get("/records")
async def list_records(
    context: UsedContext, after: Annotated[int, Query(ge=0)] = 0, limit: Limit = MAX_PAGE
) -> RecordList:
    """Return the records after number ``after``, oldest first: ask again with the last one's number."""
    found = await context.surface.audit(after, limit)
    return RecordList(now=context.surface.clock.now(), records=tuple(RecordView.of(one) for one in found))


@router.get("/verdict")
async def verify(context: UsedContext) -> VerdictView:
    """Check the whole chain, and say where it is broken."""
    return VerdictView.model_validate(await context.surface.verify_audit())
