"""`ucoder runs ...`."""

from pathlib import Path
from typing import Annotated

import typer

from ucoder.cli.shared.options import finish

runs = typer.Typer(
    help="Create, list, show, watch, cancel and resume runs; fetch what they made.", no_args_is_help=True
)
AddressFlag = Annotated[str | None, typer.Option("--address", help="RunService, host:port. Default: UCODER_LISTEN.")]
TokenFlag = Annotated[Path | None, typer.Option("--token-file", help="File with the caller's token for --address.")]
RunName = Annotated[str, typer.Argument(help="Id of a run; `ucoder runs list` names them.")]


@runs.command("create")
def runs_create(
    config: Annotated[Path | None, typer.Option(help="YAML file that names what differs from the defaults.")] = None,
    preset: Annotated[str | None, typer.Option(help="Shipped configuration: `demo` fits a laptop.")] = None,
    run: Annotated[str, typer.Option("--id", help="The run's id. Default: the service chooses one.")] = "",
    address: AddressFlag = None,
    token_file: TokenFlag = None,
) -> None:
    """Start a run on services that are served elsewhere; `ucoder run` brings its own."""
    from ucoder.cli.runs_work import Door, create

    finish(create(Door(address, token_file), config, preset, run))


@runs.command("list")
def runs_list(address: AddressFlag = None, token_file: TokenFlag = None) -> None:
    """Every run in a line."""
    from ucoder.cli.runs_work import Door, listing

    finish(listing(Door(address, token_file)))


@runs.command("show")
def runs_show(run: RunName, address: AddressFlag = None, token_file: TokenFlag = None) -> None:
    """One run as it is now."""
    from ucoder.cli.runs_work import Door, show

    finish(show(Door(address, token_file), run))


@runs.command("watch")
def runs_watch(run: RunName, address: AddressFlag = None, token_file: TokenFlag = None) -> None:
    """One run whenever it has changed, until it has ended."""
    from ucoder.cli.runs_work import Door, watch

    finish(watch(Door(address, token_file), run))


@runs.command("cancel")
def runs_cancel(
    run: RunName,
    reason: Annotated[str, typer.Option(help="Words for whoever asks why.")] = "",
    address: AddressFlag = None,
    token_file: TokenFlag = None,
) -> None:
    """End a run where it stands; what is stored stays."""
    from ucoder.cli.runs_work import Door, cancel

    finish(cancel(Door(address, token_file), run, reason))


@runs.command("resume")
def runs_resume(run: RunName, address: AddressFlag = None, token_file: TokenFlag = None) -> None:
    """Go on with a run that failed or was cancelled, from what the store holds."""
    from ucoder.cli.runs_work import Door, resume

    finish(resume(Door(address, token_file), run))


@runs.command("fetch")
def runs_fetch(
    run: RunName,
    folder: Annotated[Path, typer.Argument(help="Where to put it; not there yet.")],
    checkpoint: Annotated[str | None, typer.Option(help="As 001 or 001-control. Default: the best one.")] = None,
) -> None:
    """Copy a run's best checkpoint out of UCODER_STORE_URL's store: an ordinary Hugging Face folder."""
    from ucoder.cli.fetch import main

    finish(main(run, folder, checkpoint))
