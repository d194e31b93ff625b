"""The program `ucoder`: mounts every command under the heading of what people want to do with it."""

from typing import Annotated, Any

import typer

from ucoder import __version__
from ucoder.cli.bench import bench
from ucoder.cli.compare import compare
from ucoder.cli.dead import dead
from ucoder.cli.doctor import doctor
from ucoder.cli.evaluate import evaluate
from ucoder.cli.execute import execute
from ucoder.cli.generate import generate
from ucoder.cli.plan import plan
from ucoder.cli.run import run
from ucoder.cli.runs import runs
from ucoder.cli.select import select
from ucoder.cli.serve import serve
from ucoder.cli.settings_list import settings
from ucoder.cli.shared.registration import command
from ucoder.cli.solve import solve
from ucoder.cli.trace import trace

app = typer.Typer(
    name="ucoder",
    help="Makes a code model better with no data at all: execution-driven consensus (arXiv 2512.17385).",
    epilog="Tab completion for your shell: `ucoder --install-completion`. A whole run on this machine: `ucoder run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, dict[str, Any]] = {
    "Run the loop": {"run": run, "runs": runs, "trace": trace, "generate": generate},
    "Ask which program is right": {"solve": solve, "select": select, "execute": execute},
    "Measure": {"evaluate": evaluate, "compare": compare, "bench": bench},
    "Serve and operate": {"serve": serve, "dead": dead, "plan": plan},
    "Look at this machine": {"doctor": doctor, "settings": settings},
}


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"ucoder {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Takes the options of `ucoder` itself."""


for _panel, _commands in COMMANDS.items():
    for _name, _command in _commands.items():
        if isinstance(_command, typer.Typer):
            app.add_typer(_command, name=_name, rich_help_panel=_panel)
        else:
            command(app, _name, _panel)(_command)
