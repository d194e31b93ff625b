"""`ucoder generate solutions`: samples programs for problems, as stage 5a of the loop does."""

from typing import Annotated

from typer import Option

from ucoder.cli.generate.model_source import ModelSource
from ucoder.cli.generate.problem_lines import Line, ResumableFile, print_summary, problem_of, read_problems
from ucoder.cli.shared import options
from ucoder.generator.solution_sampling import sample_solutions


async def generate_solutions(
    problems: options.ProblemsArgument,
    out: options.LinesOutFlag,
    n: Annotated[
        int | None, Option("-n", min=1, help="Programs for each problem. Default: the configuration's.")
    ] = None,
    model: options.ModelFlag = "seed",
    name: options.ModelNameFlag = None,
    profile: options.ProfileFlag = None,
    config: options.SamplingConfigFlag = None,
    seed: options.SeedFlag = 1,
) -> None:
    """Asks a model for programs that solve problems; `ucoder select` then says which is right and how sure that is.

    Writes each problem with its `candidates`, as `ucoder select` and `ucoder execute` read them.

    Example: `ucoder generate solutions tests.jsonl -n 128 -o solutions.jsonl`
    """
    lines = read_problems(problems)
    settings = {"problems": str(problems), "model": model, "seed": seed, "n": n}
    with ResumableFile(out, command="solutions", **settings) as file:
        async with ModelSource.open(model, name, profile, config) as source:
            candidate_config = source.config.candidates
            programs = n or candidate_config.n

            async def sample(line: Line) -> Line:
                candidates = await sample_solutions(
                    source.model, source.name, problem_of(line, source.name), candidate_config, source.profile,
                    n=programs, seed=(seed << 24) + lines.index(line) * programs,
                )  # fmt: skip
                values = [
                    {
                        "code": candidate.program,
                        "completion": candidate.completion,
                        "mean_log_prob": candidate.mean_log_prob,
                        "finish": candidate.finish,
                    }
                    for candidate in candidates
                ]
                return line | {"candidates": values}

            sampled = await file.process("sampling", lines, sample)
        file.finish(sampled)
        print_summary(f"{programs} programs for each of {len(lines)} problems in {out}; {source.model.tokens} tokens")
