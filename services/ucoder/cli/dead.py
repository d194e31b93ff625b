"""`ucoder dead ...`."""

from typing import Annotated

import typer

from ucoder.cli.shared.options import finish

dead = typer.Typer(help="Messages that could not be worked on: list, show, retry, drop.", no_args_is_help=True)
LetterNumber = Annotated[int, typer.Argument(min=1, help="Number of a dead letter; `ucoder dead list` shows them.")]


@dead.command("list")
def dead_list() -> None:
    """Every message that could not be worked on, with its reason."""
    from ucoder.cli.dead_work import listing

    finish(listing())


@dead.command("show")
def dead_show(number: LetterNumber) -> None:
    """One of them with its trace."""
    from ucoder.cli.dead_work import show

    finish(show(number))


@dead.command("retry")
def dead_retry(number: LetterNumber) -> None:
    """Put one back on its arrow's queue."""
    from ucoder.cli.dead_work import retry

    finish(retry(number))


@dead.command("drop")
def dead_drop(number: LetterNumber) -> None:
    """Forget one."""
    from ucoder.cli.dead_work import drop

    finish(drop(number))
