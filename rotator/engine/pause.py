"""Waits that news can end."""

from __future__ import annotations

import asyncio

from rotator.ports import Clock


async def pause(clock: Clock, seconds: float, news: asyncio.Event) -> None:
    """Return after ``seconds``, or as soon as ``news`` is set."""
    sleeping = asyncio.create_task(clock.sleep(seconds))
    waiting = asyncio.create_task(news.wait())
    try:
        await asyncio.wait({sleeping, waiting}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        sleeping.cancel()
        waiting.cancel()
        await asyncio.gather(sleeping, waiting, return_exceptions=True)
