"""EvaluatorService over the wire: each task as it is judged, then the scores."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import grpc
import pytest

from ucoder.runtime.app import serving
from ucoder.runtime.settings import Settings
from ucoder.v1 import evaluator_pb2, evaluator_pb2_grpc

TASK = {
    "task_id": "Mbpp/1", "prompt": '"""\nJoin.\nassert join((1, 2), [3]) == (1, 2, 3)\n"""\n', "entry_point": "join",
    "canonical_solution": "def join(a, b):\n    return a + tuple(b)\n", "base_input": [[[1, 2], [3]]],
    "plus_input": [[[i], [i]] for i in range(12)], "atol": 0, "contract": "",
    "assertion": "assert join((1, 2), [3]) == (1, 2, 3)",
}  # fmt: skip
LONG = {
    **TASK, "task_id": "Mbpp/2", "entry_point": "repeat", "base_input": [[2], [300_000]], "plus_input": [],
    "canonical_solution": "def repeat(n):\n    return ['abcdefgh'] * n\n", "assertion": "assert repeat(1) == ['']",
}  # fmt: skip


@pytest.fixture
async def stub(
    nats_url: str, make_settings: Callable[..., Settings]
) -> AsyncIterator[evaluator_pb2_grpc.EvaluatorServiceStub]:
    async with (
        serving(make_settings(nats_url=nats_url, cells=1), ("evaluator", "sandbox_runner")) as context,
        grpc.aio.insecure_channel(context.address) as channel,
    ):
        yield evaluator_pb2_grpc.EvaluatorServiceStub(channel)


def request(path: Path, samples: list[tuple[str, str]], **more: Any) -> evaluator_pb2.EvaluateRequest:
    path.write_text(json.dumps(TASK) + "\n" + json.dumps(LONG) + "\n")
    some = [evaluator_pb2.Sample(task_id=task, solution=program) for task, program in samples]
    return evaluator_pb2.EvaluateRequest(
        benchmark=str(path), samples=evaluator_pb2.Samples(samples=some), **{"format": "mbpp_plus", **more}
    )


async def test_tasks_stream_before_the_scores(stub: evaluator_pb2_grpc.EvaluatorServiceStub, tmp_path: Path) -> None:
    join, repeat = TASK["canonical_solution"], LONG["canonical_solution"]
    samples = [
        ("Mbpp/1", join), ("Mbpp/1", join.replace("tuple(b)", "()")),
        ("Mbpp/2", repeat),  # its answer is too large to leave a cell, so this test runs beside the program
        ("Mbpp/2", repeat.replace("abcdefgh", "abcdefgx")), ("Mbpp/2", repeat + "# the same\n"),
    ]  # fmt: skip
    answers = [one async for one in stub.Evaluate(request(tmp_path / "mbpp.jsonl", samples))]
    assert [one.HasField("task") for one in answers] == [True, True, False]
    tasks = {one.task.task_id: [sample.passed for sample in one.task.samples] for one in answers[:2]}
    assert tasks == {"Mbpp/1": [True, False], "Mbpp/2": [True, False, True]}
    assert answers[2].score.metric == "pass_at_1"
    assert answers[2].score.value == pytest.approx((1 / 2 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("more", "samples", "code", "words"),
    [
        ({"format": "mbpp_minus"}, [("Mbpp/1", "x")], grpc.StatusCode.FAILED_PRECONDITION, "no benchmark format"),
        ({"format": "mbpp"}, [("Mbpp/1", "x")], grpc.StatusCode.FAILED_PRECONDITION, ":1: no key"),
        ({}, [("Mbpp/3", "x")], grpc.StatusCode.INVALID_ARGUMENT, "sample 1: the benchmark has no task 'Mbpp/3'"),
        ({}, [("Mbpp/1", "x")], grpc.StatusCode.INVALID_ARGUMENT, "1 of 2 tasks have no sample"),
        ({}, [], grpc.StatusCode.INVALID_ARGUMENT, "samples: required"),
    ],
)
async def test_a_bad_request_is_named(
    stub: evaluator_pb2_grpc.EvaluatorServiceStub, tmp_path: Path,
    more: dict[str, str], samples: list[tuple[str, str]], code: grpc.StatusCode, words: str,
) -> None:  # fmt: skip
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        async for _ in stub.Evaluate(request(tmp_path / "mbpp.jsonl", samples, **more)):
            pass
    assert caught.value.code() == code
    assert words in str(caught.value.details())
