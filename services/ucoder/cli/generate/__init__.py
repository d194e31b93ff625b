"""`ucoder generate`: each stage of the loop alone, JSON lines in and out; one module for each command."""

import typer

from ucoder.cli.generate.benchmark import generate_benchmark
from ucoder.cli.generate.problems import generate_problems
from ucoder.cli.generate.solutions import generate_solutions
from ucoder.cli.generate.tests import generate_tests
from ucoder.cli.shared.registration import command

generate = typer.Typer(
    help="Makes problems, tests, solutions or a benchmark with a model: each stage of the loop alone. A command that "
    "was stopped continues when it is given again.",
    no_args_is_help=True,
)
command(generate, "problems")(generate_problems)
command(generate, "tests")(generate_tests)
command(generate, "solutions")(generate_solutions)
command(generate, "benchmark")(generate_benchmark)
