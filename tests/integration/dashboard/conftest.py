"""A dashboard over a small run in which every text tries to break out of the page."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from ucoder.consensus.training_table import TrainingExample, parquet_file
from ucoder.runs.run_config import load
from ucoder.runtime.app import serving
from ucoder.runtime.context import ServiceContext
from ucoder.runtime.settings import Settings
from ucoder.v1 import artifacts_pb2 as pb

HOSTILE = "<script>document.title='broken'</script><img src=x onerror=\"document.title='broken'\">"
NAME = "001-000000"


def score(value: float, metric: str = "pass_at_1") -> pb.Score:
    return pb.Score(tasks="benchmark", metric=metric, value=value, low=value - 0.1, high=value + 0.1, task_count=40)


def evaluation(iteration: int, value: float, variant: pb.Variant.ValueType = pb.VARIANT_LOOP) -> pb.Evaluation:
    checkpoint = pb.Checkpoint(run="r", iteration=iteration, variant=variant, path="/m")
    probe = pb.Probe(tasks=80, tested=80, claims=800, true_claims=290, selected=40, right=31)
    served = pb.ServedModel(checkpoint=checkpoint, model="m")
    return pb.Evaluation(served=served, scores=[score(value)], probe=probe)


async def fill(context: ServiceContext, owner: str = "") -> None:
    """Saves a run `r` with one iteration of two briefs: one selected, one dropped."""
    save, publish = context.artifacts.save, context.bus.publish
    run = pb.Run(id="r", config=load(preset="demo"), format=1, owner=owner)
    run.created.FromSeconds(1_800_000_000)
    briefs = [pb.Brief(run="r", iteration=1, number=n, domain="lists", difficulty=2, model="m") for n in (0, 1)]
    problem = pb.Problem(brief=briefs[0], title=HOSTILE, prompt=f'def f(x):\n    """{HOSTILE}"""', entry_point="f",
                         rating=4, attempts=1, prompts="seed@1")  # fmt: skip
    tests = pb.Tests(problem=problem, tests=[pb.TestCase(code=f"f({HOSTILE!r})", count=3), pb.TestCase(code="f(2)")])
    programs = [f"def f(x):\n    return {n % 2}  # {HOSTILE}" for n in range(4)]
    candidates = pb.Candidates(tests=tests, candidates=[pb.Candidate(program=one, finish="stop") for one in programs])
    rows = [pb.Row(program=n, outcomes=[pb.OUTCOME_RETURNED] * 2, outputs=[HOSTILE, str(n % 2)]) for n in range(4)]
    ending = pb.Consensus(
        brief=briefs[0], ending=pb.ENDING_SELECTED, stage="consensus", problem=problem, confidence=0.83, margin=0.4,
        selected=candidates.candidates[0], strategy="evidence", test_count=2, candidate_count=4,
        clusters=[pb.Cluster(members=[0, 2], share=0.5, passed=1), pb.Cluster(members=[1, 3], share=0.5)],
        disagreements=[pb.Disagreement(input="f(2)", outputs=["0", HOSTILE], tests=["assert f(2) == 0"])],
    )  # fmt: skip
    dropped = pb.Consensus(brief=briefs[1], ending=pb.ENDING_DROPPED, stage="generator", reason="duplicate")
    data = parquet_file([TrainingExample.of(ending, ending.selected, 0.5, 0.5)])
    await context.artifacts.store.create("r/data/001.parquet", data)
    dataset = pb.Dataset(run="r", iteration=1, variant=pb.VARIANT_LOOP, key="r/data/001.parquet", sha256="0" * 64,
                         rows=1, briefs=2, selected=1, left_out={"duplicate": 3},
                         signs=pb.Signs(distinct_problems=0.625))  # fmt: skip
    iteration = pb.Iteration(run="r", index=1, decision=pb.DECISION_CONTINUE)
    await save("r", run)
    await context.states.begin("r")
    matrix = pb.Matrix(candidates=candidates, rows=rows, seconds=0.4, isolation="runsc")
    for one in (*briefs, problem, tests, candidates, matrix, ending, dropped):
        await publish(await save("r", one))
    for one in (evaluation(0, 0.5), iteration, dataset, evaluation(1, 0.7), evaluation(1, 0.45, pb.VARIANT_CONTROL)):
        await save("r", one)  # not published: the runs service would go on from there


@pytest.fixture
def shown(nats_url: str, make_settings: Callable[..., Settings]) -> Callable[..., AsyncIterator[ServiceContext]]:
    """A function for `async with shown(owner=..., **settings) as context`: serves the run at `context.web`."""

    @asynccontextmanager
    async def open_page(owner: str = "", **overrides: object) -> AsyncIterator[ServiceContext]:
        settings = make_settings(nats_url=nats_url, web_listen="127.0.0.1:0", **overrides)
        async with ServiceContext.open(settings, ()) as context:
            await fill(context, owner)
        async with serving(settings, ("runs",)) as context:
            yield context

    return open_page
