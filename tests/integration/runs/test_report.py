"""The report of a stored run: its data, its page, and Theorem 2.4 measured on the stored matrices."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ucoder.runs.report import write_report
from ucoder.runs.report.theorem_bounds import theorem_bounds
from ucoder.runs.run_config import load
from ucoder.runtime.settings import Settings
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.runtime.storage.store import Store
from ucoder.v1 import artifacts_pb2 as pb

INPUTS = 6
RIGHT = [str(number) for number in range(INPUTS)]


def evaluation(iteration: int, value: float) -> pb.Evaluation:
    checkpoint = pb.Checkpoint(run="r", iteration=iteration, variant=pb.VARIANT_LOOP, path=f"/m{iteration}")
    scores = [
        pb.Score(tasks=tasks, metric=metric, value=value, low=value, high=value, task_count=2, per_task=[value, value])
        for tasks, metric in (
            ("benchmark", "pass_at_1"), ("benchmark", "greedy"), ("benchmark", "cool"), ("benchmark", "majority"),
            ("dev", "pass_at_1"),
        )
    ]  # fmt: skip
    return pb.Evaluation(served=pb.ServedModel(checkpoint=checkpoint, model="m"), scores=scores)


async def save_brief(artifacts: Artifacts, number: int, outputs: Sequence[Sequence[str]]) -> None:
    """Saves the matrix of a brief, a row of outputs for each program, and its ending: the first two programs win."""
    brief = pb.Brief(run="r", iteration=1, number=number)
    calls = [pb.TestCase(code=f"assert f({n}) == {n}") for n in range(INPUTS)]
    tests = pb.Tests(problem=pb.Problem(brief=brief, prompt="def f(x):\n", entry_point="f"), tests=calls)
    programs = [pb.Candidate(program=f"def f(x): return {n}") for n in range(len(outputs))]
    rows = [
        pb.Row(program=n, outputs=row, outcomes=[pb.OUTCOME_PASSED if a == b else pb.OUTCOME_FAILED
                                                 for a, b in zip(row, RIGHT, strict=True)])
        for n, row in enumerate(outputs)
    ]  # fmt: skip
    await artifacts.save("r", pb.Matrix(candidates=pb.Candidates(tests=tests, candidates=programs), rows=rows))
    clusters = [pb.Cluster(members=[0, 1], share=0.5), *(pb.Cluster(members=[n]) for n in range(2, len(outputs)))]
    await artifacts.save(
        "r", pb.Consensus(brief=brief, ending=pb.ENDING_SELECTED, stage="consensus", clusters=clusters)
    )


@pytest.fixture
async def artifacts(make_settings: Callable[..., Settings]) -> Artifacts:
    """The store of a finished run of one iteration with four briefs."""
    artifacts = Artifacts(Store(make_settings()))
    run = pb.Run(id="r", config=load(preset="demo"), format=1)
    await artifacts.save("r", run)
    await artifacts.save("r", evaluation(0, 0.5))
    await artifacts.save("r", evaluation(1, 0.75))
    served = evaluation(1, 0.75).served
    await artifacts.save("r", pb.Iteration(run="r", index=1, decision=pb.DECISION_CONTINUE))
    await artifacts.save(
        "r", pb.Iteration(run="r", index=2, decision=pb.DECISION_STOP, reason="1 iterations done", served=served)
    )
    cells = [pb.Cell(domain="lists", difficulty=1, briefs=4, selected=3)]
    dataset = pb.Dataset(run="r", iteration=1, variant=pb.VARIANT_LOOP, briefs=4, selected=3, cells=cells)
    dataset.cluster_shares.append(0.5)
    await artifacts.save("r", dataset)
    # Two wrong programs agree on three of the six tests; on all but one of them both fail.
    await save_brief(artifacts, 0, [RIGHT, RIGHT, ["a"] * INPUTS, ["a", "a", "a", "b", "b", "5"]])
    await save_brief(artifacts, 1, [RIGHT, RIGHT, ["a"] * INPUTS, ["a", "a", "a", "b", "b", "5"]])
    await save_brief(artifacts, 2, [RIGHT, RIGHT])
    await save_brief(artifacts, 3, [RIGHT, RIGHT, ["a"] * INPUTS])
    return artifacts


async def test_theorem_2_4_is_measured_on_the_stored_matrices(artifacts: Artifacts) -> None:
    theorem = await theorem_bounds(artifacts, "r", 1)
    assert (theorem["matrices"], theorem["measured"]) == (4, 4)
    assert theorem["with_wrong_pairs"] == 2, "the other two have no two different wrong programs"
    assert (theorem["candidates"], theorem["tests"]) == (3.5, INPUTS)
    assert theorem["p_outputs"] == pytest.approx(3 / 6)
    assert theorem["p_pass_bits"] == pytest.approx(5 / 6)
    assert theorem["printed_bound"] == pytest.approx(1 - 0.05 - 4**2 * 0.5**6)
    assert theorem["printed_above_0"] == 1.0
    assert theorem["premises_hold"]["wrong_programs_differ"] == 1.0


async def test_theorem_2_4_is_measured_on_evenly_spaced_matrices_of_a_large_iteration(artifacts: Artifacts) -> None:
    theorem = await theorem_bounds(artifacts, "r", 1, most=2)
    assert (theorem["matrices"], theorem["measured"]) == (4, 2)
    assert theorem["with_wrong_pairs"] == 1, "briefs 0 and 2 are read"


async def test_an_iteration_without_matrices_has_no_numbers(artifacts: Artifacts) -> None:
    theorem = await theorem_bounds(artifacts, "r", 2)
    assert (theorem["matrices"], theorem["p_outputs"], theorem["printed_above_0"]) == (0, None, None)


async def test_the_report_has_the_theorem_and_says_what_the_gate_decided(artifacts: Artifacts, tmp_path: Path) -> None:
    await write_report(artifacts, "r", tmp_path)
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["iterations"][0]["theorem"]["p_outputs"] == pytest.approx(0.5)
    page = (tmp_path / "report.html").read_text()
    assert "50.0% → 75.0%" in page
    assert "Promotion gate: iteration 1 is the best on the dev split" in page
    assert "1 iterations done." in page
    assert "Theorem 2.4 of the paper" in page
    assert "<td>2 of 4</td>" in page
    assert "Tests are far from independent" in page
    assert "<svg" in page
