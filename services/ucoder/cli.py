"""The command line. Each command's work is a module of `ucoder.commands`, imported when it is called."""

import asyncio
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Annotated, Any

import typer

from ucoder.flow import SERVICES

app = typer.Typer(
    name="ucoder",
    help="Makes a code model better with no data at all: execution-driven consensus (arXiv 2512.17385).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
bench = typer.Typer(
    help="Measures speed as ratios against peers or limits, in one run on one machine.", no_args_is_help=True
)
app.add_typer(bench, name="bench")

JsonFlag = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


@app.command()
def run(
    config: Annotated[Path | None, typer.Option(help="YAML file that names what differs from the defaults.")] = None,
    preset: Annotated[str | None, typer.Option(help="Shipped configuration: `demo` fits a laptop.")] = None,
    out: Annotated[Path | None, typer.Option(help="Run folder. Default: runs/<preset>-<seed>.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the run in --out where it stopped.")] = False,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of every random choice.")] = None,
) -> None:
    """Run the whole loop here: bus, sandbox, model, training and report in one folder.

    The smallest complete example is `ucoder run --preset demo`. Stop it with Ctrl-C or kill it: `--resume` goes on.
    """
    from ucoder.commands.run import main

    _run(main(config=config, preset=preset, out=out, resume=resume, seed=seed))


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}; or `all`.")],
    listen: Annotated[str | None, typer.Option(help="host:port, overrides UCODER_LISTEN.")] = None,
) -> None:
    """Serve one service, or all of them, until SIGTERM. Settings come from UCODER_* variables (`ucoder settings`)."""
    from ucoder.runtime.app import serve as serve_services
    from ucoder.runtime.settings import load

    async def main() -> None:
        overrides = {"listen": listen} if listen else {}
        await serve_services(load(**overrides), SERVICES if name == "all" else (name.replace("-", "_"),))

    _run(main())


@app.command()
def doctor() -> None:
    """Check this machine: Python, sandbox, bus, store, model, GPU, cluster. Each line says ok or what to do."""
    from ucoder.commands.doctor import main

    _run(main())


@app.command()
def settings() -> None:
    """List every UCODER_* variable with its value here and what it is for."""
    from ucoder.commands.settings import main

    main()


@app.command()
def trace(
    brief: Annotated[str, typer.Argument(help="Name of a brief, e.g. 001-000042, as a training row bears it.")],
    out: Annotated[Path, typer.Option(help="Run folder.")],
) -> None:
    """Print a brief's whole life: what was asked, the tests, the clusters, and why it ended as it did."""
    from ucoder.commands.trace import main

    _run(main(out, brief))


def _run(work: Coroutine[Any, Any, None]) -> None:
    """Runs a command; an expected failure is one line and a code: 2 for the caller's, 1 for the world's."""
    from ucoder.runtime.errors import Reject, UcoderError

    try:
        asyncio.run(work)
    except UcoderError as error:
        print(f"ucoder: {error}", file=sys.stderr)
        raise SystemExit(2 if isinstance(error, Reject) else 1) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None


def main() -> None:
    """The program `ucoder`."""
    app()
