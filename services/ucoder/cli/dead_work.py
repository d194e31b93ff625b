"""`ucoder dead`: what could not be worked on; looked at, put back, or forgotten."""

import datetime
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rich.console import Console
from rich.table import Table

from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.settings import load


async def listing() -> None:
    """Prints every dead letter in a line."""
    table = Table("number", "when", "arrow", "run", "name", "reason")
    async with _letters() as letters:
        for letter in await letters.all():
            when = datetime.datetime.fromtimestamp(letter.seconds, datetime.UTC).isoformat(timespec="seconds")
            table.add_row(str(letter.sequence), when, letter.arrow, letter.run, letter.name, letter.reason)
    Console().print(table)


async def show(number: int) -> None:
    """Prints one with its trace."""
    async with _letters() as letters:
        letter = await letters.get(number)
    Console().print(f"{letter.arrow} {letter.run} {letter.name}: {letter.reason}\n\n{letter.trace}", markup=False)


async def retry(number: int) -> None:
    """Puts one back on its arrow's queue."""
    async with _letters() as letters:
        await letters.retry(number)


async def drop(number: int) -> None:
    """Forgets one."""
    async with _letters() as letters:
        await letters.drop(number)


@asynccontextmanager
async def _letters() -> AsyncIterator[DeadLetters]:
    bus = await Bus.connect(load())
    try:
        yield DeadLetters(bus)
    finally:
        await bus.close()
