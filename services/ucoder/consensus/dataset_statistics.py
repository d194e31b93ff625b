"""The statistics that a sealed dataset carries: endings, coverage, agreement and collapse metrics."""

from array import array
from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from ucoder.core.collapse_metrics import cluster_entropy_bits, dataset_metrics
from ucoder.core.diversity import DiversityMeter
from ucoder.core.ratings import expected_solve_rates, rank_correlation, ranks
from ucoder.runtime.messaging import ledger
from ucoder.v1 import artifacts_pb2 as pb

SHARES = 10_000
"""The most shares that a dataset lists. Of more briefs it lists so many quantiles."""


def largest_share(ending: pb.Consensus) -> float:
    """Returns the share of the candidates in the largest cluster."""
    return max((cluster.share for cluster in ending.clusters), default=0.0)


class EndingStatistics:
    """The statistics of an iteration's endings, which are added one by one and not kept."""

    def __init__(self, briefs: int) -> None:
        self._briefs = briefs
        self._endings: Counter[int] = Counter()
        self._dropped: Counter[str] = Counter()
        self._tests: Counter[str] = Counter()
        self._cells: Counter[tuple[str, int]] = Counter()
        self._selected_cells: Counter[tuple[str, int]] = Counter()
        self._numbers, self._shares, self._ratings = array("L"), array("d"), array("d")  # of briefs with clusters
        self._entropy = self._test_bits = 0.0

    def add(self, ending: pb.Consensus) -> None:
        """Adds one ending."""
        self._endings[ending.ending] += 1
        if ending.ending == pb.ENDING_DROPPED:
            self._dropped[f"{ending.stage}.{ending.reason}"] += 1
        self._tests.update(dict(ending.tests))
        if ending.brief.domain:  # a brief that was lost with its message has none
            cell = ending.brief.domain, ending.brief.difficulty
            self._cells[cell] += 1
            self._selected_cells[cell] += ending.ending == pb.ENDING_SELECTED
        if ending.clusters:
            self._numbers.append(ending.brief.number)
            self._shares.append(largest_share(ending))
            self._ratings.append(ending.problem.rating)
            self._entropy += cluster_entropy_bits([len(cluster.members) for cluster in ending.clusters])
            self._test_bits += ending.test_bits

    @property
    def problems(self) -> int:
        """The number of problems with clusters."""
        return len(self._numbers)

    @property
    def cluster_entropy(self) -> float:
        """The mean entropy of the cluster sizes, in bits."""
        return self._entropy / max(1, self.problems)

    def rating_ranks(self) -> Callable[[pb.Consensus], tuple[float, float]]:
        """Returns a function that gives the rank of a brief's rating, and the agreement to expect at that rank."""
        rated = np.array(self._ratings) != 0
        rank = ranks(np.array(self._ratings)[rated])
        by_number = np.full((self._briefs, 2), np.nan)
        numbers = np.array(self._numbers, dtype=np.int64)[rated]
        by_number[numbers, 0], by_number[numbers, 1] = rank, expected_solve_rates(rank, np.array(self._shares)[rated])

        def of_brief(ending: pb.Consensus) -> tuple[float, float]:
            rank, expected = by_number[ending.brief.number].tolist()
            return (0.5, largest_share(ending)) if np.isnan(rank) else (rank, expected)

        return of_brief

    def dataset(self) -> pb.Dataset:
        """Returns a dataset message with these statistics."""
        shares = np.array(self._shares)
        if len(shares) > SHARES:
            shares = np.quantile(shares, np.linspace(0, 1, SHARES))
        return pb.Dataset(
            briefs=self._endings.total(),
            selected=self._endings[pb.ENDING_SELECTED],
            abstained=self._endings[pb.ENDING_ABSTAINED],
            dropped=self._dropped,
            cluster_shares=shares.tolist(),
            cells=[
                pb.Cell(domain=domain, difficulty=level, briefs=count, selected=self._selected_cells[domain, level])
                for (domain, level), count in sorted(self._cells.items())
            ],
            rating_correlation=rank_correlation(self._ratings, 1 - np.array(self._shares)),
            tests=+self._tests,  # without those of 0
            test_bits=self._test_bits / max(1, self.problems),
        )


def collapse_metrics(statistics: EndingStatistics, programs: DiversityMeter, sums: Mapping[str, int]) -> pb.Signs:
    """Returns the collapse metrics of an iteration. `programs` are those of the dataset's rows, `sums` its ledger's.

    What was not measured is absent.
    """
    metrics = dataset_metrics(
        problems=statistics.problems,
        repeated=sums.get(ledger.REPEATED, 0),
        cluster_entropy=statistics.cluster_entropy,
        programs=sums.get(ledger.PROGRAMS, 0),
        distinct_programs=sums.get(ledger.DISTINCT, 0),
        tree_entropy=programs.tree_entropy_bits(),
    )
    return pb.Signs(**metrics)
