"""`ucoder plan`: calculates from rates what one iteration of the loop needs of a cluster.

`ucoder bench scale` measures a sandbox cell. The rates of a GPU depend on model and card, so they are assumptions
until you give your own: from `vllm bench throughput`, and from the progress of a training.
"""

import json
import math
from dataclasses import asdict, dataclass
from typing import Annotated

from rich.console import Console
from rich.table import Table
from typer import Option

from ucoder.cli.shared.options import JsonFlag
from ucoder.errors import Misconfigured

ASSUMED = {"tokens_per_second", "train_tokens_per_second"}


@dataclass(frozen=True, slots=True)
class IterationWork:
    """The work of one iteration. The paper's: 20,000 problems, 128 programs each, about 100 tests (section 3)."""

    problems: int = 20_000
    candidates: int = 128
    tests: int = 100
    problem_tokens: int = 1_500
    """Tokens of all completions that make one problem: drafts, ratings, skeleton."""
    test_tokens: int = 6_000
    """Tokens of all completions that make the tests of one problem."""
    candidate_tokens: int = 300
    """Tokens of one program."""
    selected: float = 0.5
    """Share of problems that end with a selected program, and so become a training example."""
    epochs: int = 3
    evaluations: int = 164 * 64
    """Completions of one evaluation: tasks x samples."""


@dataclass(frozen=True, slots=True)
class ClusterRates:
    """The speed of one unit, the price of an hour of it, and the time that the iteration may take."""

    programs_per_second: float = 40.0
    """Of one cell on one core, 100 tests each. Measured: 101 for quick programs; infinite loops cost the rest."""
    tokens_per_second: float = 5_000.0
    """Of one GPU that generates, all requests together."""
    train_tokens_per_second: float = 3_000.0
    """Of one GPU that trains."""
    cells_per_pod: int = 2
    hours: float = 8.0
    """Wall time for generating and executing, which run at the same time."""
    gpu_price: float = 0.0
    """Of a GPU hour; 0 leaves the cost out."""
    core_price: float = 0.0
    """Of a core hour."""


WORK, RATES = IterationWork(), ClusterRates()


async def plan(
    problems: Annotated[int, Option(min=1, help="Problems of one iteration.")] = WORK.problems,
    candidates: Annotated[int, Option(min=1, help="Programs for each problem.")] = WORK.candidates,
    tests: Annotated[int, Option(min=1, help="Tests for each problem.")] = WORK.tests,
    hours: Annotated[float, Option(min=0.01, help="Wall time for generating and executing.")] = RATES.hours,
    programs_per_second: Annotated[
        float, Option(min=0.01, help="Of one cell: `ucoder bench scale` measures it.")
    ] = RATES.programs_per_second,
    tokens_per_second: Annotated[float, Option(min=1, help="Of one GPU that generates.")] = RATES.tokens_per_second,
    train_tokens_per_second: Annotated[
        float, Option(min=1, help="Of one GPU that trains.")
    ] = RATES.train_tokens_per_second,
    gpu_price: Annotated[float, Option(min=0, help="Price of a GPU hour; 0 leaves the cost out.")] = RATES.gpu_price,
    core_price: Annotated[float, Option(min=0, help="Price of a core hour.")] = RATES.core_price,
    as_json: JsonFlag = False,
) -> None:
    """Calculates what one iteration needs of a cluster: sandboxes, GPU hours, cost, from rates you measured.

    Example: `ucoder plan --problems 5000 --tokens-per-second 12000 --gpu-price 2.5`
    """
    work = IterationWork(problems=problems, candidates=candidates, tests=tests)
    rates = ClusterRates(
        hours=hours, programs_per_second=programs_per_second, tokens_per_second=tokens_per_second,
        train_tokens_per_second=train_tokens_per_second, gpu_price=gpu_price, core_price=core_price,
    )  # fmt: skip
    print_plan(work, rates, as_json)


def calculate_plan(work: IterationWork, rates: ClusterRates) -> dict[str, float | None]:
    """Returns the needs of one iteration by name. Hours are summed over units; counts are of units that end within the
    given time. Raises Misconfigured when a rate or a size is not above zero.
    """
    for name, value in {**asdict(work), **asdict(rates)}.items():
        if not math.isfinite(value) or value < 0 or (value == 0 and not name.endswith("price")):
            raise Misconfigured(f"--{name.replace('_', '-')} {value:g}: must be above zero.")
    per_problem = work.problem_tokens + work.test_tokens + work.candidates * work.candidate_tokens
    generated = work.problems * per_problem
    programs = work.problems * work.candidates
    busy_seconds = programs / rates.programs_per_second * work.tests / 100
    cells = math.ceil(busy_seconds / (rates.hours * 3600))
    generation = generated / rates.tokens_per_second / 3600
    example = work.candidate_tokens + work.problem_tokens / 4  # the skeleton is the prompt of the training example
    training = work.problems * work.selected * example * work.epochs / rates.train_tokens_per_second / 3600
    evaluation = work.evaluations * work.candidate_tokens / rates.tokens_per_second / 3600
    gpu_hours, core_hours = generation + training + evaluation, busy_seconds / 3600
    priced = rates.gpu_price or rates.core_price
    return {
        "programs": programs,
        "executions": programs * work.tests,
        "generated_tokens": generated,
        "core_hours": core_hours,
        "cells": cells,
        "sandbox_pods": math.ceil(cells / rates.cells_per_pod),
        "generation_gpu_hours": generation,
        "generation_gpus": math.ceil(generation / rates.hours),
        "training_gpu_hours": training,
        "evaluation_gpu_hours": evaluation,
        "bus_messages": work.problems * 5 + 6,  # brief, problem, tests, candidates, matrix; 6 of the iteration itself
        "cost": gpu_hours * rates.gpu_price + core_hours * rates.core_price if priced else None,
    }


def print_plan(work: IterationWork, rates: ClusterRates, as_json: bool = False) -> None:
    """Prints the plan, and names the rates that are assumed and not measured."""
    made = calculate_plan(work, rates)
    assumed = sorted(name for name in ASSUMED if getattr(rates, name) == getattr(RATES, name))
    if as_json:
        print(json.dumps({**made, "work": asdict(work), "rates": asdict(rates), "assumed": assumed}, indent=2))
        return
    table = Table("what", "how much", title=f"one iteration in {rates.hours:g} h", show_header=False)
    for name, value in made.items():
        if value is not None:
            table.add_row(name.replace("_", " "), f"{value:,.1f}" if isinstance(value, float) else f"{value:,}")
    console = Console()
    console.print(table)
    if assumed:
        flags = " ".join("--" + name.replace("_", "-") for name in assumed)
        console.print(f"Not measured but assumed: {flags}. Give your own.", highlight=False)
