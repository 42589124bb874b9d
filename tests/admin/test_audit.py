"""The API's paths about the audit."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        pytest.param("", [3, 2, 1], id="newest first"),
        pytest.param("?limit=1", [3], id="no more than asked for"),
        pytest.param("?credential=ghcr", [2], id="of one credential"),
        pytest.param("/records?after=1", [2, 3], id="oldest first, after a number"),
        pytest.param("?limit=0", None, id="none"),
        pytest.param("?limit=501", None, id="too many"),
        pytest.param("/records?after=-1", None, id="before the first"),
    ],
)
async def test_records_are_listed(served: Any, query: str, numbers: list[int] | None) -> None:
    """Records come newest first, or oldest first after a number; what cannot be asked for is refused."""
    async with served.unix() as session, session.get(f"/api/v1/audit{query}") as answer:
        body = await answer.json()
    assert (answer.status == 200) == (numbers is not None)
    assert [one["number"] for one in body.get("records", [])] == (numbers or [])


async def test_the_verdict_names_the_first_broken_record(served: Any) -> None:
    """A broken chain is told with the number where it breaks, and why."""
    async with served.unix() as session:
        verdict = await (await session.get("/api/v1/audit/verdict")).json()
    assert verdict == {"records": 2, "broken_at": 3, "why": "record 3 is missing: the next one is 4"}
