"""Signs of collapse in what an iteration made: of the problems it posed, the programs it sampled, the rows it kept."""

import asyncio
import json
from collections.abc import Sequence

from ucoder.consensus.training_table import TrainingExample
from ucoder.core import diversity
from ucoder.runtime.storage import ledger
from ucoder.runtime.storage.artifacts import Artifacts
from ucoder.v1 import artifacts_pb2 as pb

KNOWN = frozenset({"duplicate", "near_duplicate"})


async def signs_of(
    artifacts: Artifacts,
    run: str,
    iteration: int,
    endings: Sequence[pb.Consensus],
    rows: Sequence[TrainingExample],
    books: ledger.Books,
) -> pb.Signs:
    """The signs; `endings` are all of the iteration's, `rows` what is sealed."""
    decided = [one for one in endings if one.clusters]
    repeated, posed, programs = await _repeated(artifacts, run, iteration), len(decided), books.sums[ledger.PROGRAMS]
    signs = pb.Signs()
    if posed:
        signs.distinct_problems = posed / (posed + repeated)
        signs.cluster_entropy = sum(map(_cluster_entropy, decided)) / posed
    if programs:
        signs.distinct_solutions = books.sums[ledger.DISTINCT] / programs
    if rows:
        signs.tree_entropy = diversity.tree_entropy_bits([row.program for row in rows])
    return signs


def _cluster_entropy(one: pb.Consensus) -> float:
    """Entropy of the cluster sizes in bits: 0 when all candidates agree."""
    return diversity.entropy_bits(number for number, cluster in enumerate(one.clusters) for _ in cluster.members)


async def _repeated(artifacts: Artifacts, run: str, iteration: int) -> int:
    """Attempts at problems that the run had already."""
    keys = [key for key in await artifacts.store.keys(f"{run}/refused") if f"/{iteration:03d}-" in key]
    refused = await asyncio.gather(*map(artifacts.store.get, keys))
    return sum(json.loads(one)["reason"] in KNOWN for one in refused)
