"""`ucoder plan`: what an iteration of the loop needs of a cluster, from rates. Arithmetic on one page, nothing hidden.

`ucoder bench scale` measures a cell. A GPU's rates depend on model and card, so they are assumptions until you give
your own: `vllm bench throughput` for the one, a training's progress for the other.
"""

import json
import math
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from ucoder.errors import Misconfigured

ASSUMED = {"tokens_per_second", "train_tokens_per_second"}


@dataclass(frozen=True, slots=True)
class Work:
    """One iteration. The paper's: 20,000 problems a model, 128 programs each, about 100 tests (section 3)."""

    problems: int = 20_000
    candidates: int = 128
    tests: int = 100
    problem_tokens: int = 1_500
    """Of all completions that make one problem: drafts, ratings, skeleton."""
    test_tokens: int = 6_000
    """Of all completions that make one problem's tests."""
    candidate_tokens: int = 300
    """Of one program."""
    selected: float = 0.5
    """Share of problems that end with a selected program, and so a training example."""
    epochs: int = 3
    evaluations: int = 164 * 64
    """Completions of one evaluation: tasks x samples."""

    @property
    def programs(self) -> int:
        return self.problems * self.candidates


@dataclass(frozen=True, slots=True)
class Rates:
    """What one unit does in a second, what one hour of it costs, and how much may be waited."""

    programs_per_second: float = 40.0
    """Of one cell on one core, 100 tests each. Measured: 101 for quick programs; what loops for ever costs the rest."""
    tokens_per_second: float = 5_000.0
    """Of one GPU that generates, all requests together."""
    train_tokens_per_second: float = 3_000.0
    """Of one GPU that trains."""
    cells_per_pod: int = 2
    hours: float = 8.0
    """Wall time for generating and executing, which run side by side."""
    gpu_price: float = 0.0
    """Of a GPU hour; 0 leaves the cost out."""
    core_price: float = 0.0
    """Of a core hour."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer. Hours are summed over units; counts are of units that end within the time asked for."""

    programs: int
    executions: int
    generated_tokens: int
    core_hours: float
    cells: int
    sandbox_pods: int
    generation_gpu_hours: float
    generation_gpus: int
    training_gpu_hours: float
    evaluation_gpu_hours: float
    bus_messages: int
    cost: float | None


def plan(work: Work, rates: Rates) -> Plan:
    """The needs of one iteration. Raises Misconfigured when a rate or a size is not above zero."""
    for name, value in {**asdict(work), **asdict(rates)}.items():
        if not math.isfinite(value) or value < 0 or (value == 0 and not name.endswith("price")):
            raise Misconfigured(f"--{name.replace('_', '-')} {value:g}: must be above zero.")
    per_problem = work.problem_tokens + work.test_tokens + work.candidates * work.candidate_tokens
    generated = work.problems * per_problem
    seconds = rates.hours * 3600
    busy = work.programs / rates.programs_per_second * work.tests / 100
    cells = math.ceil(busy / seconds)
    generation = generated / rates.tokens_per_second / 3600
    example = work.candidate_tokens + work.problem_tokens / 4  # the skeleton is the prompt it is trained with
    training = work.problems * work.selected * example * work.epochs / rates.train_tokens_per_second / 3600
    evaluation = work.evaluations * work.candidate_tokens / rates.tokens_per_second / 3600
    gpu_hours, core_hours = generation + training + evaluation, busy / 3600
    priced = rates.gpu_price or rates.core_price
    return Plan(
        programs=work.programs,
        executions=work.programs * work.tests,
        generated_tokens=generated,
        core_hours=core_hours,
        cells=cells,
        sandbox_pods=math.ceil(cells / rates.cells_per_pod),
        generation_gpu_hours=generation,
        generation_gpus=math.ceil(generation / rates.hours),
        training_gpu_hours=training,
        evaluation_gpu_hours=evaluation,
        bus_messages=work.problems * 5 + 6,  # brief, problem, tests, candidates, matrix; the iteration's own few
        cost=gpu_hours * rates.gpu_price + core_hours * rates.core_price if priced else None,
    )


def main(work: Work, rates: Rates, as_json: bool = False) -> None:
    """Prints the plan, and which of its rates nobody has measured for this cluster."""
    made = plan(work, rates)
    assumed = sorted(name for name in ASSUMED if getattr(rates, name) == getattr(Rates(), name))
    if as_json:
        print(json.dumps({**asdict(made), "work": asdict(work), "rates": asdict(rates), "assumed": assumed}, indent=2))
        return
    table = Table("what", "how much", title=f"one iteration in {rates.hours:g} h", show_header=False)
    for name, value in asdict(made).items():
        if value is not None:
            table.add_row(name.replace("_", " "), f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    console = Console()
    console.print(table)
    if assumed:
        flags = " ".join("--" + name.replace("_", "-") for name in assumed)
        console.print(f"Not measured but assumed: {flags}. Give your own.", highlight=False)
