"""The command line. Each command's work is a module of `ucoder.commands`, imported when it is called."""

from pathlib import Path
from typing import Annotated

import typer

from ucoder.cli.bench import bench
from ucoder.cli.dead import dead
from ucoder.cli.evaluating import compare, evaluate
from ucoder.cli.generate_options import generate
from ucoder.cli.runs import runs
from ucoder.cli.shared.options import CellsFlag, ConsensusFlag, IsolationFlag, JsonFlag, PackagesFlag, TokenFlag, finish
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
app.add_typer(runs, name="runs")
app.add_typer(dead, name="dead")
app.add_typer(bench, name="bench")
app.add_typer(generate, name="generate")


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
    from ucoder.cli.run import main

    finish(main(config=config, preset=preset, out=out, resume=resume, seed=seed))


@app.command()
def execute(
    source: Annotated[Path, typer.Argument(metavar="IN.jsonl[.gz]", help="id, candidates: [{code}], tests: [{code}].")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the matrices go.")],
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    compat: Annotated[bool, typer.Option(help="Tests are whole files that run beside the program.")] = False,
    packages: PackagesFlag = None,
) -> None:
    """Run programs nobody vouches for on tests, in the sandbox.

    One line out for each line in: `id`, `matrix` (a row per candidate, an outcome per test), `outputs`, `seconds`.
    """
    from ucoder.cli.execute import main

    finish(main(source, out, isolation=isolation, cells=cells, compat=compat, packages=packages))


@app.command()
def select(
    source: Annotated[Path, typer.Argument(metavar="IN.jsonl[.gz]", help="id, candidates: [{code}], tests: [{code}].")],
    out: Annotated[Path, typer.Option("-o", "--out", help="Where the selections go.")],
    strategy: Annotated[str | None, typer.Option(help="Selection rule; a wrong name lists them.")] = None,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Abstain below this confidence.")] = 0.0,
    tests: Annotated[str, typer.Option(help="`file`: the file's own. `none`: leave them aside, make inputs.")] = "file",
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
) -> None:
    """Which program of each question is right, and how sure is that?

    One line out for each line in: `id`, `selected` (index), `confidence`, `margin`, `abstained`, `clusters`.
    """
    from ucoder.cli.select import main

    finish(
        main(
            source, out, strategy=strategy, min_confidence=min_confidence, tests=tests, isolation=isolation, cells=cells
        )
    )  # fmt: skip


app.command()(evaluate)
app.command()(compare)


@app.command()
def solve(
    task: Annotated[Path, typer.Argument(metavar="FILE", help="The task: words, or a Python skeleton to complete.")],
    model: Annotated[str, typer.Option(help="OpenAI-compatible server, such as http://127.0.0.1:8000/v1.")],
    tests: Annotated[Path | None, typer.Option(help="Your own tests: asserts, pytest functions or unittest.")] = None,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Where the program goes. Default: stdout.")] = None,
    name: Annotated[str | None, typer.Option(help="The model's name there. Default: the first it lists.")] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=10_000, help="Programs to sample.")] = 128,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="Sampling temperature.")] = 0.8,
    max_tokens: Annotated[int, typer.Option(min=1, help="Tokens of one program.")] = 1024,
    min_confidence: Annotated[float, typer.Option(min=0, max=1, help="Abstain below this confidence.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Seed of sampling and of synthesised inputs.")] = 0,
    consensus: ConsensusFlag = None,
    token_file: TokenFlag = None,
    isolation: IsolationFlag = None,
    cells: CellsFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """Your task and your own tests in; 128 programs sampled, run and compared; the best one out with its evidence.

    Without --tests the inputs are synthesised from the skeleton's types and examples. Ends with 1 when it abstains.
    """
    from ucoder.cli.solve import main

    finish(
        main(
            task, model=model, tests=tests, out=out, name=name, n=n, temperature=temperature, max_tokens=max_tokens,
            min_confidence=min_confidence, seed=seed, consensus=consensus, token_file=token_file,
            isolation=isolation, cells=cells, as_json=as_json,
        )
    )  # fmt: skip


@app.command()
def serve(
    name: Annotated[str, typer.Argument(help=f"One of {', '.join(SERVICES)}; `all`; or `proxy`.")],
    listen: Annotated[
        str | None, typer.Option(help="host:port, overrides UCODER_LISTEN (proxy: 127.0.0.1:8080).")
    ] = None,
    upstream: Annotated[str | None, typer.Option(help="proxy: the model server. Default: UCODER_MODEL_URL.")] = None,
    consensus: ConsensusFlag = None,
    token_file: TokenFlag = None,
    n: Annotated[int, typer.Option("-n", help="proxy: programs that compete for an answer.")] = 16,
    temperature: Annotated[float, typer.Option(min=0, max=2, help="proxy: where a client names none.")] = 0.8,
) -> None:
    """Serve one service, or all of them, until SIGTERM. Settings come from UCODER_* variables (`ucoder settings`).

    `proxy` is an OpenAI-compatible server before any other: answers are chosen among n by execution consensus.
    """
    from ucoder.runtime.settings import load

    async def main() -> None:
        if name == "proxy":
            from ucoder.cli.serve_proxy import main as serve_proxy

            await serve_proxy(
                upstream=upstream, listen=listen, consensus=consensus, token_file=token_file, n=n,
                temperature=temperature,
            )  # fmt: skip
            return
        from ucoder.runtime.app import serve as serve_services

        overrides: dict[str, object] = {"listen": listen} if listen else {}
        await serve_services(load(None, **overrides), SERVICES if name == "all" else (name.replace("-", "_"),))

    finish(main())


@app.command()
def doctor() -> None:
    """Check this machine: Python, sandbox, bus, store, model, GPU, cluster. Each line says ok or what to do."""
    from ucoder.cli.doctor import main

    finish(main())


@app.command()
def settings() -> None:
    """List every UCODER_* variable with its value here and what it is for."""
    from ucoder.cli.settings_list import main

    main()


@app.command()
def trace(
    brief: Annotated[str, typer.Argument(help="Name of a brief, e.g. 001-000042, as a training row bears it.")],
    out: Annotated[Path | None, typer.Option(help="Folder of a run made here.")] = None,
    run: Annotated[str | None, typer.Option(help="Id of a run in UCODER_STORE_URL's store.")] = None,
) -> None:
    """Print a brief's whole life with its timings: what was asked, the tests, the clusters, why it ended as it did."""
    from ucoder.cli.trace import main

    finish(main(out, run, brief))


@app.command()
def plan(
    problems: Annotated[int, typer.Option(min=1, help="Problems of one iteration.")] = 20_000,
    candidates: Annotated[int, typer.Option(min=1, help="Programs for each.")] = 128,
    tests: Annotated[int, typer.Option(min=1, help="Tests for each.")] = 100,
    hours: Annotated[float, typer.Option(min=0.01, help="Wall time for generating and executing.")] = 8.0,
    programs_per_second: Annotated[float, typer.Option(min=0.01, help="Of one cell: `ucoder bench scale`.")] = 40.0,
    tokens_per_second: Annotated[float, typer.Option(min=1, help="Of one GPU that generates.")] = 5_000.0,
    train_tokens_per_second: Annotated[float, typer.Option(min=1, help="Of one GPU that trains.")] = 3_000.0,
    gpu_price: Annotated[float, typer.Option(min=0, help="Of a GPU hour; 0 leaves the cost out.")] = 0.0,
    core_price: Annotated[float, typer.Option(min=0, help="Of a core hour.")] = 0.0,
    as_json: JsonFlag = False,
) -> None:
    """What an iteration needs of a cluster: sandboxes, GPU hours, cost, from rates you measured."""
    from ucoder.cli.plan import Rates, Work, main

    work = Work(problems=problems, candidates=candidates, tests=tests)
    rates = Rates(
        hours=hours, programs_per_second=programs_per_second, tokens_per_second=tokens_per_second,
        train_tokens_per_second=train_tokens_per_second, gpu_price=gpu_price, core_price=core_price,
    )  # fmt: skip
    main(work, rates, as_json)


def main() -> None:
    """The program `ucoder`."""
    app()
