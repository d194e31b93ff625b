"""`ucoder generate solutions`: stage 5a."""

from pathlib import Path

from ucoder.cli.generate.model_source import Asked, Source
from ucoder.cli.generate.problem_lines import Line, each, output, problem_of, read, told
from ucoder.generator.solution_sampling import sample_solutions


async def main(problems: Path, out: Path, asked: Asked, *, n: int | None) -> None:
    """Writes each problem with its `candidates`, as `ucoder select` and `ucoder execute` read them."""
    lines = read(problems)
    about = {"problems": str(problems), "model": asked.model, "seed": asked.seed, "n": n}
    with output(out, command="solutions", **about) as file:
        async with Source.open(asked) as source:
            config = source.config.candidates
            many = n or config.n

            async def one(line: Line) -> None:
                seed = (asked.seed << 24) + lines.index(line) * many
                problem = problem_of(line, source.name)
                found = await sample_solutions(
                    source.model, source.name, problem, config, source.profile, n=many, seed=seed
                )  # fmt: skip
                candidates = [
                    {
                        "code": c.program,
                        "completion": c.completion,
                        "mean_log_prob": c.mean_log_prob,
                        "finish": c.finish,
                    }
                    for c in found
                ]
                file.write({**line, "candidates": candidates})

            await each("sampling", [line for line in lines if line["id"] not in file.done], one)
        file.finish([file.done[line["id"]] for line in lines])
        told(f"{many} programs for each of {len(lines)} problems in {out}; {source.model.tokens} tokens")
