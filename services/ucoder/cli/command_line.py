"""The program `ucoder`: lists every command under the heading of what people want to do with it."""

from typing import Annotated

import typer

from ucoder import __version__
from ucoder.cli.shared.registration import lazy_command

app = typer.Typer(
    name="ucoder",
    help="Makes a code model better with no data at all: execution-driven consensus (arXiv 2512.17385).",
    epilog="Tab completion for your shell: `ucoder --install-completion`. A whole run on this machine: `ucoder run`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS: dict[str, dict[str, str]] = {
    "Run the loop": {
        "run": "Runs the whole loop here: bus, sandbox, model, training and report in one folder.",
        "trace": "Prints the whole history of a brief with its timings: what was asked, the tests, the clusters, why it"
        " ended so.",
        "runs": "Creates, lists, shows, watches, cancels, resumes and deletes runs; fetches their checkpoints.",
        "generate": "Makes problems, tests, solutions or a benchmark with a model: each stage of the loop alone. A"
        " command that was stopped continues when it is given again.",
    },
    "Ask which program is right": {
        "solve": "Asks a model for many programs for a task, runs them on your tests, and returns the best one with its"
        " evidence.",
        "select": "Selects the program of each question that is right, and says how sure that is.",
        "execute": "Runs untrusted programs on tests, in the sandbox.",
        "mcp": "Serves MCP: the tools run_python, run_tests and select_program, for agents and editors.",
        "run-code": "Runs one untrusted program in the sandbox: its output and its exit code become this command's"
        " own.",
    },
    "Measure": {
        "evaluate": "Computes pass@k of a samples file, or of a model, with a benchmark's own tests in the sandbox.",
        "compare": "Compares models, checkpoints or samples files with the first one: gain, interval, significance.",
        "bench": "Measures speed on this machine, as ratios: with a baseline, with peers or with a limit.",
    },
    "Serve and operate": {
        "serve": "Serves one service, or all of them, until SIGTERM. Settings are UCODER_* variables"
        " (`ucoder settings`).",
        "plan": "Calculates what one iteration needs of a cluster: sandboxes, GPU hours, cost, from rates you"
        " measured.",
        "dead": "Lists, shows, retries and deletes messages that a service gave up.",
    },
    "Look at this machine": {
        "doctor": "Checks this machine: Python, sandbox, bus, store, model, GPU, cluster. Each line says ok or what to"
        " do.",
        "settings": "Lists every UCODER_* variable with its value here and its meaning.",
    },
}
"""The summary of each command, by heading and name. The command is in the module `ucoder.cli.NAME` under its name."""
MODULES = {
    "settings": "settings_list",
    "run-code": "sandboxed.run_code",
    "execute": "sandboxed.execute",
    "mcp": "sandboxed.mcp_server",
}
"""Commands whose module has another name."""


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


for _panel, _summaries in COMMANDS.items():
    for _name, _summary in _summaries.items():
        _place = f"ucoder.cli.{MODULES.get(_name, _name)}:{_name.replace('-', '_')}"
        lazy_command(app, _name, _place, _summary, _panel)
