"""The API's path about what depends on a credential."""

from __future__ import annotations

from typing import Any


async def test_usage_names_places_and_consequences(served: Any) -> None:
    """Each target comes with its placements and what it holds, and what would stop working is said."""
    async with served.unix() as session:
        usage = await (await session.get("/api/v1/credentials/ecr-prod/usage")).json()
    (prod,) = usage["targets"]
    assert (prod["count"], prod["placements"], prod["expiries"][0]["kind"]) == (2, ["api", "web"], "known")
    assert usage["consequences"] == ["pulls fail from now on"]
    assert usage["generation"] == 2


async def test_of_nothing_there_is_no_usage(served: Any) -> None:
    """An unknown name is not found."""
    async with served.unix() as session, session.get("/api/v1/credentials/nope/usage") as answer:
        assert answer.status == 404
