"""`ucoder dead`: lists, shows, retries and deletes the messages that a service could not process."""

import contextlib
import datetime
from collections.abc import AsyncIterator
from typing import Annotated

from rich.console import Console
from rich.table import Table
from typer import Argument, Typer

from ucoder.cli.shared.registration import command
from ucoder.runtime.messaging.bus import Bus
from ucoder.runtime.messaging.dead_letters import DeadLetters
from ucoder.runtime.settings import load

dead = Typer(help="Lists, shows, retries and deletes messages that a service gave up.", no_args_is_help=True)
NumberArgument = Annotated[int, Argument(min=1, help="Number of a dead letter; `ucoder dead list` shows it.")]


@command(dead, "list")
async def list_letters() -> None:
    """Lists every dead letter with its reason, one a line.

    Example: `ucoder dead list`
    """
    table = Table("number", "when", "arrow", "run", "name", "reason")
    async with _dead_letters() as letters:
        for letter in await letters.all():
            when = datetime.datetime.fromtimestamp(letter.seconds, datetime.UTC).isoformat(timespec="seconds")
            table.add_row(str(letter.sequence), when, letter.arrow, letter.run, letter.name, letter.reason)
    Console().print(table)


@command(dead, "show")
async def show_letter(number: NumberArgument) -> None:
    """Shows one dead letter with its stack trace.

    Example: `ucoder dead show 17`
    """
    async with _dead_letters() as letters:
        letter = await letters.get(number)
    Console().print(f"{letter.arrow} {letter.run} {letter.name}: {letter.reason}\n\n{letter.trace}", markup=False)


@command(dead, "retry")
async def retry_letter(number: NumberArgument) -> None:
    """Puts one dead letter back on the queue that it came from.

    Example: `ucoder dead retry 17`
    """
    async with _dead_letters() as letters:
        await letters.retry(number)


@command(dead, "drop")
async def drop_letter(number: NumberArgument) -> None:
    """Deletes one dead letter.

    Example: `ucoder dead drop 17`
    """
    async with _dead_letters() as letters:
        await letters.drop(number)


@contextlib.asynccontextmanager
async def _dead_letters() -> AsyncIterator[DeadLetters]:
    """Yields the dead letters of the bus at UCODER_NATS_URL."""
    bus = await Bus.connect(load())
    try:
        yield DeadLetters(bus)
    finally:
        await bus.close()
