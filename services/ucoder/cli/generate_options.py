"""`ucoder generate ...`."""

from pathlib import Path
from typing import Annotated

import typer

from ucoder.cli.shared.options import IsolationFlag, finish

generate = typer.Typer(
    help="Problems, tests, solutions, or a whole benchmark out of a model: each stage of the loop alone, JSON lines in "
    "and out. A command that was stopped goes on where it was when it is given again.",
    no_args_is_help=True,
)
DOMAINS = ["algorithms", "natural_instruction", "tool_usage", "competitive_programming"]
ModelFlag = Annotated[str, typer.Option(help="`seed`, a model folder, or a server such as http://127.0.0.1:8000/v1.")]
NameFlag = Annotated[str | None, typer.Option(help="The model's name on that server. Default: the first it lists.")]
ProfileFlag = Annotated[str | None, typer.Option(help="Prompts: seed, base or chat. Default: base, seed for the seed.")]
ConfigFlag = Annotated[Path | None, typer.Option(help="A run's YAML file, for sampling and limits.")]
SeedFlag = Annotated[int, typer.Option(min=0, help="The same seed draws the same.")]
OutFlag = Annotated[Path, typer.Option("-o", "--out", help="Where the lines go; .gz is compressed.")]


@generate.command("problems")
def generate_problems(
    out: OutFlag,
    count: Annotated[int, typer.Option("-n", "--count", min=1, help="Problems.")] = 20,
    domain: Annotated[list[str] | None, typer.Option(help="What about; several in turn. Default: the paper's.")] = None,
    easiest: Annotated[int, typer.Option(min=1, max=5, help="Least difficulty.")] = 1,
    hardest: Annotated[int, typer.Option(min=1, max=5, help="Greatest difficulty.")] = 5,
    scripts: Annotated[bool, typer.Option("--scripts", help="Programs that read stdin, not functions.")] = False,
    avoid: Annotated[list[Path] | None, typer.Option(help="Benchmark files whose tasks may not appear.")] = None,
    model: ModelFlag = "seed",
    name: NameFlag = None,
    profile: ProfileFlag = None,
    config: ConfigFlag = None,
    seed: SeedFlag = 1,
    isolation: IsolationFlag = None,
) -> None:
    """Invent problems: title, signature with types, docstring, example, hint, plan. New, readable, and they run."""
    from ucoder.cli.generate.model_source import Asked
    from ucoder.cli.generate.problems import main

    asked = Asked(model, name, profile, config, seed)
    difficulties = min(easiest, hardest), max(easiest, hardest)
    finish(
        main(
            out, asked, count=count, domains=domain or DOMAINS, difficulties=difficulties, avoid=avoid or [],
            scripts=scripts, isolation=isolation,
        )
    )  # fmt: skip


@generate.command("tests")
def generate_tests(
    problems: Annotated[Path, typer.Argument(metavar="IN.jsonl[.gz]", help="id, prompt, entry_point a line.")],
    out: OutFlag,
    keep: Annotated[
        int | None, typer.Option(min=1, help="Most tests of a problem. Default: the configuration's.")
    ] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="Completions asked for, each with several tests.")] = None,
    model: ModelFlag = "seed",
    name: NameFlag = None,
    profile: ProfileFlag = None,
    config: ConfigFlag = None,
    seed: SeedFlag = 1,
) -> None:
    """Write tests for problems: asserts by kind, and inputs drawn from the types to fill up. They may be wrong."""
    from ucoder.cli.generate.model_source import Asked
    from ucoder.cli.generate.tests import main

    finish(main(problems, out, Asked(model, name, profile, config, seed), keep=keep, samples=samples))


@generate.command("solutions")
def generate_solutions(
    problems: Annotated[Path, typer.Argument(metavar="IN.jsonl[.gz]", help="id, prompt, entry_point a line.")],
    out: OutFlag,
    n: Annotated[
        int | None, typer.Option("-n", min=1, help="Programs of a problem. Default: the configuration's.")
    ] = None,
    model: ModelFlag = "seed",
    name: NameFlag = None,
    profile: ProfileFlag = None,
    config: ConfigFlag = None,
    seed: SeedFlag = 1,
) -> None:
    """Sample programs for problems. `ucoder select` then says which is right and how sure that is."""
    from ucoder.cli.generate.model_source import Asked
    from ucoder.cli.generate.solutions import main

    finish(main(problems, out, Asked(model, name, profile, config, seed), n=n))


@generate.command("benchmark")
def generate_benchmark(
    candidates: Annotated[Path, typer.Argument(metavar="IN.jsonl[.gz]", help="What `generate solutions` wrote.")],
    out: OutFlag,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Leave out what agreed less.")] = 0.5,
    tests: Annotated[int, typer.Option(min=1, help="Most tests of a task.")] = 20,
    least: Annotated[int, typer.Option(min=1, help="Fewer tests are no task.")] = 5,
    references: Annotated[
        Path | None, typer.Option(help="Also write the references as samples, to check with.")
    ] = None,
    seed: SeedFlag = 1,
    isolation: IsolationFlag = None,
) -> None:
    """Make a benchmark in HumanEval's format: programs that agree become references, what they return the tests.

    Check it with `ucoder evaluate --benchmark humaneval --data OUT --samples REFERENCES`: its references score 100%.
    """
    from ucoder.cli.generate.benchmark import main

    finish(
        main(
            candidates, out, min_confidence=min_confidence, tests=tests, least=least, references=references, seed=seed,
            isolation=isolation,
        )
    )  # fmt: skip
