"""The precision of training rows: the share of right programs among the rows of a checkpoint's dataset.

It is known for problems of the seed's grammar alone. Only reports use it: no selection and no training can reach it.
"""

import io

import pyarrow.parquet as pq

from ucoder.evaluator.answer_judging import AnswerJudge
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.seed.reference import hidden_inputs, reference_program
from ucoder.v1 import artifacts_pb2 as pb

INPUTS = 24
"""Number of inputs on which a program must agree with the reference."""


async def row_precision(artifacts: Artifacts, judge: AnswerJudge, dataset: pb.Dataset) -> tuple[float, int]:
    """Returns the share of right programs, and the number of rows with a known answer; (0, 0) if there is none."""
    table = pq.read_table(io.BytesIO(await artifacts.store.get(dataset.key)))
    right = labelled = 0
    for row in table.to_pylist():
        reference = reference_program(row["prompt"])
        inputs = hidden_inputs(row["prompt"], INPUTS, 0)
        if reference is None or inputs is None:
            continue
        calls = [pb.TestCase(code=call) for call in inputs]
        rows = await judge.execute([reference, row["program"]], calls, row["entry_point"])
        labelled += 1
        right += list(rows[0].outputs) == list(rows[1].outputs)
    return (right / labelled if labelled else 0.0), labelled
