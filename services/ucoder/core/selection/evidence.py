"""The default strategy: a sum of five kinds of evidence that a cluster is right, and a calibrated confidence."""

from dataclasses import dataclass

import numpy as np

from ucoder.core.clustering import (
    SILENT,
    Labels,
    agreeing_weight,
    cluster,
    first_members,
    outputs_by_input,
    weights_by_label,
)
from ucoder.core.matrix import MISSING, Bools, Floats, Ints, Matrix
from ucoder.core.program_features import typicality
from ucoder.core.selection.confidence import FITTED, confidence_features, log_odds
from ucoder.core.selection.strategy import ScoredClusters, StrategyOptions

MOST_COMPLEX = float(np.log(2.0))
"""The limit of the size evidence: programs of more than twice the median size gain nothing further. Without a limit a
loop that trains on its own winners would grow longer and longer programs."""
FEWEST_INPUTS = 4
"""On fewer distinct inputs a constant answer is no evidence of a wrong program."""


@dataclass(frozen=True)
class EvidenceOptions(StrategyOptions):
    """The weights of the five kinds of evidence. All are 1 by default; none is fitted."""

    share: float = 1.0
    """Weight of the log-odds of the cluster's share of the samples, duplicates counted."""
    passes: float = 1.0
    """Weight of ln(1 + passed tests). A test that was written c times counts sqrt(c), because the samples that wrote
    it are not independent."""
    agreement: float = 1.0
    """Weight of the mean share of samples with the same output, input by input. So programs that differ on few inputs
    support the cluster too, and an input on which all samples differ supports none."""
    constant: float = 1.0
    """Weight against a cluster that returns the same value on every one of at least four inputs."""
    simplicity: float = 1.0
    """Weight against a cluster of smaller programs than the median sample: mean ln of syntax-tree nodes, less the
    median's. A much shorter program has usually left a part of the task undone."""
    typical: bool = True
    """Within the cluster select the most typical text instead of the one that was written most often."""


def evidence(m: Matrix, options: EvidenceOptions) -> ScoredClusters:
    """Gives each output cluster the sum of five log-evidences as score, with unfitted weights of 1.

    score(C) = logit share(C) + ln(1 + sum of sqrt(c_j) over tests j that C passes) + agreement(C) - constant(C)
    + min(ln 2, mean ln nodes(C) - median ln nodes). Expected values that are mostly wrong pass no large cluster, and
    the share, which grows without bound towards unanimity, decides alone; where no cluster is large the tests do.
    A program that completed no test, or does nothing, is not eligible and alone, because programs that give up do not
    agree. Without tests equal syntax trees stand for equal behaviour, and the confidence is the cluster's share.
    Source: our own. Ablations: `ucoder bench consensus`.
    """
    labels = behaviour_clusters(m)
    samples = weights_by_label(labels, m.multiplicity)
    odds = log_odds(samples, float(samples.sum()))
    total = options.share * odds + evidence_beside_share(m, labels, options)
    scores = np.where(eligible_clusters(m, labels), total, -np.inf)
    preference = _typicality(m, labels) if options.typical else np.zeros(len(labels))
    return ScoredClusters(
        labels=labels,
        scores=scores,
        preference=preference,
        confidences=_confidences(m, labels, scores, preference) if m.shape[1] else None,
        plausibility=_posterior(scores) @ _passes(m, labels),
    )


def eligible_programs(m: Matrix) -> Bools:
    """Returns (N,) the programs that do something and, where there are tests, completed at least one."""
    return ~m.features.does_nothing & ((m.completed & m.voting).any(axis=1) | (m.shape[1] == 0))


def eligible_clusters(m: Matrix, labels: Labels) -> Bools:
    """Returns (K,) the clusters with an eligible program. Only these can win."""
    return weights_by_label(labels, eligible_programs(m).astype(np.float64)) > 0


def behaviour_clusters(m: Matrix) -> Labels:
    """Returns (N,) clusters of equal outputs on the distinct inputs, or without tests of equal syntax trees.

    A program that does nothing is alone.
    """
    labels = cluster(m, *outputs_by_input(m)) if m.shape[1] else m.features.classes.astype(np.int64)
    idle = np.flatnonzero(m.features.does_nothing)
    labels[idle] = len(labels) + idle
    return np.unique(labels, return_inverse=True)[1].astype(np.int64) if idle.size else labels


def evidence_beside_share(m: Matrix, labels: Labels, options: EvidenceOptions) -> Floats:
    """Returns (K,) the sum of the four kinds of evidence that do not grow with a cluster's size alone."""
    symbols, columns = outputs_by_input(m)
    total: Floats = (
        options.passes * np.log1p(_cluster_maximum(labels, (m.passed @ np.sqrt(m.test_counts)).astype(np.float64)))
        + options.agreement * _cluster_mean(labels, _agreement(m, symbols, columns), m)
        - options.constant * _constant_answers(m, labels, columns)
        + options.simplicity * relative_size(m, labels)
    )
    return total


def relative_size(m: Matrix, labels: Labels) -> Floats:
    """Returns (K,) mean ln of a cluster's syntax-tree nodes, less the median over all samples, at most ln 2."""
    nodes = np.log(m.features.nodes)
    median = np.median(np.repeat(nodes, m.multiplicity))
    return np.asarray(np.minimum(_cluster_mean(labels, nodes, m) - median, MOST_COMPLEX))


def _agreement(m: Matrix, symbols: Ints, columns: Ints) -> Floats:
    """Returns (N,) the mean share of samples with equal output over the voting inputs. Failed calls agree with none."""
    completed = np.where(m.completed[:, columns], symbols, SILENT)
    counted = np.maximum(1, m.voting[:, columns].sum(axis=1))
    weights = m.multiplicity * ~m.features.does_nothing / m.multiplicity.sum()
    return np.asarray(agreeing_weight(completed, weights).sum(axis=1) / counted)


def _constant_answers(m: Matrix, labels: Labels, columns: Ints) -> Floats:
    """Returns (K,) 1 for clusters whose first program returns one and the same text on all of at least four inputs."""
    if len(columns) < FEWEST_INPUTS:
        return np.zeros(int(labels.max()) + 1)
    rows, inputs = first_members(labels), m.inputs[columns]
    answered = (m.outputs[rows][:, columns] != MISSING) & m.completed[rows][:, columns]
    texts = m.text_numbers[inputs, np.maximum(m.outputs[rows][:, columns], 0)]
    least = np.where(answered, texts, np.iinfo(np.int32).max).min(axis=1)
    most = np.where(answered, texts, -1).max(axis=1)
    return np.asarray(least >= most, dtype=np.float64)


def _typicality(m: Matrix, labels: Labels) -> Floats:
    """Returns (N,) how typical each program's text is of its cluster, 0 to 1."""
    values = np.zeros(len(labels))
    order = np.argsort(labels, kind="stable")
    for members in np.split(order, np.flatnonzero(np.diff(labels[order])) + 1):
        if len(members) > 2:  # two programs are equally typical of each other
            values[members] = typicality(m.features.token_pairs[members])
    return values


def _confidences(m: Matrix, labels: Labels, scores: Floats, preference: Floats) -> Floats:
    """Returns (K,) the best cluster's calibrated probability, and for the others that times exp(score difference)."""
    best = int(np.argmax(scores))
    if scores[best] == -np.inf:
        return np.zeros(len(scores))
    members = np.flatnonzero(labels == best)
    chosen = int(members[np.argmax(preference[members])])
    probability = FITTED.probability(confidence_features(m, members, chosen, eligible_programs(m))[None])[0]
    return np.asarray(probability * np.exp(scores - scores[best]))


def _posterior(scores: Floats) -> Floats:
    """Returns (K,) the scores as probabilities that add up to 1, or zeros where no cluster is eligible."""
    top = scores.max()
    weights = np.exp(scores - top) if top > -np.inf else np.zeros(len(scores))
    return np.asarray(weights / max(weights.sum(), 1e-300))


def _passes(m: Matrix, labels: Labels) -> Floats:
    """Returns (K, M) 1 where a cluster passes the test, or returns on it where no value is expected."""
    states_value = (m.passed | m.failed).any(axis=0)
    passed = m.passed | (m.completed & ~states_value)
    order = np.argsort(labels, kind="stable")
    starts = np.searchsorted(labels[order], np.arange(int(labels.max()) + 1))
    return np.logical_or.reduceat(passed[order], starts, axis=0).astype(np.float64)


def _cluster_mean(labels: Labels, values: Floats, m: Matrix) -> Floats:
    """Returns (K,) the mean over the samples of each cluster."""
    return weights_by_label(labels, values * m.multiplicity) / weights_by_label(labels, m.multiplicity)


def _cluster_maximum(labels: Labels, values: Floats) -> Floats:
    """Returns (K,) the maximum over each cluster, whose members differ only in cells with infrastructure errors."""
    maxima = np.full(int(labels.max()) + 1, -np.inf)
    np.maximum.at(maxima, labels, values)
    return maxima
