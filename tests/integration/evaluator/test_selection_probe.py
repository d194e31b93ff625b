"""The probe of the shipped model's own tests and the run's selection, on tasks whose right answer is known."""

from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from importlib import resources

import pytest
import pytest_asyncio

from ucoder.core.selection import STRATEGIES
from ucoder.evaluator.answer_judging import JudgedProgram
from ucoder.evaluator.benchmarks import BenchmarkTask, load_benchmark
from ucoder.evaluator.selection_probe import SelectionProbe
from ucoder.evaluator.service import Service
from ucoder.evaluator.task_answers import TaskAnswers
from ucoder.runs.run_config import load as config_of
from ucoder.runtime.app import serving
from ucoder.runtime.messaging.nats_server import nats_server
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

MODEL = str(resources.files("ucoder.seed") / "model")
WRONG = "    return None\n"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def probing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Callable[..., SelectionProbe]]:
    services, folder = ("evaluator", "test_synth", "consensus", "sandbox_runner"), tmp_path_factory.mktemp("probing")
    places = {"store_url": f"file://{folder / 'store'}", "cache_dir": folder / "cache", "listen": "127.0.0.1:0"}
    async with (
        nats_server(folder / "nats") as url,
        serving(Settings(**places, nats_url=url, web_listen="", cells=1, drain_seconds=1.0), services) as context,
    ):
        service = Service(context)

        def with_config(**evaluation: int) -> SelectionProbe:
            config = config_of(None, "demo", {"evaluation": evaluation, "selection": {"min_confidence": 0.0}})
            return service.probe(service.judge(config.execution), config)

        yield with_config


def answered(task: BenchmarkTask, right: int, wrong: int) -> TaskAnswers:
    """Returns so many right and wrong answers to a task."""
    programs = [(task.program(task.canonical_solution), True)] * right + [(task.program(WRONG), False)] * wrong
    return TaskAnswers(task, [JudgedProgram(program, is_right, (), "") for program, is_right in programs])


async def test_the_selected_program_is_compared_with_the_right_answer(probing: Callable[..., SelectionProbe]) -> None:
    tasks = load_benchmark("seed", dev=True)[:4]
    counts = [(4, 1), (4, 1), (1, 4), (0, 5)]
    answers = [answered(task, *count) for task, count in zip(tasks, counts, strict=True)]
    found = await probing(probe=4).measure(MODEL, answers)
    assert (found.tasks, found.solvable) == (4, 3)
    assert found.tested == 4
    assert found.selected == 4
    assert 2 <= found.right <= 3  # a lone right program may win by the tests
    assert 0 < found.true_claims <= found.claims
    assert await probing(probe=4).measure(MODEL, answers) == found


async def test_only_the_configured_number_of_suitable_tasks_is_probed(probing: Callable[..., SelectionProbe]) -> None:
    tasks = load_benchmark("seed", dev=True)[:4]
    answers = [answered(task, 1, 1) for task in tasks]
    without_reference = [replace(answers[0], task=replace(tasks[0], canonical_solution="")), *answers[1:]]
    found = await probing(probe=2).measure(MODEL, without_reference)
    assert found.tasks == 2
    assert await probing(probe=0).measure(MODEL, answers) == pb.Probe()


async def test_too_few_tests_are_no_error(probing: Callable[..., SelectionProbe]) -> None:
    one = probing(probe=1)
    one.config.tests.require = one.config.tests.keep = 10_000
    found = await one.measure(MODEL, [answered(load_benchmark("seed", dev=True)[0], 1, 1)])
    assert (found.tasks, found.tested, found.claims) == (1, 0, 0)


@pytest.mark.parametrize("strategy", ["max_pass", "random"])
async def test_the_selection_of_the_run_s_configuration_is_measured(
    probing: Callable[..., SelectionProbe], strategy: str
) -> None:
    assert strategy in STRATEGIES
    one = probing(probe=8)
    one.config.selection.strategy = strategy
    one.config.selection.min_confidence = 0.0
    tasks = load_benchmark("seed", dev=True)[:8]
    found = await one.measure(MODEL, [answered(task, 1, 9) for task in tasks])
    if strategy == "random":
        assert found.right < found.selected == 8
    else:
        assert found.right >= found.selected - 1 > 0
