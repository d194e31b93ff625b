"""`ucoder runs ...`."""

from typing import Annotated

import typer

from ucoder.cli.calling import finish

runs = typer.Typer(help="List, show, watch, cancel and resume runs.", no_args_is_help=True)
AddressFlag = Annotated[str | None, typer.Option("--address", help="RunService, host:port. Default: UCODER_LISTEN.")]
RunName = Annotated[str, typer.Argument(help="Id of a run; `ucoder runs list` names them.")]


@runs.command("list")
def runs_list(address: AddressFlag = None) -> None:
    """Every run in a line."""
    from ucoder.commands.runs import listing

    finish(listing(address))


@runs.command("show")
def runs_show(run: RunName, address: AddressFlag = None) -> None:
    """One run as it is now."""
    from ucoder.commands.runs import show

    finish(show(address, run))


@runs.command("watch")
def runs_watch(run: RunName, address: AddressFlag = None) -> None:
    """One run whenever it has changed, until it has ended."""
    from ucoder.commands.runs import watch

    finish(watch(address, run))


@runs.command("cancel")
def runs_cancel(
    run: RunName,
    reason: Annotated[str, typer.Option(help="Words for whoever asks why.")] = "",
    address: AddressFlag = None,
) -> None:
    """End a run where it stands; what is stored stays."""
    from ucoder.commands.runs import cancel

    finish(cancel(address, run, reason))


@runs.command("resume")
def runs_resume(run: RunName, address: AddressFlag = None) -> None:
    """Go on with a run that failed or was cancelled, from what the store holds."""
    from ucoder.commands.runs import resume

    finish(resume(address, run))
