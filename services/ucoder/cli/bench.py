"""`ucoder bench`: measures speed on this machine, as ratios, because absolute times depend on what else it does.

A checkout of the repository adds what only developers run: `tests/development/ucoder_development/bench_commands.py`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from typing import Annotated, Any

from typer import Option, Typer

from ucoder.cli.shared import options
from ucoder.cli.shared.registration import command


async def measure_generation(
    model: options.BenchModelFlag = "seed",
    profile: options.BenchProfileFlag = "seed",
    prompts: options.PromptCountFlag = 16,
    samples: options.CompletionCountFlag = 128,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures tokens per second from the server at UCODER_MODEL_URL, compared with a bare client of that server.

    Example: `UCODER_MODEL_URL=http://127.0.0.1:8000/v1 ucoder bench generate --model my-model --profile base`
    """
    from ucoder.bench.served_generation import measure_and_print

    await measure_and_print(model, profile, prompts, samples, as_json=as_json)


async def measure_latency(
    rounds: Annotated[int, Option(min=1, help="Calls of each kind.")] = 20,
    isolation: options.IsolationFlag = None,
    cells: options.CellsFlag = None,
    as_json: options.JsonFlag = False,
) -> None:
    """Measures how long Select takes for 128 programs x 100 tests, and how much of that is not execution.

    Example: `ucoder bench latency --rounds 50`
    """
    from ucoder.bench.select_latency import measure_select

    latency = await measure_select(rounds, isolation, cells)
    print(json.dumps(asdict(latency)) if as_json else latency.summary())


COMMANDS: dict[str, Callable[..., Any]] = {"generate": measure_generation, "latency": measure_latency}
_IS_CHECKOUT = find_spec("ucoder_development") is not None
if _IS_CHECKOUT:
    from ucoder_development.bench_commands import COMMANDS as DEVELOPMENT_COMMANDS

    COMMANDS |= DEVELOPMENT_COMMANDS

bench = Typer(
    help="Measures speed on this machine, as ratios: with a baseline, with peers or with a limit.",
    epilog=None if _IS_CHECKOUT else "Comparisons with peers and load tests are part of a checkout of the repository.",
    no_args_is_help=True,
)
for _name, _function in COMMANDS.items():
    command(bench, _name)(_function)
