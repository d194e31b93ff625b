"""The default: every sign that a cluster is right, each at face value, and a calibrated confidence."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import Labels, cluster, first_members, weights_by_label
from ucoder.core.matrix import NONE, Bools, Floats, Ints, Matrix
from ucoder.core.program_features import typicality
from ucoder.core.selection.confidence import FITTED, features, log_odds
from ucoder.core.selection.strategy import Ballot, StrategyOptions
from ucoder.core.signatures import SILENT, agreement, observations

MOST_COMPLEX = float(np.log(2.0))
"""Programs beyond twice the median size earn nothing more, or a loop that trains on its winners would grow bloated."""
FEWEST_INPUTS = 4
"""On fewer distinct inputs a constant answer is no sign of anything."""


@dataclass(frozen=True)
class EvidenceOptions(StrategyOptions):
    share: float = 1.0
    """Weight of the log-odds of the cluster's share of the samples, duplicates counted."""
    passes: float = 1.0
    """Weight of ln(1 + passed tests); a test written c times counts sqrt(c), for its writers are not independent."""
    agreement: float = 1.0
    """Weight of the mean share of samples that return the same, input by input: near misses support it too, and an
    input on which everybody differs supports nobody."""
    constant: float = 1.0
    """Weight against returning the same on every one of at least four inputs."""
    simplicity: float = 1.0
    """Weight against being simpler than the median sample: mean ln of syntax-tree nodes, less the median's. A program
    much shorter than the others has usually left a part of the task undone."""
    typical: bool = True
    """Within the cluster take the most typical text instead of the one written most often."""


def vote(m: Matrix, options: EvidenceOptions) -> Ballot:
    """argmax over output clusters of the sum of five log-evidences, none of them fitted: all weights are 1.

    score(C) = logit share(C) + ln(1 + sum of sqrt(c_j) over tests j that C passes) + agreement(C) - constant(C)
    + min(ln 2, mean ln nodes(C) - median ln nodes). Expected values that are mostly wrong pass no large cluster, and
    the share, which grows without bound towards unanimity, decides alone; where no cluster is large the tests do.
    Source: ours. Ablations: `ucoder bench consensus`.
    A program that never ran to its end, or does nothing, is not eligible and alone: giving up alike is not agreeing.
    Without tests equal syntax trees stand for equal behaviour, and the confidence is the cluster's share.
    """
    labels = clusters(m)
    samples = weights_by_label(labels, m.multiplicity)
    odds = log_odds(samples, float(samples.sum()))
    scores = np.where(tried(m, labels), options.share * odds + beyond_share(m, labels, options), -np.inf)
    liking = _typicality(m, labels) if options.typical else np.zeros(len(labels))
    return Ballot(
        labels=labels,
        scores=scores,
        preference=liking,
        confidences=_confidences(m, labels, scores, liking) if m.shape[1] else None,
        plausibility=_posterior(scores) @ _passes(m, labels),
    )


def attempts(m: Matrix) -> Bools:
    """(N,) programs that do something and, where there are tests, ran to their end on one at least."""
    return ~m.traits.idle & ((m.completed & m.voting).any(axis=1) | (m.shape[1] == 0))


def tried(m: Matrix, labels: Labels) -> Bools:
    """(K,) clusters that hold an attempt: only these can win."""
    return weights_by_label(labels, attempts(m).astype(np.float64)) > 0


def clusters(m: Matrix) -> Labels:
    """(N,) equal outputs on the distinct inputs; without tests, equal syntax trees. Who does nothing is alone."""
    labels = cluster(m, *observations(m)) if m.shape[1] else m.traits.classes.astype(np.int64)
    idle = np.flatnonzero(m.traits.idle)
    labels[idle] = len(labels) + idle
    return np.unique(labels, return_inverse=True)[1].astype(np.int64) if idle.size else labels


def beyond_share(m: Matrix, labels: Labels, options: EvidenceOptions) -> Floats:
    """(K,) the four evidences that do not grow with a cluster's size alone."""
    seen, columns = observations(m)
    evidence: Floats = (
        options.passes * np.log1p(_largest(labels, _weighed_passes(m)))
        + options.agreement * _mean(labels, _agreement(m, seen, columns), m)
        - options.constant * _constant(m, labels, columns)
        + options.simplicity * complexity(m, labels)
    )
    return evidence


def complexity(m: Matrix, labels: Labels) -> Floats:
    """(K,) mean ln of a cluster's syntax-tree nodes, less the median over all samples, at most `MOST_COMPLEX`."""
    nodes = np.log(m.traits.nodes)
    median = np.median(np.repeat(nodes, m.multiplicity))
    return np.asarray(np.minimum(_mean(labels, nodes, m) - median, MOST_COMPLEX))


def _weighed_passes(m: Matrix) -> Floats:
    """(N,) sum of sqrt(count) over the tests a program passes."""
    return np.asarray(m.passed @ np.sqrt(m.test_counts), dtype=np.float64)


def _agreement(m: Matrix, seen: Ints, columns: Ints) -> Floats:
    """(N,) mean over the inputs that count of the share of samples with equal output; failed calls agree with none."""
    finished = np.where(m.completed[:, columns], seen, SILENT)
    counted = np.maximum(1, m.voting[:, columns].sum(axis=1))
    weights = m.multiplicity * ~m.traits.idle / m.multiplicity.sum()
    return np.asarray(agreement(finished, weights).sum(axis=1) / counted)


def _constant(m: Matrix, labels: Labels, columns: Ints) -> Floats:
    """(K,) 1 for clusters whose first program returns one and the same text on all of at least four inputs."""
    if len(columns) < FEWEST_INPUTS:
        return np.zeros(int(labels.max()) + 1)
    rows, inputs = first_members(labels), m.inputs[columns]
    answered = (m.outputs[rows][:, columns] != NONE) & m.completed[rows][:, columns]
    said = m.spoken[inputs, np.maximum(m.outputs[rows][:, columns], 0)]
    least, most = np.where(answered, said, np.iinfo(np.int32).max).min(axis=1), np.where(answered, said, -1).max(axis=1)
    return np.asarray(least >= most, dtype=np.float64)


def _typicality(m: Matrix, labels: Labels) -> Floats:
    """(N,) how typical each program's text is of its cluster."""
    found = np.zeros(len(labels))
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(members) > 2:  # of two, each is as typical as the other
            found[members] = typicality(m.traits.pairs[members])
    return found


def _confidences(m: Matrix, labels: Labels, scores: Floats, liking: Floats) -> Floats:
    """(K,) the best cluster's calibrated probability; the others' are smaller as their evidence is."""
    best = int(np.argmax(scores))
    if scores[best] == -np.inf:
        return np.zeros(len(scores))
    members = np.flatnonzero(labels == best)
    chosen = int(members[np.argmax(liking[members])])
    probability = FITTED.probability(features(m, members, chosen, attempts(m))[None])[0]
    return np.asarray(probability * np.exp(scores - scores[best]))


def _posterior(scores: Floats) -> Floats:
    """(K,) scores as probabilities that add up to 1; zeros where nothing is eligible."""
    top = scores.max()
    weights = np.exp(scores - top) if top > -np.inf else np.zeros(len(scores))
    return np.asarray(weights / max(weights.sum(), 1e-300))


def _passes(m: Matrix, labels: Labels) -> Floats:
    """(K, M) 1 where a cluster passes the test, or returns on it where nothing is expected."""
    fine = m.passed | (m.completed & ~_asserts(m))
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(int(labels.max()) + 1))
    return np.logical_or.reduceat(fine[order], starts, axis=0).astype(np.float64)


def _asserts(m: Matrix) -> Bools:
    """(M,) tests that somebody passed or failed; the others only give an input."""
    return np.asarray((m.passed | m.failed).any(axis=0))


def _mean(labels: Labels, values: Floats, m: Matrix) -> Floats:
    """(K,) mean over the samples of each cluster."""
    return weights_by_label(labels, values * m.multiplicity) / weights_by_label(labels, m.multiplicity)


def _largest(labels: Labels, values: Floats) -> Floats:
    """(K,) maximum over each cluster: members differ only where a cell of theirs was lost."""
    found = np.full(int(labels.max()) + 1, -np.inf)
    np.maximum.at(found, labels, values)
    return found
