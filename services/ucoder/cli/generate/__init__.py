"""`ucoder generate`: each stage of the loop alone, JSON lines in and out; one module for each command."""

from typer import Typer

from ucoder.cli.shared.registration import lazy_command

generate = Typer(
    help="Makes problems, tests, solutions or a benchmark with a model: each stage of the loop alone. A command that "
    "was stopped continues when it is given again.",
    no_args_is_help=True,
)
for _name, _summary in {
    "problems": "Invents problems: title, signature with types, docstring, example, hint, plan.",
    "tests": "Writes tests for problems: asserts of several kinds, and inputs drawn from the types. They may be wrong.",
    "solutions": "Asks a model for programs that solve problems; `ucoder select` then says which is right and how sure"
    " that is.",
    "benchmark": "Makes a benchmark in HumanEval's format: programs that agree become references, and their outputs the"
    " tests.",
}.items():
    lazy_command(generate, _name, f"ucoder.cli.generate.{_name}:generate_{_name}", _summary)
