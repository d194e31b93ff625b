"""How many of the rows a checkpoint was trained on are right, where that can be told: problems of the seed's grammar.

Measured after the fact, for the report alone: nothing here can be reached by what selects or trains.
"""

import io

import pyarrow.parquet as pq

from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.seed.reference import hidden_inputs, reference_program
from ucoder.v1 import artifacts_pb2 as pb

INPUTS = 24


async def selection_precision(artifacts: Artifacts, judge: AnswerJudge, dataset: pb.Dataset) -> tuple[float, int]:
    """Share of right programs among the labelled rows, and how many those are; (0, 0) when none can be told."""
    table = pq.read_table(io.BytesIO(await artifacts.store.get(dataset.key)))
    right = labelled = 0
    for row in table.to_pylist():
        truth = reference_program(row["prompt"])
        inputs = hidden_inputs(row["prompt"], INPUTS, 0)
        if truth is None or inputs is None:
            continue
        calls = [pb.TestCase(code=call) for call in inputs]
        rows = await judge.execute([truth, row["program"]], calls, row["entry_point"])
        labelled += 1
        right += list(rows[0].outputs) == list(rows[1].outputs)
    return (right / labelled if labelled else 0.0), labelled
