"""`ucoder bench`: measures speed on this machine, as ratios, because absolute times depend on what else it does.

A checkout of the repository adds what only developers run: `tests/development/ucoder_development/bench_commands.py`.
"""

from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from typer import Typer

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


COMMANDS: dict[str, Callable[..., Any]] = {"generate": measure_generation}
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
